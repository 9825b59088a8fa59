/*
 * Activations and their derivatives, and the small elementwise operations between products. All threaded over
 * fixed pieces.
 *
 *     PT_GELU_TANH  0.5 x (1 + tanh(0.79788456 x (1 + 0.044715 x²))): transformers' "gelu_new", "gelu_fast"
 *                   and "gelu_pytorch_tanh" and BLOOM's own, whose constants are the same f32
 *     PT_GELU       x Φ(x) with Φ of the normal distribution, as from erf: "gelu", "gelu_python"
 *     PT_SILU       x / (1 + exp(-x)): "silu", "swish"
 *     PT_RELU       max(x, 0), derivative 0 at 0: "relu"
 *
 * Values are within 3e-7 of max(1, |x|), derivatives within 1e-6. What is not a number stays so.
 */
#ifndef PT_MATH_ACTIVATION_H
#define PT_MATH_ACTIVATION_H

#include <stddef.h>

enum pt_activation { PT_GELU_TANH, PT_GELU, PT_SILU, PT_RELU };

void pt_activation_forward(enum pt_activation kind, size_t n, const float *x, float *y); /* y may be x */
/* dx = dy * f'(x); dx may be dy. */
void pt_activation_backward(enum pt_activation kind, size_t n, const float *x, const float *dy, float *dx);

/*
 * Gated: y = f(gate) * up, all [m, n]; rows of gate and up are ld floats apart (two matrices side by side:
 * 2n), those of y ldy. y may be gate or up where ldy = ld.
 */
void pt_gated_forward(enum pt_activation kind, size_t m, size_t n, const float *gate, const float *up,
                      size_t ld, float *y, size_t ldy);
/* dgate = dy * up * f'(gate), dup = dy * f(gate), whose rows are ldd apart. They may be gate and up where ldd
 * = ld, and one of them dy where ldd = ldy. */
void pt_gated_backward(enum pt_activation kind, size_t m, size_t n, const float *gate, const float *up,
                       size_t ld, const float *dy, size_t ldy, float *dgate, float *dup, size_t ldd);

void pt_add(size_t n, const float *x, float *y);                     /* y += x */
void pt_add_scaled(size_t n, float scale, const float *x, float *y); /* y += scale x */
/* sums [n] += the columns' sums of x [m, n], rows in order. */
void pt_column_sums(size_t m, size_t n, const float *x, size_t ldx, float *sums);

#endif
