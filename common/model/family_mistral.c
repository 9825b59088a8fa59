/*
 * Mistral (transformers, models/mistral): LLaMA with a window on all layers or none.
 */
#include "model/family.h"
#include "model/llama_names.h"

static const struct pt_config_field fields[] = {
    PT_LLAMA_FIELDS,
    PT_CONFIG_ACTIVATIONS("hidden_act", "\"silu\""),
    PT_CONFIG_FIELD("sliding_window", PT_CONFIG_SIZE_OR_NONE, window),
    PT_CONFIG_OTHER("layer_types", PT_CONFIG_READ),
    {0},
};

const struct pt_family pt_family_mistral = {
    .model_type = "mistral",
    .architectures = {"MistralForCausalLM", "MistralModel"},
    .prefixes = {"model."},
    .names = {PT_LLAMA_NAMES, PT_LLAMA_MLP_NORM},
    .buffers = PT_LLAMA_BUFFERS,
    .norm = PT_RMS_NORM,
    .defaults = {.n_kv_heads = 8,
                 .activation = PT_SILU,
                 .norm_epsilon = 1e-6,
                 .positions = PT_ROTARY,
                 .n_positions = 131072,
                 .rope = {.theta = 10000, .fraction = 1},
                 .qkv_layout = PT_QKV_BLOCKS,
                 .window = 4096,
                 .uses_window = true},
    .fields = fields,
};
