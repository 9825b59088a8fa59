/*
 * Rows are normed independently, a few at a time by each thread. A plain matrix is one with a single head.
 */
#include "math/norm.h"

#include "base/profile.h"
#include "math/kernels.h"

enum { COLUMN_PIECE = 256 };

void pt_norm_heads_forward(enum pt_norm_kind kind, size_t m, size_t n_heads, size_t n, struct pt_heads x,
                           const float *weight, const float *bias, float eps, struct pt_heads y, float *mean,
                           float *rstd)
{
    PT_PROFILED(PT_PART_NORM, PT_FORWARD, 2 * m * n_heads * n * sizeof(float));
    const struct pt_kernels *kernels = pt_kernels();
    const bool centred = kind == PT_LAYER_NORM;
#pragma omp parallel for schedule(static) if (m > 1)
    for (size_t i = 0; i < m; i++)
        for (size_t h = 0; h < n_heads; h++) {
            float row_mean, row_rstd;
            kernels->norm_forward(centred, n, pt_head(&x, i, h), weight, bias, eps, pt_head(&y, i, h),
                                  &row_mean, &row_rstd);
            if (mean && centred)
                mean[i * n_heads + h] = row_mean;
            if (rstd)
                rstd[i * n_heads + h] = row_rstd;
        }
}

void pt_norm_heads_backward(enum pt_norm_kind kind, size_t m, size_t n_heads, size_t n, struct pt_heads x,
                            const float *mean, const float *rstd, const float *weight, struct pt_heads dy,
                            bool add, struct pt_heads dx)
{
    PT_PROFILED(PT_PART_NORM, PT_BACKWARD, (add ? 4 : 3) * m * n_heads * n * sizeof(float));
    const struct pt_kernels *kernels = pt_kernels();
    const bool centred = kind == PT_LAYER_NORM;
#pragma omp parallel for schedule(static) if (m > 1)
    for (size_t i = 0; i < m; i++)
        for (size_t h = 0; h < n_heads; h++) {
            size_t at = i * n_heads + h;
            kernels->norm_backward(centred, n, pt_head(&x, i, h), centred ? mean[at] : 0.0f, rstd[at], weight,
                                   pt_head(&dy, i, h), add, pt_head(&dx, i, h));
        }
}

void pt_norm_heads_weight_gradient(enum pt_norm_kind kind, size_t m, size_t n_heads, size_t n,
                                   struct pt_heads x, const float *mean, const float *rstd,
                                   struct pt_heads dy, float *dweight, float *dbias)
{
    PT_PROFILED(PT_PART_NORM, PT_BACKWARD, 2 * m * n_heads * n * sizeof(float));
    const struct pt_kernels *kernels = pt_kernels();
    const bool centred = kind == PT_LAYER_NORM;
#pragma omp parallel for schedule(static)
    for (size_t j = 0; j < n; j += COLUMN_PIECE) {
        size_t columns = n - j < COLUMN_PIECE ? n - j : COLUMN_PIECE;
        for (size_t i = 0; i < m; i++)
            for (size_t h = 0; h < n_heads; h++) {
                size_t at = i * n_heads + h;
                kernels->norm_weights(columns, pt_head(&x, i, h) + j, centred ? mean[at] : 0.0f, rstd[at],
                                      pt_head(&dy, i, h) + j, dweight ? dweight + j : NULL,
                                      dbias ? dbias + j : NULL);
            }
    }
}

static struct pt_heads one_head(const float *data, size_t n)
{
    return (struct pt_heads){(float *)data, n, n};
}

void pt_norm_forward(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *weight,
                     const float *bias, float eps, float *y, float *mean, float *rstd)
{
    pt_norm_heads_forward(kind, m, 1, n, one_head(x, n), weight, bias, eps, one_head(y, n), mean, rstd);
}

void pt_norm_backward(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *mean,
                      const float *rstd, const float *weight, const float *dy, bool add, float *dx)
{
    pt_norm_heads_backward(kind, m, 1, n, one_head(x, n), mean, rstd, weight, one_head(dy, n), add,
                           one_head(dx, n));
}

void pt_norm_weight_gradient(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *mean,
                             const float *rstd, const float *dy, float *dweight, float *dbias)
{
    pt_norm_heads_weight_gradient(kind, m, 1, n, one_head(x, n), mean, rstd, one_head(dy, n), dweight, dbias);
}
