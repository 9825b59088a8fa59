/*
 * Normalisation over the last dimension. PT_LAYER_NORM: (x - mean) / sqrt(biased variance + eps) * weight +
 * bias. mean and rstd [m] are what the backward needs beside x; NULL where no backward follows.
 */
#ifndef PT_MATH_NORM_H
#define PT_MATH_NORM_H

#include <stdbool.h>
#include <stddef.h>

enum pt_norm_kind { PT_LAYER_NORM };

void pt_norm_forward(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *weight,
                     const float *bias, float eps, float *y, float *mean, float *rstd);
/* dx = gradient through the norm, or += where `add` is set. dx may be dy. */
void pt_norm_backward(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *mean,
                      const float *rstd, const float *weight, const float *dy, bool add, float *dx);
/* dweight [n] += and dbias [n] +=, either may be NULL. */
void pt_norm_weight_gradient(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *mean,
                             const float *rstd, const float *dy, float *dweight, float *dbias);

#endif
