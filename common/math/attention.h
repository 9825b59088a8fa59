/*
 * Causal attention over ragged segments whose keys may come from several places: rows put in front of a layer
 * by a method, the shared rows of the prompt, a cache, and the segment's own rows. No score matrix is kept
 * between forward and backward.
 */
#ifndef PT_MATH_ATTENTION_H
#define PT_MATH_ATTENTION_H

#include "base/error.h"
#include "math/heads.h"
#include "math/math.h"

#include <stddef.h>

/* n_kv_heads divides n_heads: query head h reads key head h / (n_heads / n_kv_heads). */
struct pt_attention_shape {
    size_t n_heads, n_kv_heads, head_dim;
    float scale;               /* on q·k */
    const float *alibi_slopes; /* [n_heads], or NULL: score += slope * (key position - query position) */
    float soft_cap;            /* 0: none; else score = soft_cap * tanh(scale * q·k / soft_cap) */
    size_t window;             /* 0: none; else a query sees only the last `window` keys, its own included */
};

struct pt_key_block {
    struct pt_heads k, v;
    struct pt_heads dk, dv; /* backward only: gradients are added here; data NULL where nobody needs them */
    size_t n_rows;
};

enum { PT_KEY_BLOCKS = 3 };

/*
 * Rows first_query .. first_query + n_queries of the query, output and gradient matrices. Their keys are the
 * blocks in order; key positions count through all of them. The queries' own keys are the last n_queries rows
 * of the last block, which is the segment's own (its rows are in no other segment's last block; the blocks in
 * front of it may be shared): query i sees every key up to and including its own, within the window.
 */
struct pt_segment {
    size_t first_query, n_queries;
    size_t n_blocks;
    struct pt_key_block blocks[PT_KEY_BLOCKS];
};

/* Products are in bf16 where `math` computes in one term of bf16 in tiles and heads are no wider than 1024;
 * else, where it is NULL, and for the few queries of a segment that is being decoded, in f32.
 * out (like q) = softmax(scores) v; log_sums [all rows, n_heads] (may be NULL) keeps the log of each row's
 * sum for the backward. */
int pt_attention_forward(const struct pt_math *math, const struct pt_attention_shape *shape,
                         const struct pt_segment *segments, size_t n_segments, struct pt_heads q,
                         struct pt_heads out, float *log_sums, struct pt_error *err) PT_MUST_USE;
/* dq is written; the blocks' dk and dv are added to, in an order that depends on nothing but the shapes. */
int pt_attention_backward(const struct pt_math *math, const struct pt_attention_shape *shape,
                          const struct pt_segment *segments, size_t n_segments, struct pt_heads q,
                          struct pt_heads dout, const float *log_sums, struct pt_heads dq,
                          struct pt_error *err) PT_MUST_USE;

/* ALiBi's slopes [n_heads] (Press et al. 2022; transformers, build_alibi_tensor), any number of heads. */
void pt_alibi_slopes(size_t n_heads, float *slopes);

#endif
