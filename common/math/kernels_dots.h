/*
 * Products for which the right-hand matrix is used as it lies in memory, its rows along the contraction: four
 * of them (two where registers are few) meet up to PT_DOT_ROWS rows of x, and the lanes of each sum are added
 * up in the end. Included once by each instruction set's file.
 */
#ifndef PT_MATH_KERNELS_DOTS_H
#define PT_MATH_KERNELS_DOTS_H

#include "math/kernels.h"
#include "math/kernels_words.h"
#include "math/simd.h"

#if defined __AVX512F__
enum { DOT_SUMS = 24 };
#else
enum { DOT_SUMS = 12 };
#endif

/* A vector of words from `part` elements, LANES of f32 or 2 LANES of bf16 at most. */
PT_INLINE vfloat words_of(bool pairs, const char *from, enum pt_dtype dtype, size_t part)
{
    if (!pairs)
        return widen_some(from, dtype, part);
    char padded[2 * sizeof(vfloat)] = {0};
    if (part < 2 * LANES)
        from = memcpy(padded, from, part * element_bytes(dtype));
    if (dtype == PT_BF16)
        return v_load(from);
    return rounded_pairs(widen_some(from, dtype, LANES),
                         widen_some(from + LANES * element_bytes(dtype), dtype, LANES));
}

/* One vector of each row, from element p on. */
PT_INLINE void dots_step(size_t rows, size_t columns, bool pairs, enum pt_dtype dtype,
                         const struct pt_dots *d, const char *const fetch[PT_DOT_COLUMNS], size_t p,
                         size_t part, vfloat sums[PT_DOT_ROWS][PT_DOT_COLUMNS])
{
    const char *w = (const char *)d->w + p * element_bytes(dtype);
    const float *x = d->x + (pairs ? p / 2 : p);
    vfloat right[PT_DOT_COLUMNS];
#pragma GCC unroll 4
    for (size_t j = 0; j < columns; j++) {
        right[j] = words_of(pairs, w + j * d->w_row, dtype, part);
        __builtin_prefetch(fetch[j] + p * element_bytes(dtype), 0, 2);
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
        vfloat left = v_loaded(load_some(x + i * d->ldx, pairs ? (part + 1) / 2 : part));
#pragma GCC unroll 4
        for (size_t j = 0; j < columns; j++)
            sums[i][j] = pairs ? v_dot_pairs(sums[i][j], left, right[j]) : sums[i][j] + left * right[j];
    }
}

PT_INLINE void dots_block(size_t rows, size_t columns, bool pairs, enum pt_dtype dtype,
                          const struct pt_dots *d)
{
    const size_t step = pairs ? 2 * LANES : LANES, whole = d->k / step * step;
    vfloat sums[PT_DOT_ROWS][PT_DOT_COLUMNS] = {0};
    /* Rows of y lie far apart: what is written in the end is on its way meanwhile. */
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++)
        __builtin_prefetch(d->y + i * d->ldy, 1, 3);
    /* Where nothing is to be fetched stands what is at hand: it costs less than a branch. */
    const char *fetch[PT_DOT_COLUMNS];
#pragma GCC unroll 4
    for (size_t j = 0; j < columns; j++)
        fetch[j] = (const char *)d->w + j * d->w_row + (d->fetched >> j & 1 ? d->ahead : 0);
    for (size_t p = 0; p < whole; p += step)
        dots_step(rows, columns, pairs, dtype, d, fetch, p, step, sums);
    if (whole < d->k)
        dots_step(rows, columns, pairs, dtype, d, fetch, whole, d->k - whole, sums);
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++) {
        vfloat4 all = v_sums(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
        float *y = d->y + i * d->ldy;
        const float *start = d->bias ? d->bias : d->add ? y : NULL;
#pragma GCC unroll 4
        for (size_t j = 0; j < columns; j++)
            y[j] = start ? start[j] + all[j] : all[j];
    }
}

PT_INLINE void dots_rows(size_t rows, size_t n, bool pairs, enum pt_dtype dtype, struct pt_dots d)
{
    const size_t columns = rows * PT_DOT_COLUMNS <= DOT_SUMS ? PT_DOT_COLUMNS : PT_DOT_COLUMNS / 2;
    while (n) {
        size_t part = n >= columns ? columns : 1;
        if (part == columns)
            dots_block(rows, columns, pairs, dtype, &d);
        else
            dots_block(rows, 1, pairs, dtype, &d);
        d.w = (const char *)d.w + part * d.w_row;
        d.fetched >>= part;
        d.y += part;
        d.bias = d.bias ? d.bias + part : NULL;
        n -= part;
    }
}

/* Makes the number of rows a constant. A row's sums do not depend on how many there are. */
PT_INLINE void dots_any(size_t m, size_t n, bool pairs, enum pt_dtype dtype, const struct pt_dots *d)
{
    switch (m) {
    case 1:
        dots_rows(1, n, pairs, dtype, *d);
        break;
    case 2:
        dots_rows(2, n, pairs, dtype, *d);
        break;
    case 3:
        dots_rows(3, n, pairs, dtype, *d);
        break;
    case 4:
        dots_rows(4, n, pairs, dtype, *d);
        break;
    case 5:
        dots_rows(5, n, pairs, dtype, *d);
        break;
    default:
        dots_rows(6, n, pairs, dtype, *d);
    }
}

PT_INLINE void dots_typed(size_t m, size_t n, bool pairs, const struct pt_dots *d)
{
    if (d->dtype == PT_F32)
        dots_any(m, n, pairs, PT_F32, d);
    else if (d->dtype == PT_BF16)
        dots_any(m, n, pairs, PT_BF16, d);
    else
        dots_any(m, n, pairs, PT_F16, d);
}

static void dots(size_t m, size_t n, const struct pt_dots *d)
{
    dots_typed(m, n, false, d);
}

static void dots_pairs(size_t m, size_t n, const struct pt_dots *d)
{
    dots_typed(m, n, true, d);
}

#endif
