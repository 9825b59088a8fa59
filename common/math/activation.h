/*
 * Activations and their derivatives, and the small elementwise operations between products. All threaded over
 * fixed pieces. PT_GELU_TANH is BLOOM's: 0.5 x (1 + tanh(0.79788456 x (1 + 0.044715 x²))) (transformers,
 * models/bloom/modeling_bloom.py).
 */
#ifndef PT_MATH_ACTIVATION_H
#define PT_MATH_ACTIVATION_H

#include <stddef.h>

enum pt_activation { PT_GELU_TANH };

void pt_activation_forward(enum pt_activation kind, size_t n, const float *x, float *y); /* y may be x */
/* dx = dy * f'(x); dx may be dy. */
void pt_activation_backward(enum pt_activation kind, size_t n, const float *x, const float *dy, float *dx);

void pt_add(size_t n, const float *x, float *y); /* y += x */
/* sums [n] += the columns' sums of x [m, n], rows in order. */
void pt_column_sums(size_t m, size_t n, const float *x, size_t ldx, float *sums);

#endif
