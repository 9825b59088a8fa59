/*
 * Kernels that bring matrices into the form that the products read: widened, rounded to pairs of bf16,
 * transposed. Included once by each instruction set's file.
 */
#ifndef PT_MATH_KERNELS_WORDS_H
#define PT_MATH_KERNELS_WORDS_H

#include "math/kernels.h"
#include "math/simd.h"

/* Runs over `part` elements from i on: LANES but for the last. */
#define PT_EACH_VECTOR(i, part, n) \
    for (size_t i = 0, part; part = (n)-i < LANES ? (n)-i : LANES, i < (n); i += LANES)

PT_INLINE vfloat load_some(const float *from, size_t part)
{
    return part == LANES ? v_load(from) : v_load_part(from, part);
}

PT_INLINE void store_some(float *to, vfloat v, size_t part)
{
    if (part == LANES)
        v_store(to, v);
    else
        v_store_part(to, v, part);
}

/* The first `part` lanes of v, `other` behind them. */
PT_INLINE vfloat keep_some(vfloat v, size_t part, vfloat other)
{
#define PT_LANE_NUMBER(l) l
    const vint lanes = {PT_LANE_LIST(PT_LANE_NUMBER)};
    return part == LANES ? v : v_select(lanes < (int)part, v, other);
}

PT_INLINE size_t element_bytes(enum pt_dtype dtype)
{
    return dtype == PT_F32 ? 4 : 2;
}

PT_INLINE vfloat widen_some(const char *from, enum pt_dtype dtype, size_t part)
{
    char padded[sizeof(vfloat)] = {0};
    if (part < LANES)
        from = memcpy(padded, from, part * element_bytes(dtype));
    return dtype == PT_F32 ? v_load(from) : dtype == PT_BF16 ? v_widen_bf16(from) : v_widen_f16(from);
}

PT_INLINE void widen_all(float *to, const char *from, enum pt_dtype dtype, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        v_store(to + i, widen_some(from + i * element_bytes(dtype), dtype, LANES));
    if (i < n)
        v_store_part(to + i, widen_some(from + i * element_bytes(dtype), dtype, n - i), n - i);
}

/* Makes the type a constant. */
static void widen(float *to, const void *from, enum pt_dtype dtype, size_t n)
{
    if (dtype == PT_F32)
        memcpy(to, from, n * sizeof(float));
    else if (dtype == PT_BF16)
        widen_all(to, from, PT_BF16, n);
    else
        widen_all(to, from, PT_F16, n);
}

/* Words of the pairs in 2 LANES elements. */
PT_INLINE vfloat rounded_pairs(const char *from, enum pt_dtype dtype)
{
    vfloat low = widen_some(from, dtype, LANES),
           high = widen_some(from + LANES * element_bytes(dtype), dtype, LANES);
#if defined __AVX512BF16__
    return (vfloat)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
#else
    vhalf halves[2] = {__builtin_convertvector(v_round_bf16(low), vhalf),
                       __builtin_convertvector(v_round_bf16(high), vhalf)};
    return v_load(halves);
#endif
}

PT_INLINE void pair_row_of(float *to, const char *from, enum pt_dtype dtype, size_t n)
{
    const size_t bytes = element_bytes(dtype);
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        v_store(to + i / 2, rounded_pairs(from + i * bytes, dtype));
    if (i < n) {
        char padded[2 * sizeof(vfloat)] = {0};
        vfloat words = rounded_pairs(memcpy(padded, from + i * bytes, (n - i) * bytes), dtype);
        memcpy(to + i / 2, &words, (n - i + 1) / 2 * sizeof(float));
    }
}

static void pair_row(float *to, const void *from, enum pt_dtype dtype, size_t n)
{
    if (dtype == PT_F32)
        pair_row_of(to, from, PT_F32, n);
    else if (dtype == PT_F16)
        pair_row_of(to, from, PT_F16, n);
    else if (n) {
        to[(n - 1) / 2] = 0.0f; /* the partner of a last single element */
        memcpy(to, from, n * sizeof(uint16_t));
    }
}

PT_INLINE vuint bf16_bits(const char *from, enum pt_dtype dtype, size_t part)
{
    vfloat v = widen_some(from, dtype, part);
    return dtype == PT_BF16 ? (vuint)v >> 16 : v_round_bf16(v);
}

PT_INLINE void pair_two_rows(float *to, const char *first, const char *second, enum pt_dtype dtype, size_t n)
{
    const size_t bytes = element_bytes(dtype);
    PT_EACH_VECTOR(i, part, n)
    {
        vuint low = bf16_bits(first + i * bytes, dtype, part);
        vuint high = second ? bf16_bits(second + i * bytes, dtype, part) : (vuint){0};
        store_some(to + i, (vfloat)(low | high << 16), part);
    }
}

PT_INLINE void pair_rows_of(float *to, size_t ldt, const char *from, size_t ldf, enum pt_dtype dtype,
                            size_t n_rows, size_t n)
{
    const size_t row = ldf * element_bytes(dtype);
    for (size_t i = 0; i < n_rows; i += 2, to += ldt, from += 2 * row)
        pair_two_rows(to, from, i + 1 < n_rows ? from + row : NULL, dtype, n);
}

static void pair_rows(float *to, size_t ldt, const void *from, size_t ldf, enum pt_dtype dtype, size_t n_rows,
                      size_t n)
{
    if (dtype == PT_F32)
        pair_rows_of(to, ldt, from, ldf, PT_F32, n_rows, n);
    else if (dtype == PT_BF16)
        pair_rows_of(to, ldt, from, ldf, PT_BF16, n_rows, n);
    else
        pair_rows_of(to, ldt, from, ldf, PT_F16, n_rows, n);
}

static void subtract_bf16(size_t n, const void *from, float *to)
{
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat v = widen_some((const char *)from + i * 2, PT_BF16, part);
        store_some(to + i, load_some(to + i, part) - v, part);
    }
}

static void transpose(float *to, size_t ldt, const float *from, size_t ldf, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i += LANES) {
        size_t rows = m - i < LANES ? m - i : LANES;
        PT_EACH_VECTOR(j, columns, n)
        {
            vfloat block[LANES];
#pragma GCC unroll 16
            for (size_t r = 0; r < LANES; r++)
                block[r] = r < rows ? load_some(from + (i + r) * ldf + j, columns) : v_set(0.0f);
            v_transpose(block);
#pragma GCC unroll 16
            for (size_t c = 0; c < LANES; c++)
                if (c < columns)
                    store_some(to + (j + c) * ldt + i, block[c], rows);
        }
    }
}

#endif
