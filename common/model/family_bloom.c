/*
 * BLOOM (transformers, models/bloom/modeling_bloom.py and configuration_bloom.py): ALiBi, a norm behind the
 * embedding, fused q, k, v by head, an MLP four times as wide as the hidden size, a tied head.
 */
#include "fmt/json.h"
#include "model/family.h"

#include <inttypes.h>

/* transformers always computes this GELU, whatever such a field says; one that says otherwise speaks of
 * another model. */
#define SAME_GELU "\"gelu\" \"gelu_new\" \"gelu_fast\" \"gelu_pytorch_tanh\" \"bloom_gelu\""

static const struct pt_config_field fields[] = {
    PT_CONFIG_FIELD("n_embed", PT_CONFIG_SIZE, hidden_size),
    PT_CONFIG_FIELD("hidden_size", PT_CONFIG_SIZE, hidden_size),
    PT_CONFIG_FIELD("n_layer", PT_CONFIG_SIZE, n_layers),
    PT_CONFIG_FIELD("num_hidden_layers", PT_CONFIG_SIZE, n_layers),
    PT_CONFIG_FIELD("n_head", PT_CONFIG_SIZE, n_heads),
    PT_CONFIG_FIELD("num_attention_heads", PT_CONFIG_SIZE, n_heads),
    PT_CONFIG_FIELD("n_inner", PT_CONFIG_SIZE, intermediate_size),
    PT_CONFIG_FIELD("layer_norm_epsilon", PT_CONFIG_NUMBER, norm_epsilon),
    PT_CONFIG_FIELD("apply_residual_connection_post_layernorm", PT_CONFIG_SWITCH, residual_after_norm),
    PT_CONFIG_ONE_OF("hidden_act", SAME_GELU),
    PT_CONFIG_ONE_OF("activation_function", SAME_GELU),
    PT_CONFIG_OTHER("attention_softmax_in_fp32", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("bias_dropout_fusion", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("masked_softmax_fusion", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("n_positions", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("offset_alibi", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("seq_length", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("skip_bias_add", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("skip_bias_add_qkv", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("slow_but_exact", PT_CONFIG_READ),
    PT_CONFIG_OTHER("type_vocab_size", PT_CONFIG_HARMLESS),
    {0},
};

/* transformers ignores n_inner, and where both of the other fields ask for slices it leaves two biases out.
 */
static int finish(struct pt_config *config, const json_t *object, const char *name, struct pt_error *err)
{
    bool slow = false, found;
    uint64_t slices = 1;
    if (pt_json_get_bool(object, "slow_but_exact", name, &slow, &found, err) ||
        pt_json_get_u64(object, "pretraining_tp", name, &slices, &found, err))
        return (int)err->status;
    if (slow && slices > 1)
        return pt_fail(err, PT_MISMATCH,
                       "%s: \"slow_but_exact\" with a \"pretraining_tp\" of %" PRIu64 " is not supported",
                       name, slices);
    const uint64_t factor = config->family->mlp_factor;
    if (config->intermediate_size != factor * config->hidden_size)
        return pt_fail(err, PT_MISMATCH,
                       "%s: \"n_inner\" is %" PRIu64 ", only %" PRIu64 " times the hidden size is supported",
                       name, config->intermediate_size, factor);
    return PT_OK;
}

const struct pt_family pt_family_bloom = {
    .model_type = "bloom",
    .architectures = {"BloomForCausalLM", "BloomModel"},
    .prefixes = {"transformer."},
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
    .mlp_factor = 4,
    .defaults = {.norm_epsilon = 1e-5,
                 .activation = PT_GELU_TANH,
                 .positions = PT_ALIBI,
                 .qkv_layout = PT_QKV_BY_HEAD,
                 .tied_head = true},
    .fields = fields,
    .finish = finish,
};
