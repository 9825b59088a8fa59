/*
 * Rotary position embedding (Su et al. 2021) in the layout of transformers' rotate_half: element j of a head
 * is turned together with element j + rotary_dim / 2; elements from rotary_dim on stay as they are.
 */
#ifndef PT_MATH_ROTARY_H
#define PT_MATH_ROTARY_H

#include "math/heads.h"

#include <stdint.h>

/* Cosines and sines of the angles, times whatever factor the kind of embedding puts on them. */
struct pt_rotary_table {
    size_t rotary_dim;      /* even, at most the heads' dimension */
    const float *cos, *sin; /* [positions, rotary_dim / 2] borrowed */
};

/* Turns all heads of row i by the angles of positions[i], in place:
 *     x[j], x[j + half] = x[j] cos[j] - x[j + half] sin[j], x[j + half] cos[j] + x[j] sin[j] */
void pt_rotary_forward(const struct pt_rotary_table *table, const uint32_t *positions, size_t n_rows,
                       size_t n_heads, struct pt_heads x);
/* The transpose, which takes the gradient of the result to that of x, in place. */
void pt_rotary_backward(const struct pt_rotary_table *table, const uint32_t *positions, size_t n_rows,
                        size_t n_heads, struct pt_heads dx);

#endif
