/*
 * Normalisation over the last dimension:
 *
 *     PT_LAYER_NORM: (x - mean) / sqrt(biased variance + eps) * weight + bias
 *     PT_RMS_NORM:   x / sqrt(mean of x² + eps) * weight + bias
 *
 * Weight and bias [n] may be NULL: 1 and 0. (Families that multiply by 1 + weight hand over that sum.) mean
 * and rstd are what the backward needs beside x, one value a normed row; both may be NULL where no backward
 * follows. The RMS norm's mean counts as 0: it is not written and not read. A layer norm whose variance
 * overflows f32 is NaN, as PyTorch's is; an RMS norm then is its bias.
 */
#ifndef PT_MATH_NORM_H
#define PT_MATH_NORM_H

#include "math/heads.h"

#include <stdbool.h>
#include <stddef.h>

enum pt_norm_kind { PT_LAYER_NORM, PT_RMS_NORM };

/* Each row of x [m, n]; y may be x. */
void pt_norm_forward(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *weight,
                     const float *bias, float eps, float *y, float *mean, float *rstd);
/* dx = gradient through the norm, or += where `add` is set. dx may be dy. */
void pt_norm_backward(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *mean,
                      const float *rstd, const float *weight, const float *dy, bool add, float *dx);
/* dweight [n] += and dbias [n] +=, either may be NULL. */
void pt_norm_weight_gradient(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *mean,
                             const float *rstd, const float *dy, float *dweight, float *dbias);

/* The same over each head (of n elements) of m rows, with one weight and bias [n] for all heads; mean and
 * rstd [m, n_heads]. */
void pt_norm_heads_forward(enum pt_norm_kind kind, size_t m, size_t n_heads, size_t n, struct pt_heads x,
                           const float *weight, const float *bias, float eps, struct pt_heads y, float *mean,
                           float *rstd);
void pt_norm_heads_backward(enum pt_norm_kind kind, size_t m, size_t n_heads, size_t n, struct pt_heads x,
                            const float *mean, const float *rstd, const float *weight, struct pt_heads dy,
                            bool add, struct pt_heads dx);
void pt_norm_heads_weight_gradient(enum pt_norm_kind kind, size_t m, size_t n_heads, size_t n,
                                   struct pt_heads x, const float *mean, const float *rstd,
                                   struct pt_heads dy, float *dweight, float *dbias);

#endif
