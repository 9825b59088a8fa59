/*
 * Attention of segments with few queries (decoding): every key and value is read once, where it lies. Inside
 * of `math` only.
 */
#ifndef PT_MATH_ATTENTION_DECODE_H
#define PT_MATH_ATTENTION_DECODE_H

#include "math/attention.h"

#include <stdbool.h>

/* Whether copying the keys together would cost more than it saves. */
bool pt_attention_is_decoding(const struct pt_attention_shape *shape, const struct pt_segment *segment);

/* All such segments; the others are left out. As pt_attention_forward. */
int pt_attention_decode(const struct pt_attention_shape *shape, const struct pt_segment *segments,
                        size_t n_segments, struct pt_heads q, struct pt_heads out, float *log_sums,
                        struct pt_error *err) PT_MUST_USE;

#endif
