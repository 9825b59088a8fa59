/*
 * LLaMA (transformers, models/llama): rotary positions of every kind in rope.h, grouped heads of keys and
 * values, RMS norms, a gated MLP, no biases.
 */
#include "model/family.h"
#include "model/llama_names.h"

static const struct pt_config_field fields[] = {
    PT_LLAMA_FIELDS,
    PT_CONFIG_ACTIVATIONS("hidden_act", "\"silu\""),
    PT_CONFIG_ONE_OF("partial_rotary_factor", "1 1.0"),
    PT_CONFIG_ONE_OF("rope_interleaved", "false"),
    PT_CONFIG_OTHER("is_llama_config", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("max_sequence_length", PT_CONFIG_HARMLESS),
    {0},
};

const struct pt_family pt_family_llama = {
    .model_type = "llama",
    .architectures = {"LlamaForCausalLM", "LlamaModel"},
    .prefixes = {"model."},
    .names = {PT_LLAMA_NAMES, PT_LLAMA_MLP_NORM},
    .buffers = PT_LLAMA_BUFFERS,
    .norm = PT_RMS_NORM,
    .defaults = {.activation = PT_SILU,
                 .norm_epsilon = 1e-6,
                 .positions = PT_ROTARY,
                 .n_positions = 2048,
                 .rope = {.theta = 10000, .fraction = 1},
                 .qkv_layout = PT_QKV_BLOCKS},
    .fields = fields,
};
