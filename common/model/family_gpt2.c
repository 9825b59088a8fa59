/*
 * GPT-2 (transformers, models/gpt2): learned positions, fused q, k, v, and linears stored [inputs, outputs]
 * (Conv1D).
 */
#include "model/family.h"

static const struct pt_config_field fields[] = {
    PT_CONFIG_FIELD("n_embd", PT_CONFIG_SIZE, hidden_size),
    PT_CONFIG_FIELD("hidden_size", PT_CONFIG_SIZE, hidden_size),
    PT_CONFIG_FIELD("n_layer", PT_CONFIG_SIZE, n_layers),
    PT_CONFIG_FIELD("num_hidden_layers", PT_CONFIG_SIZE, n_layers),
    PT_CONFIG_FIELD("n_head", PT_CONFIG_SIZE, n_heads),
    PT_CONFIG_FIELD("num_attention_heads", PT_CONFIG_SIZE, n_heads),
    PT_CONFIG_FIELD("n_positions", PT_CONFIG_SIZE, n_positions),
    PT_CONFIG_FIELD("max_position_embeddings", PT_CONFIG_SIZE, n_positions),
    PT_CONFIG_FIELD("n_inner", PT_CONFIG_SIZE, intermediate_size),
    PT_CONFIG_FIELD("layer_norm_epsilon", PT_CONFIG_NUMBER, norm_epsilon),
    PT_CONFIG_ACTIVATIONS("activation_function", "\"gelu_new\" \"gelu\""),
    PT_CONFIG_ONE_OF("scale_attn_weights", "true"),
    PT_CONFIG_ONE_OF("scale_attn_by_inverse_layer_idx", "false"),
    PT_CONFIG_OTHER("attn_pdrop", PT_CONFIG_DROPOUT),
    PT_CONFIG_OTHER("embd_pdrop", PT_CONFIG_DROPOUT),
    PT_CONFIG_OTHER("n_ctx", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("reorder_and_upcast_attn", PT_CONFIG_HARMLESS), /* which products are formed in f32 */
    PT_CONFIG_OTHER("resid_pdrop", PT_CONFIG_DROPOUT),
    PT_CONFIG_OTHER("summary_activation", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("summary_first_dropout", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("summary_proj_to_labels", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("summary_type", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("summary_use_proj", PT_CONFIG_HARMLESS),
    {0},
};

const struct pt_family pt_family_gpt2 = {
    .model_type = "gpt2",
    .architectures = {"GPT2LMHeadModel", "GPT2Model"},
    .prefixes = {"transformer."},
    .names =
        {
            [PT_EMBEDDING] = "wte.weight",
            [PT_POSITION_EMBEDDING] = "wpe.weight",
            [PT_FINAL_NORM_WEIGHT] = "ln_f.weight",
            [PT_FINAL_NORM_BIAS] = "ln_f.bias",
            [PT_HEAD] = "lm_head.weight",
            [PT_ATTENTION_NORM_WEIGHT] = "h.%u.ln_1.weight",
            [PT_ATTENTION_NORM_BIAS] = "h.%u.ln_1.bias",
            [PT_QKV_WEIGHT] = "h.%u.attn.c_attn.weight",
            [PT_QKV_BIAS] = "h.%u.attn.c_attn.bias",
            [PT_ATTENTION_OUT_WEIGHT] = "h.%u.attn.c_proj.weight",
            [PT_ATTENTION_OUT_BIAS] = "h.%u.attn.c_proj.bias",
            [PT_MLP_NORM_WEIGHT] = "h.%u.ln_2.weight",
            [PT_MLP_NORM_BIAS] = "h.%u.ln_2.bias",
            [PT_MLP_UP_WEIGHT] = "h.%u.mlp.c_fc.weight",
            [PT_MLP_UP_BIAS] = "h.%u.mlp.c_fc.bias",
            [PT_MLP_DOWN_WEIGHT] = "h.%u.mlp.c_proj.weight",
            [PT_MLP_DOWN_BIAS] = "h.%u.mlp.c_proj.bias",
        },
    .buffers = {"h.%u.attn.bias", "h.%u.attn.masked_bias"},
    .norm = PT_LAYER_NORM,
    .transposed = true,
    .mlp_factor = 4,
    .defaults = {.activation = PT_GELU_TANH,
                 .norm_epsilon = 1e-5,
                 .positions = PT_LEARNED,
                 .n_positions = 1024,
                 .qkv_layout = PT_QKV_BLOCKS,
                 .tied_head = true},
    .fields = fields,
};
