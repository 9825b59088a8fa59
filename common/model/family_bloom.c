/*
 * BLOOM (transformers, models/bloom/modeling_bloom.py and configuration_bloom.py): ALiBi, a norm behind the
 * embedding, fused q, k, v by head, an MLP four times as wide as the hidden size, a tied head.
 */
#include "fmt/json.h"
#include "model/family.h"

#include <inttypes.h>
#include <string.h>

enum { MOST_LAYERS = 10000, MOST_HIDDEN = 1 << 20, MLP_FACTOR = 4 };

static const double DEFAULT_EPSILON = 1e-5;

/* transformers always computes this GELU, whatever such a field says; one that says otherwise speaks of
 * another model. */
static int check_activation(const json_t *object, const char *name, struct pt_error *err)
{
    static const char *const keys[] = {"hidden_act", "activation_function"};
    static const char *const same[] = {"gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "bloom_gelu"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = NULL;
        bool found, known = false;
        if (pt_json_get_string(object, keys[i], name, &value, &found, err))
            return (int)err->status;
        for (size_t j = 0; found && j < sizeof same / sizeof *same; j++)
            known = known || !strcmp(value, same[j]);
        if (found && !known)
            return pt_fail(err, PT_MISMATCH,
                           "%s: \"%s\": \"%.100s\" is not supported for bloom, only its GELU", name, keys[i],
                           value);
    }
    return PT_OK;
}

static int check_inner_size(const struct pt_config *config, const json_t *object, const char *name,
                            struct pt_error *err)
{
    uint64_t n_inner = config->intermediate_size;
    bool found;
    if (pt_json_get_u64(object, "n_inner", name, &n_inner, &found, err))
        return (int)err->status;
    if (n_inner != config->intermediate_size)
        return pt_fail(err, PT_MISMATCH,
                       "%s: \"n_inner\" is %" PRIu64 ", only %d times the hidden size is supported", name,
                       n_inner, MLP_FACTOR);
    return PT_OK;
}

static int read_config(struct pt_config *config, const json_t *object, const char *name, struct pt_error *err)
{
    bool found;
    config->norm_epsilon = DEFAULT_EPSILON;
    if (pt_config_read_size(object, "n_embed", "hidden_size", name, MOST_HIDDEN, &config->hidden_size, err) ||
        pt_config_read_size(object, "n_layer", "num_hidden_layers", name, MOST_LAYERS, &config->n_layers,
                            err) ||
        pt_config_read_size(object, "n_head", "num_attention_heads", name, MOST_HIDDEN, &config->n_heads,
                            err) ||
        pt_json_get_double(object, "layer_norm_epsilon", name, &config->norm_epsilon, &found, err) ||
        pt_json_get_bool(object, "apply_residual_connection_post_layernorm", name,
                         &config->residual_after_norm, &found, err) ||
        check_activation(object, name, err))
        return (int)err->status;
    if (config->hidden_size % config->n_heads)
        return pt_fail(err, PT_BAD_INPUT,
                       "%s: hidden size %" PRIu64 " is not a multiple of %" PRIu64 " heads", name,
                       config->hidden_size, config->n_heads);
    if (!(config->norm_epsilon >= 0 && config->norm_epsilon < 1))
        return pt_fail(err, PT_BAD_INPUT, "%s: \"layer_norm_epsilon\" is %g", name, config->norm_epsilon);
    config->n_kv_heads = config->n_heads;
    config->head_dim = config->hidden_size / config->n_heads;
    config->intermediate_size = MLP_FACTOR * config->hidden_size;
    return check_inner_size(config, object, name, err);
}

const struct pt_family pt_family_bloom = {
    .model_type = "bloom",
    .architectures = {"BloomForCausalLM", "BloomModel"},
    .prefix = "transformer.",
    .names =
        {
            [PT_EMBEDDING] = "word_embeddings.weight",
            [PT_EMBEDDING_NORM_WEIGHT] = "word_embeddings_layernorm.weight",
            [PT_EMBEDDING_NORM_BIAS] = "word_embeddings_layernorm.bias",
            [PT_FINAL_NORM_WEIGHT] = "ln_f.weight",
            [PT_FINAL_NORM_BIAS] = "ln_f.bias",
            [PT_HEAD] = "lm_head.weight",
            [PT_ATTENTION_NORM_WEIGHT] = "h.%u.input_layernorm.weight",
            [PT_ATTENTION_NORM_BIAS] = "h.%u.input_layernorm.bias",
            [PT_QKV_WEIGHT] = "h.%u.self_attention.query_key_value.weight",
            [PT_QKV_BIAS] = "h.%u.self_attention.query_key_value.bias",
            [PT_ATTENTION_OUT_WEIGHT] = "h.%u.self_attention.dense.weight",
            [PT_ATTENTION_OUT_BIAS] = "h.%u.self_attention.dense.bias",
            [PT_MLP_NORM_WEIGHT] = "h.%u.post_attention_layernorm.weight",
            [PT_MLP_NORM_BIAS] = "h.%u.post_attention_layernorm.bias",
            [PT_MLP_UP_WEIGHT] = "h.%u.mlp.dense_h_to_4h.weight",
            [PT_MLP_UP_BIAS] = "h.%u.mlp.dense_h_to_4h.bias",
            [PT_MLP_DOWN_WEIGHT] = "h.%u.mlp.dense_4h_to_h.weight",
            [PT_MLP_DOWN_BIAS] = "h.%u.mlp.dense_4h_to_h.bias",
        },
    .buffers = {"h.%u.self_attention.scale_mask_softmax.causal_mask", "h.%u.self_attention.masked_bias"},
    .norm = PT_LAYER_NORM,
    .activation = PT_GELU_TANH,
    .positions = PT_ALIBI,
    .qkv_layout = PT_QKV_BY_HEAD,
    .read_config = read_config,
};
