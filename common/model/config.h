/*
 * A model's shape, read from config.json. A family is a row in a table (family.h); the loop over layers is
 * one for all.
 */
#ifndef PT_MODEL_CONFIG_H
#define PT_MODEL_CONFIG_H

#include "math/activation.h"
#include "model/rope.h"

struct pt_family;

enum { PT_MOST_LAYERS = 1024 };

/*
 * How a row's place in its sequence, which counts from the first row in front, comes into the numbers.
 * PT_ALIBI: a penalty on scores that grows with the distance. PT_LEARNED: a row of a table, added to the
 * input. PT_ROTARY: q and k are turned by angles that grow with the place.
 */
enum pt_positions { PT_ALIBI, PT_LEARNED, PT_ROTARY };

/*
 * How q, k and v lie in a row of the projection's output. PT_QKV_BY_HEAD: for each head its q, k and v follow
 * one another (n_kv_heads = n_heads). PT_QKV_BLOCKS: all of q, all of k, all of v. PT_QKV_BY_GROUP: for each
 * head of keys the q of its heads, then its k and its v.
 */
enum pt_qkv_layout { PT_QKV_BY_HEAD, PT_QKV_BLOCKS, PT_QKV_BY_GROUP };

struct pt_config {
    const struct pt_family *family;
    char model_type[32];
    uint64_t hidden_size;
    uint64_t n_layers;
    uint64_t n_heads, n_kv_heads, head_dim;
    uint64_t intermediate_size;
    enum pt_activation activation;
    uint64_t vocab_size;
    double norm_epsilon;
    double embedding_scale; /* on the embedding's rows, not on those in front; 0: none */

    enum pt_positions positions;
    bool alibi_scaled;        /* Falcon's: slopes are rounded to bf16 and divided like the scores */
    uint64_t n_positions;     /* max_position_embeddings, a bound where positions are learned; 0: not said */
    uint64_t position_offset; /* rows of the learned table in front of position 0's */
    struct pt_rope rope, local_rope; /* of layers that see everything, and of local ones */

    enum pt_qkv_layout qkv_layout;
    double score_divisor; /* scores are q·k / sqrt(this); 0: head_dim */
    double score_cap;     /* soft cap on scores; 0: none */
    uint64_t window;  /* keys that a query of a local layer sees, its own included; 0: no layer is local */
    bool uses_window; /* Qwen's use_sliding_window */
    uint64_t first_local;       /* layers in front of this one are not local */
    uint64_t full_period;       /* nor is the last one of so many; 0: all the others are */
    bool local[PT_MOST_LAYERS]; /* whether a layer is local */

    bool residual_after_norm; /* BLOOM's apply_residual_connection_post_layernorm */
    bool norm_behind;         /* the norm of each half stands behind the sum with the residual */
    bool parallel;            /* attention and MLP read the same stream, and both are added to it */

    double dropout; /* the largest share that training would drop somewhere; nothing is dropped here */

    bool tied_head;
    double logit_cap;               /* soft cap on logits; 0: none */
    uint64_t absent_roles;          /* bits 1 << role: what the family may have and this model has not */
    int64_t bos_id, eos_id, pad_id; /* -1 where there is none; of a list of end-of-sequence ids the first */
};

/*
 * `name` is the file's, for messages. PT_MISMATCH names what is not supported (another architecture, a field
 * that changes the numbers, a field that is not known); PT_BAD_INPUT what is malformed.
 */
int pt_config_parse(struct pt_config *config, const json_t *object, const char *name,
                    struct pt_error *err) PT_MUST_USE;

/* Numbers of elements that follow from the shape. */
uint64_t pt_config_q_size(const struct pt_config *config);   /* n_heads * head_dim */
uint64_t pt_config_kv_size(const struct pt_config *config);  /* n_kv_heads * head_dim */
uint64_t pt_config_qkv_size(const struct pt_config *config); /* a row of q, k and v */
bool pt_config_is_gated(const struct pt_config *config);     /* the MLP is down(act(gate(x)) * up(x)) */
uint64_t pt_config_up_size(const struct pt_config *config);  /* a row of the MLP before its activation */

#endif
