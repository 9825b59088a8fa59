/*
 * Gemma 3's text models (transformers, models/gemma3): Gemma 2 without soft caps, with norms on the heads of
 * q and k, and other rotary angles in the layers that have a window, five out of six.
 */
#include "model/family.h"
#include "model/llama_names.h"

static const struct pt_config_field fields[] = {
    PT_LLAMA_FIELDS,
    PT_CONFIG_FIELD("query_pre_attn_scalar", PT_CONFIG_NUMBER, score_divisor),
    PT_CONFIG_FIELD("sliding_window", PT_CONFIG_SIZE_OR_NONE, window),
    PT_CONFIG_FIELD("sliding_window_pattern", PT_CONFIG_SIZE, full_period),
    PT_CONFIG_FIELD("rope_local_base_freq", PT_CONFIG_NUMBER, local_rope.theta),
    PT_CONFIG_OTHER("layer_types", PT_CONFIG_READ),
    PT_CONFIG_ONE_OF("attn_logit_softcapping", ""),
    PT_CONFIG_ONE_OF("final_logit_softcapping", ""),
    PT_CONFIG_ONE_OF("hidden_activation", "\"gelu_pytorch_tanh\""),
    PT_CONFIG_ONE_OF("use_bidirectional_attention", "false"),
    PT_CONFIG_OTHER("_sliding_window_pattern", PT_CONFIG_HARMLESS), /* stands beside layer_types */
    PT_CONFIG_OTHER("cache_implementation", PT_CONFIG_HARMLESS),
    {0},
};

const struct pt_family pt_family_gemma3_text = {
    .model_type = "gemma3_text",
    .architectures = {"Gemma3ForCausalLM", "Gemma3TextModel"},
    .prefixes = {"model."},
    .names = {PT_LLAMA_NAMES, PT_GEMMA_NORMS, [PT_Q_NORM_WEIGHT] = "layers.%u.self_attn.q_norm.weight",
              [PT_K_NORM_WEIGHT] = "layers.%u.self_attn.k_norm.weight"},
    .norm = PT_RMS_NORM,
    .norm_adds_one = true,
    .scales_embedding = true,
    .defaults = {.n_kv_heads = 4,
                 .head_dim = 256,
                 .activation = PT_GELU_TANH,
                 .norm_epsilon = 1e-6,
                 .positions = PT_ROTARY,
                 .n_positions = 131072,
                 .rope = {.theta = 1000000, .fraction = 1},
                 .local_rope = {.theta = 10000, .fraction = 1},
                 .qkv_layout = PT_QKV_BLOCKS,
                 .score_divisor = 256,
                 .window = 4096,
                 .uses_window = true,
                 .full_period = 6,
                 .tied_head = true},
    .fields = fields,
};
