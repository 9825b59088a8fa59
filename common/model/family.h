/*
 * The families of models: what differs between them, as data.
 */
#ifndef PT_MODEL_FAMILY_H
#define PT_MODEL_FAMILY_H

#include "math/norm.h"
#include "model/config.h"
#include "model/config_fields.h"

/*
 * What a tensor is for. Those from PT_ATTENTION_NORM_WEIGHT on exist once a layer. A bias follows its weight,
 * and matrices are [outputs, inputs] row-major. A family has PT_QKV, or PT_Q, PT_K and PT_V. The gate and the
 * up projection are both read by the MLP's product; where a family stores them as one matrix, the gate's rows
 * first, that is PT_MLP_UP. The OUT norms stand behind a sub-layer, in front of the sum with the residual.
 * Fingerprints take tensors in this order.
 */
enum pt_role {
    PT_EMBEDDING,
    PT_POSITION_EMBEDDING,
    PT_EMBEDDING_NORM_WEIGHT,
    PT_EMBEDDING_NORM_BIAS,
    PT_FINAL_NORM_WEIGHT,
    PT_FINAL_NORM_BIAS,
    PT_HEAD,
    PT_ATTENTION_NORM_WEIGHT,
    PT_ATTENTION_NORM_BIAS,
    PT_QKV_WEIGHT,
    PT_QKV_BIAS,
    PT_Q_WEIGHT,
    PT_Q_BIAS,
    PT_K_WEIGHT,
    PT_K_BIAS,
    PT_V_WEIGHT,
    PT_V_BIAS,
    PT_Q_NORM_WEIGHT,
    PT_Q_NORM_BIAS,
    PT_K_NORM_WEIGHT,
    PT_K_NORM_BIAS,
    PT_ATTENTION_OUT_WEIGHT,
    PT_ATTENTION_OUT_BIAS,
    PT_ATTENTION_OUT_NORM_WEIGHT,
    PT_ATTENTION_OUT_NORM_BIAS,
    PT_MLP_NORM_WEIGHT,
    PT_MLP_NORM_BIAS,
    PT_MLP_GATE_WEIGHT,
    PT_MLP_GATE_BIAS,
    PT_MLP_UP_WEIGHT,
    PT_MLP_UP_BIAS,
    PT_MLP_DOWN_WEIGHT,
    PT_MLP_DOWN_BIAS,
    PT_MLP_OUT_NORM_WEIGHT,
    PT_MLP_OUT_NORM_BIAS,
    PT_ROLES,
    PT_FIRST_LAYER_ROLE = PT_ATTENTION_NORM_WEIGHT,
};

struct pt_family {
    const char *model_type;       /* config.json's */
    const char *architectures[2]; /* with a head, and the bare model: "BloomForCausalLM", "BloomModel" */
    const char *prefixes[2]; /* of tensor names (the head's excepted), present or not in a file; the first one
                                is canonical: "transformer." */
    const char
        *names[PT_ROLES]; /* without the prefix, %u is the layer; NULL where the family has no such tensor */
    const char
        *buffers[3]; /* tensors in old files that are no parameters, written in the same way; NULL: none */
    enum pt_norm_kind norm;
    bool norm_adds_one;    /* norms multiply by 1 + weight */
    bool scales_embedding; /* by the root of the hidden size, rows in front excepted */
    bool plain_rope;       /* only rotary embeddings of type "default" are compared with reference numbers */
    bool partial_rope;     /* its code turns partial_rotary_factor of each head; the others' all of it */
    bool gate_in_up;       /* PT_MLP_UP holds the gate's rows as well, first */
    bool transposed;       /* linears within layers are stored [inputs, outputs] */
    struct pt_config defaults; /* of what config.json may leave out, and what it cannot say */
    uint64_t mlp_factor; /* intermediate_size is this times hidden_size where it is not said; 0: it must be */
    const struct pt_config_field *fields; /* of config.json, beside those of all families */
    /* What the table cannot say, after the fields are read; NULL: nothing. */
    int (*finish)(struct pt_config *config, const json_t *object, const char *name, struct pt_error *err);
};

/* Whether the model has a tensor of this role; whether it is a vector (a norm's weight, or a bias); whether
 * it is a linear's weight stored [inputs, outputs]. */
bool pt_config_has_role(const struct pt_config *config, enum pt_role role);
bool pt_role_is_vector(enum pt_role role);
bool pt_role_is_transposed(const struct pt_config *config, enum pt_role role);
/* The shape in which the role's tensor is stored; returns its rank, 0 where the model has none. */
unsigned pt_role_shape(const struct pt_config *config, enum pt_role role, uint64_t shape[2]);

/* The rows of the table, a file each. */
extern const struct pt_family pt_family_bloom, pt_family_falcon, pt_family_gemma, pt_family_gemma2,
    pt_family_gemma3_text, pt_family_gpt2, pt_family_gpt_neox, pt_family_llama, pt_family_mistral,
    pt_family_opt, pt_family_phi3, pt_family_qwen2, pt_family_qwen3, pt_family_starcoder2;

/* All of them, in the order of their names; NULL behind the last. */
const struct pt_family *pt_family_at(size_t index);
/* NULL where it is not known. */
const struct pt_family *pt_family_find(const char *model_type);

#endif
