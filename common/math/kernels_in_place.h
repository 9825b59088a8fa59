/*
 * Products for which the rows of the right-hand matrix run along the columns of the result and are used as
 * they lie in memory: a block of sums stays in registers while some rows pass. Included once by each
 * instruction set's file.
 */
#ifndef PT_MATH_KERNELS_IN_PLACE_H
#define PT_MATH_KERNELS_IN_PLACE_H

#include "math/kernels.h"
#include "math/kernels_words.h"
#include "math/simd.h"

#if defined __AVX512F__
enum { IN_PLACE_VECTORS = 4 };
#else
enum { IN_PLACE_VECTORS = 2 };
#endif

/* Words of one row, or of two neighbours in pairs; `second` is false where the last has none. */
PT_INLINE vfloat words_of_rows(bool pairs, const char *from, size_t row, bool second, enum pt_dtype dtype,
                               size_t part)
{
    if (!pairs)
        return widen_some(from, dtype, part);
    vuint low = bf16_bits(from, dtype, part), high = {0};
    if (second)
        high = bf16_bits(from + row, dtype, part);
    return (vfloat)(low | high << 16);
}

/* `part` is that of the last vector. */
PT_INLINE void in_place_block(size_t rows, size_t vectors, size_t part, bool pairs, enum pt_dtype dtype,
                              const struct pt_dots *d)
{
    const size_t rows_a_step = pairs ? 2 : 1, bytes = element_bytes(dtype);
    vfloat sums[PT_BLOCK_ROWS][IN_PLACE_VECTORS] = {0};
    if (d->add)
#pragma GCC unroll 6
        for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
            for (size_t v = 0; v < vectors; v++)
                sums[i][v] = load_some(d->y + i * d->ldy + v * LANES, v + 1 < vectors ? LANES : part);
    for (size_t p = 0; p < d->k; p += rows_a_step) {
        const char *w = (const char *)d->w + p * d->w_row;
        const bool second = p + 1 < d->k;
        vfloat right[IN_PLACE_VECTORS];
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++) {
            right[v] = words_of_rows(pairs, w + v * LANES * bytes, d->w_row, second, dtype,
                                     v + 1 < vectors ? LANES : part);
            __builtin_prefetch(w + v * LANES * bytes + d->ahead, 0, 2);
            if (pairs)
                __builtin_prefetch(w + v * LANES * bytes + d->w_row + d->ahead, 0, 2);
        }
#pragma GCC unroll 6
        for (size_t i = 0; i < rows; i++) {
            vfloat left = v_set_word(d->x + i * d->ldx + p / rows_a_step);
#pragma GCC unroll 4
            for (size_t v = 0; v < vectors; v++)
                sums[i][v] = pairs ? v_dot_pairs(sums[i][v], left, right[v]) : sums[i][v] + left * right[v];
        }
    }
#pragma GCC unroll 6
    for (size_t i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            store_some(d->y + i * d->ldy + v * LANES, sums[i][v], v + 1 < vectors ? LANES : part);
}

PT_INLINE void in_place_columns(size_t rows, size_t n, bool pairs, enum pt_dtype dtype, struct pt_dots d)
{
    const size_t wide = IN_PLACE_VECTORS * LANES;
    while (n) {
        size_t columns = n >= wide ? wide : n < LANES ? n : LANES;
        if (columns == wide)
            in_place_block(rows, IN_PLACE_VECTORS, LANES, pairs, dtype, &d);
        else
            in_place_block(rows, 1, columns, pairs, dtype, &d);
        d.w = (const char *)d.w + columns * element_bytes(dtype);
        d.y += columns;
        n -= columns;
    }
}

/* Makes the number of rows a constant. */
PT_INLINE void in_place_typed(size_t m, size_t n, bool pairs, enum pt_dtype dtype, struct pt_dots d)
{
    while (m) {
        size_t rows = m >= 6 ? 6 : m >= 4 ? 4 : m >= 2 ? 2 : 1;
        switch (rows) {
        case 6:
            in_place_columns(6, n, pairs, dtype, d);
            break;
        case 4:
            in_place_columns(4, n, pairs, dtype, d);
            break;
        case 2:
            in_place_columns(2, n, pairs, dtype, d);
            break;
        default:
            in_place_columns(1, n, pairs, dtype, d);
        }
        d.x += rows * d.ldx;
        d.y += rows * d.ldy;
        d.ahead = 0; /* it has been fetched */
        m -= rows;
    }
}

PT_INLINE void in_place_any(size_t m, size_t n, bool pairs, const struct pt_dots *d)
{
    if (d->dtype == PT_F32)
        in_place_typed(m, n, pairs, PT_F32, *d);
    else if (d->dtype == PT_BF16)
        in_place_typed(m, n, pairs, PT_BF16, *d);
    else
        in_place_typed(m, n, pairs, PT_F16, *d);
}

static void in_place(size_t m, size_t n, const struct pt_dots *d)
{
    in_place_any(m, n, false, d);
}

static void in_place_pairs(size_t m, size_t n, const struct pt_dots *d)
{
    in_place_any(m, n, true, d);
}

#endif
