/*
 * Qwen 3 (transformers, models/qwen3): LLaMA with norms on the heads of q and k; upper layers may have a
 * window.
 */
#include "model/family.h"
#include "model/llama_names.h"

static const struct pt_config_field fields[] = {
    PT_LLAMA_FIELDS,
    PT_CONFIG_ACTIVATIONS("hidden_act", "\"silu\""),
    PT_CONFIG_FIELD("sliding_window", PT_CONFIG_SIZE_OR_NONE, window),
    PT_CONFIG_FIELD("use_sliding_window", PT_CONFIG_SWITCH, uses_window),
    PT_CONFIG_FIELD("max_window_layers", PT_CONFIG_COUNT, first_local),
    PT_CONFIG_OTHER("layer_types", PT_CONFIG_READ),
    {0},
};

const struct pt_family pt_family_qwen3 = {
    .model_type = "qwen3",
    .architectures = {"Qwen3ForCausalLM", "Qwen3Model"},
    .prefixes = {"model."},
    .names = {PT_LLAMA_NAMES, PT_LLAMA_MLP_NORM, [PT_Q_NORM_WEIGHT] = "layers.%u.self_attn.q_norm.weight",
              [PT_K_NORM_WEIGHT] = "layers.%u.self_attn.k_norm.weight"},
    .norm = PT_RMS_NORM,
    .defaults = {.n_kv_heads = 32,
                 .head_dim = 128,
                 .activation = PT_SILU,
                 .norm_epsilon = 1e-6,
                 .positions = PT_ROTARY,
                 .n_positions = 32768,
                 .rope = {.theta = 10000, .fraction = 1},
                 .qkv_layout = PT_QKV_BLOCKS,
                 .window = 4096,
                 .first_local = 28},
    .fields = fields,
};
