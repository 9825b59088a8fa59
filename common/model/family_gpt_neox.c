/*
 * GPT-NeoX and Pythia (transformers, models/gpt_neox): rotary positions on a part of each head, fused q, k, v
 * by head, attention and MLP parallel or one after the other.
 */
#include "model/family.h"

static const struct pt_config_field fields[] = {
    PT_CONFIG_FIELD("hidden_size", PT_CONFIG_SIZE, hidden_size),
    PT_CONFIG_FIELD("num_hidden_layers", PT_CONFIG_SIZE, n_layers),
    PT_CONFIG_FIELD("num_attention_heads", PT_CONFIG_SIZE, n_heads),
    PT_CONFIG_FIELD("intermediate_size", PT_CONFIG_SIZE, intermediate_size),
    PT_CONFIG_FIELD("max_position_embeddings", PT_CONFIG_SIZE, n_positions),
    PT_CONFIG_FIELD("layer_norm_eps", PT_CONFIG_NUMBER, norm_epsilon),
    PT_CONFIG_FIELD("use_parallel_residual", PT_CONFIG_SWITCH, parallel),
    PT_CONFIG_FIELD("rotary_pct", PT_CONFIG_NUMBER, rope.fraction),
    PT_CONFIG_FIELD("partial_rotary_factor", PT_CONFIG_NUMBER_AGAIN, rope.fraction),
    PT_CONFIG_FIELD("rotary_emb_base", PT_CONFIG_NUMBER, rope.theta),
    PT_CONFIG_FIELD("rope_theta", PT_CONFIG_NUMBER_AGAIN, rope.theta),
    PT_CONFIG_ACTIVATIONS("hidden_act", "\"gelu\" \"gelu_fast\""),
    PT_CONFIG_ONE_OF("attention_bias", "true"),
    PT_CONFIG_OTHER("rope_scaling", PT_CONFIG_READ),
    PT_CONFIG_OTHER("rope_parameters", PT_CONFIG_READ),
    PT_CONFIG_OTHER("attention_probs_dropout_prob", PT_CONFIG_DROPOUT),
    PT_CONFIG_OTHER("classifier_dropout", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("hidden_dropout_prob", PT_CONFIG_DROPOUT),
    {0},
};

const struct pt_family pt_family_gpt_neox = {
    .model_type = "gpt_neox",
    .architectures = {"GPTNeoXForCausalLM", "GPTNeoXModel"},
    .prefixes = {"gpt_neox."},
    .names =
        {
            [PT_EMBEDDING] = "embed_in.weight",
            [PT_FINAL_NORM_WEIGHT] = "final_layer_norm.weight",
            [PT_FINAL_NORM_BIAS] = "final_layer_norm.bias",
            [PT_HEAD] = "embed_out.weight",
            [PT_ATTENTION_NORM_WEIGHT] = "layers.%u.input_layernorm.weight",
            [PT_ATTENTION_NORM_BIAS] = "layers.%u.input_layernorm.bias",
            [PT_QKV_WEIGHT] = "layers.%u.attention.query_key_value.weight",
            [PT_QKV_BIAS] = "layers.%u.attention.query_key_value.bias",
            [PT_ATTENTION_OUT_WEIGHT] = "layers.%u.attention.dense.weight",
            [PT_ATTENTION_OUT_BIAS] = "layers.%u.attention.dense.bias",
            [PT_MLP_NORM_WEIGHT] = "layers.%u.post_attention_layernorm.weight",
            [PT_MLP_NORM_BIAS] = "layers.%u.post_attention_layernorm.bias",
            [PT_MLP_UP_WEIGHT] = "layers.%u.mlp.dense_h_to_4h.weight",
            [PT_MLP_UP_BIAS] = "layers.%u.mlp.dense_h_to_4h.bias",
            [PT_MLP_DOWN_WEIGHT] = "layers.%u.mlp.dense_4h_to_h.weight",
            [PT_MLP_DOWN_BIAS] = "layers.%u.mlp.dense_4h_to_h.bias",
        },
    .buffers = {"layers.%u.attention.bias", "layers.%u.attention.masked_bias",
                "layers.%u.attention.rotary_emb.inv_freq"},
    .norm = PT_LAYER_NORM,
    .plain_rope = true,
    .partial_rope = true,
    .defaults = {.activation = PT_GELU,
                 .norm_epsilon = 1e-5,
                 .positions = PT_ROTARY,
                 .n_positions = 2048,
                 .rope = {.theta = 10000, .fraction = 0.25},
                 .qkv_layout = PT_QKV_BY_HEAD,
                 .parallel = true},
    .fields = fields,
};
