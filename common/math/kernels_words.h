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

static void widen(float *to, const void *from, enum pt_dtype dtype, size_t n)
{
    PT_EACH_VECTOR(i, part, n)
    store_some(to + i, widen_some((const char *)from + i * element_bytes(dtype), dtype, part), part);
}

/* Words of the pairs in 2 LANES elements. */
PT_INLINE void round_to_words(float *to, const char *from, enum pt_dtype dtype)
{
    vfloat low = widen_some(from, dtype, LANES),
           high = widen_some(from + LANES * element_bytes(dtype), dtype, LANES);
#if defined __AVX512BF16__
    v_store(to, (vfloat)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low));
#else
    vhalf halves[2] = {__builtin_convertvector(v_round_bf16(low), vhalf),
                       __builtin_convertvector(v_round_bf16(high), vhalf)};
    memcpy(to, halves, sizeof halves);
#endif
}

static void pair_row(float *to, const void *from, enum pt_dtype dtype, size_t n)
{
    const size_t bytes = element_bytes(dtype);
    if (dtype == PT_BF16) {
        if (n & 1)
            to[n / 2] = 0.0f;
        memcpy(to, from, n * bytes);
        return;
    }
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        round_to_words(to + i / 2, (const char *)from + i * bytes, dtype);
    if (i < n) {
        char padded[2 * sizeof(vfloat)] = {0};
        float words[LANES];
        round_to_words(words, memcpy(padded, (const char *)from + i * bytes, (n - i) * bytes), dtype);
        memcpy(to + i / 2, words, (n - i + 1) / 2 * sizeof(float));
    }
}

PT_INLINE vuint bf16_bits(const char *from, enum pt_dtype dtype, size_t part)
{
    vfloat v = widen_some(from, dtype, part);
    return dtype == PT_BF16 ? (vuint)v >> 16 : v_round_bf16(v);
}

static void pair_rows(float *to, const void *first, const void *second, enum pt_dtype dtype, size_t n)
{
    const size_t bytes = element_bytes(dtype);
    PT_EACH_VECTOR(i, part, n)
    {
        vuint low = bf16_bits((const char *)first + i * bytes, dtype, part);
        vuint high = second ? bf16_bits((const char *)second + i * bytes, dtype, part) : (vuint){0};
        store_some(to + i, (vfloat)(low | high << 16), part);
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
