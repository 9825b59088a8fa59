/*
 * Elementwise work, in pieces that fit the first-level cache.
 */
#include "math/activation.h"

#include "base/profile.h"
#include "math/kernels.h"

enum { PIECE = 4096, COLUMN_PIECE = 256 };

static size_t piece_at(size_t i, size_t n)
{
    return n - i < PIECE ? n - i : PIECE;
}

void pt_activation_forward(enum pt_activation kind, size_t n, const float *x, float *y)
{
    PT_PROFILED(PT_PART_ACTIVATION, PT_FORWARD, 2 * n * sizeof(float));
    const struct pt_kernels *kernels = pt_kernels();
#pragma omp parallel for schedule(static) if (n > PIECE)
    for (size_t i = 0; i < n; i += PIECE)
        kernels->activation_forward(kind, piece_at(i, n), x + i, y + i);
}

void pt_activation_backward(enum pt_activation kind, size_t n, const float *x, const float *dy, float *dx)
{
    PT_PROFILED(PT_PART_ACTIVATION, PT_BACKWARD, 3 * n * sizeof(float));
    const struct pt_kernels *kernels = pt_kernels();
#pragma omp parallel for schedule(static) if (n > PIECE)
    for (size_t i = 0; i < n; i += PIECE)
        kernels->activation_backward(kind, piece_at(i, n), x + i, dy + i, dx + i);
}

void pt_gated_forward(enum pt_activation kind, size_t m, size_t n, const float *gate, const float *up,
                      size_t ld, float *y, size_t ldy)
{
    PT_PROFILED(PT_PART_ACTIVATION, PT_FORWARD, 3 * m * n * sizeof(float));
    const struct pt_kernels *kernels = pt_kernels();
#pragma omp parallel for schedule(static) if (m > 1)
    for (size_t i = 0; i < m; i++)
        kernels->gated_forward(kind, n, gate + i * ld, up + i * ld, y + i * ldy);
}

void pt_gated_backward(enum pt_activation kind, size_t m, size_t n, const float *gate, const float *up,
                       size_t ld, const float *dy, size_t ldy, float *dgate, float *dup, size_t ldd)
{
    PT_PROFILED(PT_PART_ACTIVATION, PT_BACKWARD, 5 * m * n * sizeof(float));
    const struct pt_kernels *kernels = pt_kernels();
#pragma omp parallel for schedule(static) if (m > 1)
    for (size_t i = 0; i < m; i++)
        kernels->gated_backward(kind, n, gate + i * ld, up + i * ld, dy + i * ldy, dgate + i * ldd,
                                dup + i * ldd);
}

void pt_add(size_t n, const float *x, float *y)
{
    pt_add_scaled(n, 1.0f, x, y);
}

void pt_add_scaled(size_t n, float scale, const float *x, float *y)
{
    PT_PROFILED(PT_PART_RESIDUAL, PT_FORWARD, 3 * n * sizeof(float));
    const struct pt_kernels *kernels = pt_kernels();
#pragma omp parallel for schedule(static) if (n > PIECE)
    for (size_t i = 0; i < n; i += PIECE)
        kernels->add_scaled(piece_at(i, n), scale, x + i, y + i);
}

void pt_column_sums(size_t m, size_t n, const float *x, size_t ldx, float *sums)
{
    const struct pt_kernels *kernels = pt_kernels();
#pragma omp parallel for schedule(static)
    for (size_t j = 0; j < n; j += COLUMN_PIECE) {
        size_t columns = n - j < COLUMN_PIECE ? n - j : COLUMN_PIECE;
        for (size_t i = 0; i < m; i++)
            kernels->add_scaled(columns, 1.0f, x + i * ldx + j, sums + j);
    }
}
