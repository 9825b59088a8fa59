/*
 * Gemma 2 (transformers, models/gemma2): Gemma with norms behind attention and MLP as well, soft caps on
 * scores and logits, and a window on every other layer.
 */
#include "model/family.h"
#include "model/llama_names.h"

static const struct pt_config_field fields[] = {
    PT_LLAMA_FIELDS,
    PT_CONFIG_FIELD("query_pre_attn_scalar", PT_CONFIG_NUMBER, score_divisor),
    PT_CONFIG_FIELD("attn_logit_softcapping", PT_CONFIG_NUMBER_OR_NONE, score_cap),
    PT_CONFIG_FIELD("final_logit_softcapping", PT_CONFIG_NUMBER_OR_NONE, logit_cap),
    PT_CONFIG_FIELD("sliding_window", PT_CONFIG_SIZE_OR_NONE, window),
    PT_CONFIG_OTHER("layer_types", PT_CONFIG_READ),
    PT_CONFIG_ONE_OF("hidden_activation", "\"gelu_pytorch_tanh\""),
    PT_CONFIG_ONE_OF("hidden_act", "\"gelu_pytorch_tanh\""),
    PT_CONFIG_ONE_OF("use_bidirectional_attention", "false"),
    PT_CONFIG_OTHER("cache_implementation", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("sliding_window_size", PT_CONFIG_HARMLESS), /* the window again, in the first releases */
    {0},
};

const struct pt_family pt_family_gemma2 = {
    .model_type = "gemma2",
    .architectures = {"Gemma2ForCausalLM", "Gemma2Model"},
    .prefixes = {"model."},
    .names = {PT_LLAMA_NAMES, PT_GEMMA_NORMS},
    .norm = PT_RMS_NORM,
    .norm_adds_one = true,
    .scales_embedding = true,
    .plain_rope = true,
    .defaults = {.n_kv_heads = 4,
                 .head_dim = 256,
                 .activation = PT_GELU_TANH,
                 .norm_epsilon = 1e-6,
                 .positions = PT_ROTARY,
                 .n_positions = 8192,
                 .rope = {.theta = 10000, .fraction = 1},
                 .qkv_layout = PT_QKV_BLOCKS,
                 .score_divisor = 256,
                 .score_cap = 50,
                 .window = 4096,
                 .uses_window = true,
                 .full_period = 2,
                 .tied_head = true,
                 .logit_cap = 30},
    .fields = fields,
};
