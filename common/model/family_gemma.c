/*
 * Gemma (transformers, models/gemma): LLaMA with scaled embeddings, norms that multiply by 1 + weight, and a
 * gate of GELU.
 */
#include "model/family.h"
#include "model/llama_names.h"

static const struct pt_config_field fields[] = {
    PT_LLAMA_FIELDS,
    /* Written as "gelu", and meant and computed as the other, in the first releases. */
    PT_CONFIG_ONE_OF("hidden_act", "\"gelu\" \"gelu_pytorch_tanh\""),
    PT_CONFIG_ONE_OF("hidden_activation", "\"gelu_pytorch_tanh\""),
    PT_CONFIG_ONE_OF("use_bidirectional_attention", "false"),
    {0},
};

const struct pt_family pt_family_gemma = {
    .model_type = "gemma",
    .architectures = {"GemmaForCausalLM", "GemmaModel"},
    .prefixes = {"model."},
    .names = {PT_LLAMA_NAMES, PT_LLAMA_MLP_NORM},
    .buffers = PT_LLAMA_BUFFERS,
    .norm = PT_RMS_NORM,
    .norm_adds_one = true,
    .scales_embedding = true,
    .plain_rope = true,
    .defaults = {.n_kv_heads = 16,
                 .head_dim = 256,
                 .activation = PT_GELU_TANH,
                 .norm_epsilon = 1e-6,
                 .positions = PT_ROTARY,
                 .n_positions = 8192,
                 .rope = {.theta = 10000, .fraction = 1},
                 .qkv_layout = PT_QKV_BLOCKS,
                 .tied_head = true},
    .fields = fields,
};
