/*
 * Phi 3 (transformers, models/phi3): LLaMA with q, k, v in one matrix and gate and up in another, and rotary
 * positions on all of a head or a part of it.
 */
#include "model/family.h"
#include "model/llama_names.h"

static const struct pt_config_field fields[] = {
    PT_LLAMA_FIELDS,
    PT_CONFIG_ACTIVATIONS("hidden_act", "\"silu\""),
    PT_CONFIG_FIELD("partial_rotary_factor", PT_CONFIG_NUMBER, rope.fraction),
    PT_CONFIG_FIELD("sliding_window", PT_CONFIG_SIZE_OR_NONE, window),
    PT_CONFIG_OTHER("embd_pdrop", PT_CONFIG_DROPOUT),
    PT_CONFIG_OTHER("original_max_position_embeddings", PT_CONFIG_HARMLESS), /* of the refused types */
    PT_CONFIG_OTHER("resid_pdrop", PT_CONFIG_DROPOUT),
    {0},
};

const struct pt_family pt_family_phi3 = {
    .model_type = "phi3",
    .architectures = {"Phi3ForCausalLM", "Phi3Model"},
    .prefixes = {"model."},
    .names = {[PT_EMBEDDING] = "embed_tokens.weight",
              [PT_FINAL_NORM_WEIGHT] = "norm.weight",
              [PT_HEAD] = "lm_head.weight",
              [PT_ATTENTION_NORM_WEIGHT] = "layers.%u.input_layernorm.weight",
              [PT_QKV_WEIGHT] = "layers.%u.self_attn.qkv_proj.weight",
              [PT_ATTENTION_OUT_WEIGHT] = "layers.%u.self_attn.o_proj.weight",
              PT_LLAMA_MLP_NORM,
              [PT_MLP_UP_WEIGHT] = "layers.%u.mlp.gate_up_proj.weight",
              [PT_MLP_DOWN_WEIGHT] = "layers.%u.mlp.down_proj.weight"},
    .buffers = PT_LLAMA_BUFFERS,
    .norm = PT_RMS_NORM,
    .plain_rope = true,
    .partial_rope = true,
    .gate_in_up = true,
    .defaults = {.activation = PT_SILU,
                 .norm_epsilon = 1e-5,
                 .positions = PT_ROTARY,
                 .n_positions = 4096,
                 .rope = {.theta = 10000, .fraction = 1},
                 .qkv_layout = PT_QKV_BLOCKS,
                 .uses_window = true},
    .fields = fields,
};
