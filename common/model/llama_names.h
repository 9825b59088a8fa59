/*
 * The tensor names that LLaMA and the families after it share.
 */
#ifndef PT_MODEL_LLAMA_NAMES_H
#define PT_MODEL_LLAMA_NAMES_H

#define PT_LLAMA_NAMES                                                                             \
    [PT_EMBEDDING] = "embed_tokens.weight", [PT_FINAL_NORM_WEIGHT] = "norm.weight",                \
    [PT_HEAD] = "lm_head.weight", [PT_ATTENTION_NORM_WEIGHT] = "layers.%u.input_layernorm.weight", \
    [PT_Q_WEIGHT] = "layers.%u.self_attn.q_proj.weight",                                           \
    [PT_K_WEIGHT] = "layers.%u.self_attn.k_proj.weight",                                           \
    [PT_V_WEIGHT] = "layers.%u.self_attn.v_proj.weight",                                           \
    [PT_ATTENTION_OUT_WEIGHT] = "layers.%u.self_attn.o_proj.weight",                               \
    [PT_MLP_GATE_WEIGHT] = "layers.%u.mlp.gate_proj.weight",                                       \
    [PT_MLP_UP_WEIGHT] = "layers.%u.mlp.up_proj.weight",                                           \
    [PT_MLP_DOWN_WEIGHT] = "layers.%u.mlp.down_proj.weight"

/* In all but those that norm attention's output as well. */
#define PT_LLAMA_MLP_NORM [PT_MLP_NORM_WEIGHT] = "layers.%u.post_attention_layernorm.weight"

/* Those that do. */
#define PT_GEMMA_NORMS                                                            \
    [PT_ATTENTION_OUT_NORM_WEIGHT] = "layers.%u.post_attention_layernorm.weight", \
    [PT_MLP_NORM_WEIGHT] = "layers.%u.pre_feedforward_layernorm.weight",          \
    [PT_MLP_OUT_NORM_WEIGHT] = "layers.%u.post_feedforward_layernorm.weight"

#define PT_LLAMA_BUFFERS                                                 \
    {                                                                    \
        "layers.%u.self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq" \
    }

/* Fields of config.json. */
#define PT_LLAMA_FIELDS                                                                                      \
    PT_CONFIG_FIELD("hidden_size", PT_CONFIG_SIZE, hidden_size),                                             \
        PT_CONFIG_FIELD("num_hidden_layers", PT_CONFIG_SIZE, n_layers),                                      \
        PT_CONFIG_FIELD("num_attention_heads", PT_CONFIG_SIZE, n_heads),                                     \
        PT_CONFIG_FIELD("num_key_value_heads", PT_CONFIG_SIZE_OR_NONE, n_kv_heads),                          \
        PT_CONFIG_FIELD("head_dim", PT_CONFIG_SIZE, head_dim),                                               \
        PT_CONFIG_FIELD("intermediate_size", PT_CONFIG_SIZE, intermediate_size),                             \
        PT_CONFIG_FIELD("max_position_embeddings", PT_CONFIG_SIZE, n_positions),                             \
        PT_CONFIG_FIELD("rms_norm_eps", PT_CONFIG_NUMBER, norm_epsilon),                                     \
        PT_CONFIG_FIELD("rope_theta", PT_CONFIG_NUMBER, rope.theta),                                         \
        PT_CONFIG_OTHER("rope_scaling", PT_CONFIG_READ), PT_CONFIG_OTHER("rope_parameters", PT_CONFIG_READ), \
        PT_CONFIG_ONE_OF("attention_bias", "false"), PT_CONFIG_ONE_OF("mlp_bias", "false")

#endif
