/*
 * Rows are normed independently, a few at a time by each thread.
 */
#include "math/norm.h"

#include "math/kernels.h"

enum { COLUMN_PIECE = 256 };

void pt_norm_forward(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *weight,
                     const float *bias, float eps, float *y, float *mean, float *rstd)
{
    (void)kind; /* there is one */
    const struct pt_kernels *kernels = pt_kernels();
#pragma omp parallel for schedule(static) if (m > 1)
    for (size_t i = 0; i < m; i++) {
        float row_mean, row_rstd;
        kernels->layer_norm_forward(n, x + i * n, weight, bias, eps, y + i * n, &row_mean, &row_rstd);
        if (mean)
            mean[i] = row_mean;
        if (rstd)
            rstd[i] = row_rstd;
    }
}

void pt_norm_backward(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *mean,
                      const float *rstd, const float *weight, const float *dy, bool add, float *dx)
{
    (void)kind;
    const struct pt_kernels *kernels = pt_kernels();
#pragma omp parallel for schedule(static) if (m > 1)
    for (size_t i = 0; i < m; i++)
        kernels->layer_norm_backward(n, x + i * n, mean[i], rstd[i], weight, dy + i * n, add, dx + i * n);
}

void pt_norm_weight_gradient(enum pt_norm_kind kind, size_t m, size_t n, const float *x, const float *mean,
                             const float *rstd, const float *dy, float *dweight, float *dbias)
{
    (void)kind;
    const struct pt_kernels *kernels = pt_kernels();
#pragma omp parallel for schedule(static)
    for (size_t j = 0; j < n; j += COLUMN_PIECE) {
        size_t columns = n - j < COLUMN_PIECE ? n - j : COLUMN_PIECE;
        for (size_t i = 0; i < m; i++)
            kernels->layer_norm_weights(columns, x + i * n + j, mean[i], rstd[i], dy + i * n + j,
                                        dweight ? dweight + j : NULL, dbias ? dbias + j : NULL);
    }
}
