/*
 * OPT (transformers, models/opt): learned positions whose table has two rows in front, norms before each half
 * or behind it.
 */
#include "model/family.h"

#include "fmt/json.h"

#include <inttypes.h>

static const struct pt_config_field fields[] = {
    PT_CONFIG_FIELD("hidden_size", PT_CONFIG_SIZE, hidden_size),
    PT_CONFIG_FIELD("num_hidden_layers", PT_CONFIG_SIZE, n_layers),
    PT_CONFIG_FIELD("num_attention_heads", PT_CONFIG_SIZE, n_heads),
    PT_CONFIG_FIELD("ffn_dim", PT_CONFIG_SIZE, intermediate_size),
    PT_CONFIG_FIELD("max_position_embeddings", PT_CONFIG_SIZE, n_positions),
    PT_CONFIG_ACTIVATIONS("activation_function", "\"relu\" \"gelu\""),
    PT_CONFIG_ONE_OF("enable_bias", "true"),
    PT_CONFIG_ONE_OF("layer_norm_elementwise_affine", "true"),
    PT_CONFIG_ONE_OF("_remove_final_layer_norm", "false"),
    PT_CONFIG_ONE_OF("learned_embeddings", "true"), /* transformers reads neither */
    PT_CONFIG_ONE_OF("scale_embeddings", "false"),
    PT_CONFIG_OTHER("do_layer_norm_before", PT_CONFIG_READ),
    PT_CONFIG_OTHER("word_embed_proj_dim", PT_CONFIG_READ),
    PT_CONFIG_OTHER("activation_dropout", PT_CONFIG_DROPOUT),
    PT_CONFIG_OTHER("dropout", PT_CONFIG_DROPOUT),
    PT_CONFIG_OTHER("init_std", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("layerdrop", PT_CONFIG_DROPOUT),
    {0},
};

/* Norms behind the halves need no final one. */
static int finish(struct pt_config *config, const json_t *object, const char *name, struct pt_error *err)
{
    bool before = true, found;
    uint64_t width = config->hidden_size;
    if (pt_json_get_bool(object, "do_layer_norm_before", name, &before, &found, err) ||
        pt_json_get_u64(object, "word_embed_proj_dim", name, &width, &found, err))
        return (int)err->status;
    if (width != config->hidden_size)
        return pt_fail(err, PT_MISMATCH,
                       "%s: \"word_embed_proj_dim\" is %" PRIu64 ", only the hidden size, %" PRIu64
                       ", is supported",
                       name, width, config->hidden_size);
    config->norm_behind = !before;
    if (!before)
        config->absent_roles |= UINT64_C(1) << PT_FINAL_NORM_WEIGHT | UINT64_C(1) << PT_FINAL_NORM_BIAS;
    return PT_OK;
}

const struct pt_family pt_family_opt = {
    .model_type = "opt",
    .architectures = {"OPTForCausalLM", "OPTModel"},
    .prefixes = {"model.decoder.", "decoder."},
    .names =
        {
            [PT_EMBEDDING] = "embed_tokens.weight",
            [PT_POSITION_EMBEDDING] = "embed_positions.weight",
            [PT_FINAL_NORM_WEIGHT] = "final_layer_norm.weight",
            [PT_FINAL_NORM_BIAS] = "final_layer_norm.bias",
            [PT_HEAD] = "lm_head.weight",
            [PT_ATTENTION_NORM_WEIGHT] = "layers.%u.self_attn_layer_norm.weight",
            [PT_ATTENTION_NORM_BIAS] = "layers.%u.self_attn_layer_norm.bias",
            [PT_Q_WEIGHT] = "layers.%u.self_attn.q_proj.weight",
            [PT_Q_BIAS] = "layers.%u.self_attn.q_proj.bias",
            [PT_K_WEIGHT] = "layers.%u.self_attn.k_proj.weight",
            [PT_K_BIAS] = "layers.%u.self_attn.k_proj.bias",
            [PT_V_WEIGHT] = "layers.%u.self_attn.v_proj.weight",
            [PT_V_BIAS] = "layers.%u.self_attn.v_proj.bias",
            [PT_ATTENTION_OUT_WEIGHT] = "layers.%u.self_attn.out_proj.weight",
            [PT_ATTENTION_OUT_BIAS] = "layers.%u.self_attn.out_proj.bias",
            [PT_MLP_NORM_WEIGHT] = "layers.%u.final_layer_norm.weight",
            [PT_MLP_NORM_BIAS] = "layers.%u.final_layer_norm.bias",
            [PT_MLP_UP_WEIGHT] = "layers.%u.fc1.weight",
            [PT_MLP_UP_BIAS] = "layers.%u.fc1.bias",
            [PT_MLP_DOWN_WEIGHT] = "layers.%u.fc2.weight",
            [PT_MLP_DOWN_BIAS] = "layers.%u.fc2.bias",
        },
    .buffers = {"version"},
    .norm = PT_LAYER_NORM,
    .defaults = {.norm_epsilon = 1e-5,
                 .activation = PT_RELU,
                 .positions = PT_LEARNED,
                 .n_positions = 2048,
                 .position_offset = 2,
                 .qkv_layout = PT_QKV_BLOCKS,
                 .tied_head = true},
    .fields = fields,
    .finish = finish,
};
