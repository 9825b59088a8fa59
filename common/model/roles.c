/*
 * What follows from a tensor's role: whether a model has it, and its shape.
 */
#include "model/family.h"

#include <string.h>

bool pt_config_has_role(const struct pt_config *config, enum pt_role role)
{
    return config->family->names[role] && !(config->absent_roles >> role & 1);
}

bool pt_role_is_vector(enum pt_role role)
{
    switch (role) {
    case PT_EMBEDDING:
    case PT_POSITION_EMBEDDING:
    case PT_HEAD:
    case PT_QKV_WEIGHT:
    case PT_Q_WEIGHT:
    case PT_K_WEIGHT:
    case PT_V_WEIGHT:
    case PT_ATTENTION_OUT_WEIGHT:
    case PT_MLP_GATE_WEIGHT:
    case PT_MLP_UP_WEIGHT:
    case PT_MLP_DOWN_WEIGHT:
        return false;
    default:
        return true;
    }
}

bool pt_role_is_transposed(const struct pt_config *config, enum pt_role role)
{
    return config->family->transposed && role >= PT_FIRST_LAYER_ROLE && !pt_role_is_vector(role);
}

/* Outputs and inputs of a matrix. */
static void matrix_shape(const struct pt_config *config, enum pt_role role, uint64_t shape[2])
{
    const uint64_t hidden = config->hidden_size, inner = config->intermediate_size;
    const uint64_t q = pt_config_q_size(config), kv = pt_config_kv_size(config);
    const uint64_t up = config->family->gate_in_up ? 2 * inner : inner;
    const uint64_t shapes[PT_ROLES][2] = {
        [PT_EMBEDDING] = {config->vocab_size, hidden},
        [PT_POSITION_EMBEDDING] = {config->n_positions + config->position_offset, hidden},
        [PT_HEAD] = {config->vocab_size, hidden},
        [PT_QKV_WEIGHT] = {q + 2 * kv, hidden},
        [PT_Q_WEIGHT] = {q, hidden},
        [PT_K_WEIGHT] = {kv, hidden},
        [PT_V_WEIGHT] = {kv, hidden},
        [PT_ATTENTION_OUT_WEIGHT] = {hidden, q},
        [PT_MLP_GATE_WEIGHT] = {inner, hidden},
        [PT_MLP_UP_WEIGHT] = {up, hidden},
        [PT_MLP_DOWN_WEIGHT] = {hidden, inner},
    };
    memcpy(shape, shapes[role], sizeof shapes[role]);
}

/* A norm's weight and bias are as long as what is normed, a linear's bias as its outputs. */
static uint64_t vector_length(const struct pt_config *config, enum pt_role role)
{
    uint64_t shape[2];
    switch (role) {
    case PT_Q_NORM_WEIGHT:
    case PT_Q_NORM_BIAS:
    case PT_K_NORM_WEIGHT:
    case PT_K_NORM_BIAS:
        return config->head_dim;
    case PT_QKV_BIAS:
    case PT_Q_BIAS:
    case PT_K_BIAS:
    case PT_V_BIAS:
    case PT_MLP_GATE_BIAS:
    case PT_MLP_UP_BIAS:
        matrix_shape(config, role - 1, shape);
        return shape[0];
    default:
        return config->hidden_size;
    }
}

unsigned pt_role_shape(const struct pt_config *config, enum pt_role role, uint64_t shape[2])
{
    if (!pt_config_has_role(config, role))
        return 0;
    if (pt_role_is_vector(role)) {
        shape[0] = vector_length(config, role);
        return 1;
    }
    matrix_shape(config, role, shape);
    if (pt_role_is_transposed(config, role)) {
        uint64_t outputs = shape[0];
        shape[0] = shape[1];
        shape[1] = outputs;
    }
    return 2;
}
