/*
 * Falcon (transformers, models/falcon). Three kinds under one model type: with one head of keys (7B), with
 * groups of heads that lie together and two norms in front of the parallel halves (40B, 180B) or one (11B),
 * and with ALiBi and halves one after the other (RW).
 */
#include "model/family.h"

#include "fmt/json.h"

#define ROLE(role) (UINT64_C(1) << (role))

static const struct pt_config_field fields[] = {
    PT_CONFIG_FIELD("hidden_size", PT_CONFIG_SIZE, hidden_size),
    PT_CONFIG_FIELD("n_embed", PT_CONFIG_SIZE, hidden_size),
    PT_CONFIG_FIELD("num_hidden_layers", PT_CONFIG_SIZE, n_layers),
    PT_CONFIG_FIELD("num_attention_heads", PT_CONFIG_SIZE, n_heads),
    PT_CONFIG_FIELD("num_kv_heads", PT_CONFIG_SIZE, n_kv_heads),
    PT_CONFIG_FIELD("ffn_hidden_size", PT_CONFIG_SIZE, intermediate_size),
    PT_CONFIG_FIELD("max_position_embeddings", PT_CONFIG_SIZE, n_positions),
    PT_CONFIG_FIELD("layer_norm_epsilon", PT_CONFIG_NUMBER, norm_epsilon),
    PT_CONFIG_FIELD("rope_theta", PT_CONFIG_NUMBER, rope.theta),
    PT_CONFIG_FIELD("parallel_attn", PT_CONFIG_SWITCH, parallel),
    PT_CONFIG_ACTIVATIONS("activation", "\"gelu\""),
    PT_CONFIG_ONE_OF("apply_residual_connection_post_layernorm", "false"),
    PT_CONFIG_ONE_OF("ff_factor", "4"), /* transformers reads ffn_hidden_size, which is so by default */
    PT_CONFIG_OTHER("alibi", PT_CONFIG_READ),
    PT_CONFIG_OTHER("bias", PT_CONFIG_READ),
    PT_CONFIG_OTHER("multi_query", PT_CONFIG_READ),
    PT_CONFIG_OTHER("new_decoder_architecture", PT_CONFIG_READ),
    PT_CONFIG_OTHER("num_ln_in_parallel_attn", PT_CONFIG_READ),
    PT_CONFIG_OTHER("rope_parameters", PT_CONFIG_READ),
    PT_CONFIG_OTHER("rope_scaling", PT_CONFIG_READ),
    {0},
};

struct switches {
    bool alibi, bias, multi_query, grouped;
    uint64_t n_norms; /* in front of parallel halves; 0: not said */
};

static int read_switches(struct switches *switches, const json_t *object, const char *name,
                         struct pt_error *err)
{
    bool found;
    *switches = (struct switches){.multi_query = !json_is_null(json_object_get(object, "multi_query"))};
    if (pt_json_get_bool(object, "alibi", name, &switches->alibi, &found, err) ||
        pt_json_get_bool(object, "bias", name, &switches->bias, &found, err) ||
        pt_json_get_bool(object, "multi_query", name, &switches->multi_query, &found, err) ||
        pt_json_get_bool(object, "new_decoder_architecture", name, &switches->grouped, &found, err) ||
        pt_json_get_u64(object, "num_ln_in_parallel_attn", name, &switches->n_norms, &found, err))
        return (int)err->status;
    return PT_OK;
}

/* Those that are compared with reference numbers. */
static int check_combination(const struct pt_config *config, const struct switches *switches,
                             const char *name, struct pt_error *err)
{
    bool known = switches->grouped
                     ? config->parallel && !switches->alibi && !switches->bias && switches->n_norms <= 2
                 : switches->alibi ? !config->parallel && !switches->multi_query && switches->bias
                                   : config->parallel && switches->multi_query && !switches->bias;
    if (!switches->grouped && switches->n_norms > 1)
        known = false;
    if (!known)
        return pt_fail(err, PT_MISMATCH,
                       "%s: this combination of \"new_decoder_architecture\", \"alibi\", \"parallel_attn\", "
                       "\"multi_query\", \"bias\" and \"num_ln_in_parallel_attn\" is not supported",
                       name);
    return PT_OK;
}

