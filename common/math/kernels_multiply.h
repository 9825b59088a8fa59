/*
 * Products of packed matrices: blocks of PT_BLOCK_ROWS x 4 (2 for 16 registers) vectors of c stay in
 * registers while the steps run; words of `a` are broadcast, rows of `b` are loaded. Included once by each
 * instruction set's file.
 */
#ifndef PT_MATH_KERNELS_MULTIPLY_H
#define PT_MATH_KERNELS_MULTIPLY_H

#include "math/kernels.h"
#include "math/kernels_words.h"
#include "math/simd.h"

#if defined __AVX512F__
enum { BLOCK_VECTORS = 4 };
#else
enum { BLOCK_VECTORS = 2 };
#endif

/* The part of a vector that lies inside n columns. */
PT_INLINE void store_sum(float *c, vfloat sum, size_t n, bool add)
{
    if (n >= LANES)
        v_store(c, add ? v_load(c) + sum : sum);
    else if (n)
        v_store_part(c, add ? v_load_part(c, n) + sum : sum, n);
}

/* Every index is a constant: a sum that is looked up by a variable has to be in memory all the while. */
PT_INLINE void store_block(int rows, int vectors, const vfloat (*sums)[BLOCK_VECTORS], float *c, size_t ldc,
                           size_t n, bool add)
{
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            store_sum(c + (size_t)i * ldc + v * LANES, sums[i][v],
                      n > (size_t)v * LANES ? n - (size_t)v * LANES : 0, add);
}

PT_INLINE void multiply_block(int rows, int vectors, bool pairs, size_t n, size_t n_steps, struct pt_left a,
                              const float *b, size_t ldb, float *c, size_t ldc, bool add)
{
    vfloat sums[PT_BLOCK_ROWS][BLOCK_VECTORS];
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) {
            sums[i][v] = v_set(0);
            __builtin_prefetch(c + (size_t)i * ldc + v * LANES, 1); /* wanted when the steps have run */
        }
#pragma GCC unroll 2
    for (size_t step = 0; step < n_steps; step++) {
        vfloat right[BLOCK_VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            right[v] = v_load(b + step * ldb + v * LANES);
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            vfloat left = v_set_word(a.data + (size_t)i * a.row + step * a.step);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sums[i][v] = pairs ? v_dot_pairs(sums[i][v], left, right[v]) : sums[i][v] + left * right[v];
        }
    }
    if (n == (size_t)vectors * LANES)
        store_block(rows, vectors, sums, c, ldc, (size_t)vectors * LANES, add);
    else
        store_block(rows, vectors, sums, c, ldc, n, add);
}

/* All rows of `vectors` vectors of columns. */
PT_INLINE void multiply_columns(int vectors, bool pairs, size_t m, size_t n, size_t n_steps, struct pt_left a,
                                const float *b, size_t ldb, float *c, size_t ldc, bool add)
{
    while (m) {
        size_t rows = m >= 6 ? 6 : m >= 4 ? 4 : m >= 2 ? 2 : 1;
        switch (rows) {
        case 6:
            multiply_block(6, vectors, pairs, n, n_steps, a, b, ldb, c, ldc, add);
            break;
        case 4:
            multiply_block(4, vectors, pairs, n, n_steps, a, b, ldb, c, ldc, add);
            break;
        case 2:
            multiply_block(2, vectors, pairs, n, n_steps, a, b, ldb, c, ldc, add);
            break;
        default:
            multiply_block(1, vectors, pairs, n, n_steps, a, b, ldb, c, ldc, add);
        }
        a.data += rows * a.row;
        c += rows * ldc;
        m -= rows;
    }
}

PT_INLINE void multiply_all(bool pairs, size_t m, size_t n, size_t n_steps, struct pt_left a, const float *b,
                            size_t ldb, float *c, size_t ldc, bool add)
{
    const size_t wide = BLOCK_VECTORS * LANES;
    while (n) {
        size_t columns = n > wide - LANES ? wide : LANES;
        size_t part = n < columns ? n : columns;
        if (columns == wide)
            multiply_columns(BLOCK_VECTORS, pairs, m, part, n_steps, a, b, ldb, c, ldc, add);
        else
            multiply_columns(1, pairs, m, part, n_steps, a, b, ldb, c, ldc, add);
        b += part;
        c += part;
        n -= part;
    }
}

/* Makes the unit stride a constant, so that each way of reading `a` gets its own code. */
PT_INLINE void multiply_words(bool pairs, size_t m, size_t n, size_t n_steps, struct pt_left a,
                              const float *b, size_t ldb, float *c, size_t ldc, bool add)
{
    if (a.step == 1)
        multiply_all(pairs, m, n, n_steps, (struct pt_left){a.data, a.row, 1}, b, ldb, c, ldc, add);
    else
        multiply_all(pairs, m, n, n_steps, (struct pt_left){a.data, 1, a.step}, b, ldb, c, ldc, add);
}

static void multiply(size_t m, size_t n, size_t n_steps, struct pt_left a, const float *b, size_t ldb,
                     float *c, size_t ldc, bool add)
{
    multiply_words(false, m, n, n_steps, a, b, ldb, c, ldc, add);
}

static void multiply_pairs(size_t m, size_t n, size_t n_steps, struct pt_left a, const float *b, size_t ldb,
                           float *c, size_t ldc, bool add)
{
    multiply_words(true, m, n, n_steps, a, b, ldb, c, ldc, add);
}

#endif
