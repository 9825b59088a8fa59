/*
 * Rows are turned independently, all heads of a row by one thread, so that its cosines are read once.
 */
#include "math/rotary.h"

#include "base/profile.h"
#include "math/kernels.h"

static void turn(const struct pt_rotary_table *table, const uint32_t *positions, size_t n_rows,
                 size_t n_heads, const struct pt_heads *x, float direction)
{
    const struct pt_kernels *kernels = pt_kernels();
    const size_t half = table->rotary_dim / 2;
#pragma omp parallel for schedule(static) if (n_rows > 1)
    for (size_t i = 0; i < n_rows; i++) {
        const size_t at = positions[i] * half;
        for (size_t h = 0; h < n_heads; h++) {
            float *head = pt_head(x, i, h);
            kernels->rotate(half, direction, table->cos + at, table->sin + at, head, head + half);
        }
    }
}

void pt_rotary_forward(const struct pt_rotary_table *table, const uint32_t *positions, size_t n_rows,
                       size_t n_heads, struct pt_heads x)
{
    PT_PROFILED(PT_PART_ROTARY, PT_FORWARD, 2 * n_rows * n_heads * table->rotary_dim * sizeof(float));
    turn(table, positions, n_rows, n_heads, &x, 1.0f);
}

void pt_rotary_backward(const struct pt_rotary_table *table, const uint32_t *positions, size_t n_rows,
                        size_t n_heads, struct pt_heads dx)
{
    PT_PROFILED(PT_PART_ROTARY, PT_BACKWARD, 2 * n_rows * n_heads * table->rotary_dim * sizeof(float));
    turn(table, positions, n_rows, n_heads, &dx, -1.0f);
}