static const struct pt_family two_norms;

static int finish(struct pt_config *config, const json_t *object, const char *name, struct pt_error *err)
{
    struct switches switches;
    if (read_switches(&switches, object, name, err) || check_combination(config, &switches, name, err))
        return (int)err->status;
    if (switches.alibi) {
        config->positions = PT_ALIBI;
        config->alibi_scaled = true;
    }
    if (!switches.bias)
        config->absent_roles |=
            ROLE(PT_QKV_BIAS) | ROLE(PT_ATTENTION_OUT_BIAS) | ROLE(PT_MLP_UP_BIAS) | ROLE(PT_MLP_DOWN_BIAS);
    if (switches.grouped && switches.n_norms != 1)
        config->family = &two_norms;
    else if (config->parallel)
        config->absent_roles |= ROLE(PT_MLP_NORM_WEIGHT) | ROLE(PT_MLP_NORM_BIAS);
    config->qkv_layout = switches.grouped       ? PT_QKV_BY_GROUP
                         : switches.multi_query ? PT_QKV_BLOCKS
                                                : PT_QKV_BY_HEAD;
    if (!switches.grouped)
        config->n_kv_heads = switches.multi_query ? 1 : config->n_heads;
    return PT_OK;
}

#define FALCON_NAMES                                                                                        \
    [PT_EMBEDDING] = "word_embeddings.weight", [PT_FINAL_NORM_WEIGHT] = "ln_f.weight",                      \
    [PT_FINAL_NORM_BIAS] = "ln_f.bias", [PT_HEAD] = "lm_head.weight",                                       \
    [PT_QKV_WEIGHT] = "h.%u.self_attention.query_key_value.weight",                                         \
    [PT_QKV_BIAS] = "h.%u.self_attention.query_key_value.bias",                                             \
    [PT_ATTENTION_OUT_WEIGHT] = "h.%u.self_attention.dense.weight",                                         \
    [PT_ATTENTION_OUT_BIAS] = "h.%u.self_attention.dense.bias",                                             \
    [PT_MLP_UP_WEIGHT] = "h.%u.mlp.dense_h_to_4h.weight", [PT_MLP_UP_BIAS] = "h.%u.mlp.dense_h_to_4h.bias", \
    [PT_MLP_DOWN_WEIGHT] = "h.%u.mlp.dense_4h_to_h.weight",                                                 \
    [PT_MLP_DOWN_BIAS] = "h.%u.mlp.dense_4h_to_h.bias"

#define FALCON_REST                                                                       \
    .model_type = "falcon", .architectures = {"FalconForCausalLM", "FalconModel"},        \
    .prefixes = {"transformer."}, .buffers = {"h.%u.self_attention.rotary_emb.inv_freq"}, \
    .norm = PT_LAYER_NORM, .plain_rope = true, .mlp_factor = 4, .fields = fields

static const struct pt_family two_norms = {
    FALCON_REST,
    .names = {FALCON_NAMES, [PT_ATTENTION_NORM_WEIGHT] = "h.%u.ln_attn.weight",
              [PT_ATTENTION_NORM_BIAS] = "h.%u.ln_attn.bias", [PT_MLP_NORM_WEIGHT] = "h.%u.ln_mlp.weight",
              [PT_MLP_NORM_BIAS] = "h.%u.ln_mlp.bias"},
};

const struct pt_family pt_family_falcon = {
    FALCON_REST,
    .names = {FALCON_NAMES, [PT_ATTENTION_NORM_WEIGHT] = "h.%u.input_layernorm.weight",
              [PT_ATTENTION_NORM_BIAS] = "h.%u.input_layernorm.bias",
              [PT_MLP_NORM_WEIGHT] = "h.%u.post_attention_layernorm.weight",
              [PT_MLP_NORM_BIAS] = "h.%u.post_attention_layernorm.bias"},
    .defaults = {.activation = PT_GELU,
                 .norm_epsilon = 1e-5,
                 .positions = PT_ROTARY,
                 .n_positions = 2048,
                 .rope = {.theta = 10000, .fraction = 1},
                 .parallel = true,
                 .tied_head = true},
    .finish = finish,
};
