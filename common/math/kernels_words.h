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
PT_INLINE vfloat rounded_pairs(vfloat low, vfloat high)
{
#if defined __AVX512BF16__
    return (vfloat)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
#else
    vhalf halves[2] = {__builtin_convertvector(v_round_bf16(low), vhalf),
                       __builtin_convertvector(v_round_bf16(high), vhalf)};
    return v_load(halves);
#endif
}

/* Each term is what is left of the elements by those before it. */
PT_INLINE void pair_row_of(float *to, size_t term, int n_terms, const char *from, enum pt_dtype dtype,
                           size_t n)
{
    const size_t bytes = element_bytes(dtype);
    for (size_t i = 0; i < n; i += 2 * LANES) {
        const size_t part = n - i < 2 * LANES ? n - i : 2 * LANES;
        const char *some = from + i * bytes;
        char padded[8 * LANES] = {0};
        if (part < 2 * LANES)
            some = memcpy(padded, some, part * bytes);
        vfloat low = widen_some(some, dtype, LANES), high = widen_some(some + LANES * bytes, dtype, LANES);
        float *words = to + i / 2;
        for (int t = 0; t < n_terms; t++, words += term) {
            vfloat pairs = rounded_pairs(low, high);
            if (part == 2 * LANES)
                v_store(words, pairs);
            else
                memcpy(words, &pairs, (part + 1) / 2 * sizeof *words);
            low -= v_widen_bf16(&pairs);
            high -= v_widen_bf16((const char *)&pairs + sizeof(vhalf));
        }
    }
}

PT_INLINE void pair_row_typed(float *to, size_t term, int n_terms, const void *from, enum pt_dtype dtype,
                              size_t n)
{
    if (dtype == PT_F32)
        pair_row_of(to, term, n_terms, from, PT_F32, n);
    else if (dtype == PT_F16)
        pair_row_of(to, term, n_terms, from, PT_F16, n);
    else if (n) {
        to[(n - 1) / 2] = 0.0f; /* the partner of a last single element */
        memcpy(to, from, n * sizeof(uint16_t));
    }
}

static void pair_row(float *to, size_t term, int n_terms, const void *from, enum pt_dtype dtype, size_t n)
{
    if (n_terms == 1)
        pair_row_typed(to, 0, 1, from, dtype, n);
    else
        pair_row_typed(to, term, n_terms, from, dtype, n);
}

PT_INLINE vuint bf16_bits(const char *from, enum pt_dtype dtype, size_t part)
{
    vfloat v = widen_some(from, dtype, part);
    return dtype == PT_BF16 ? (vuint)v >> 16 : v_round_bf16(v);
}

/* The bits of a term, which is taken from v. */
PT_INLINE vuint next_term(vfloat *v)
{
    vuint bits = v_round_bf16(*v);
    *v -= (vfloat)(bits << 16);
    return bits;
}

/* Words of whole vectors of bf16, as many as there are in n elements of two rows; returns how many. */
PT_INLINE size_t interleave_rows(float *to, const char *first, const char *second, size_t n)
{
#define PT_FIRST_PAIRS(l) (l), 2 * LANES + (l)
#define PT_LAST_PAIRS(l) LANES + (l), 3 * LANES + (l)
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        vhalves above, below;
        memcpy(&above, first + i * sizeof above[0], sizeof above);
        memcpy(&below, second + i * sizeof below[0], sizeof below);
        v_store(to + i, (vfloat)__builtin_shufflevector(above, below, PT_LANE_LIST(PT_FIRST_PAIRS)));
        v_store(to + i + LANES, (vfloat)__builtin_shufflevector(above, below, PT_LANE_LIST(PT_LAST_PAIRS)));
    }
    return i;
}

PT_INLINE void pair_two_rows(float *to, size_t term, int n_terms, const char *first, const char *second,
                             enum pt_dtype dtype, size_t n)
{
    const size_t bytes = element_bytes(dtype);
    if (dtype == PT_BF16 && second) {
        const size_t whole = interleave_rows(to, first, second, n);
        to += whole;
        first += whole * bytes;
        second += whole * bytes;
        n -= whole;
    }
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat above = widen_some(first + i * bytes, dtype, part),
               below = second ? widen_some(second + i * bytes, dtype, part) : v_set(0.0f);
        if (dtype == PT_BF16)
            store_some(to + i, (vfloat)((vuint)above >> 16 | (vuint)below), part);
        else
            for (int t = 0; t < n_terms; t++) {
                vuint low = next_term(&above), high = next_term(&below);
                store_some(to + (size_t)t * term + i, (vfloat)(low | high << 16), part);
            }
    }
}

PT_INLINE void pair_rows_of(float *to, size_t ldt, size_t term, int n_terms, const char *from, size_t ldf,
                            enum pt_dtype dtype, size_t n_rows, size_t n)
{
    const size_t row = ldf * element_bytes(dtype);
    for (size_t i = 0; i < n_rows; i += 2, to += ldt, from += 2 * row)
        pair_two_rows(to, term, n_terms, from, i + 1 < n_rows ? from + row : NULL, dtype, n);
}

PT_INLINE void pair_rows_typed(float *to, size_t ldt, size_t term, int n_terms, const void *from, size_t ldf,
                               enum pt_dtype dtype, size_t n_rows, size_t n)
{
    if (dtype == PT_F32)
        pair_rows_of(to, ldt, term, n_terms, from, ldf, PT_F32, n_rows, n);
    else if (dtype == PT_BF16)
        pair_rows_of(to, ldt, term, 1, from, ldf, PT_BF16, n_rows, n);
    else
        pair_rows_of(to, ldt, term, n_terms, from, ldf, PT_F16, n_rows, n);
}

static void pair_rows(float *to, size_t ldt, size_t term, int n_terms, const void *from, size_t ldf,
                      enum pt_dtype dtype, size_t n_rows, size_t n)
{
    if (n_terms == 1)
        pair_rows_typed(to, ldt, 0, 1, from, ldf, dtype, n_rows, n);
    else
        pair_rows_typed(to, ldt, term, n_terms, from, ldf, dtype, n_rows, n);
}

/* LANES rows of 2 LANES elements at most. */
PT_INLINE void pair_columns_block(float *to, size_t ldt, size_t term, int n_terms, const char *from,
                                  size_t row, enum pt_dtype dtype, size_t n_rows, size_t n)
{
    const size_t bytes = element_bytes(dtype), n_words = (n + 1) / 2;
    vfloat low[LANES], high[LANES], words[LANES];
#pragma GCC unroll 16
    for (size_t r = 0; r < LANES; r++) {
        const char *some = from + r * row;
        char padded[8 * LANES] = {0};
        if (r >= n_rows)
            some = padded;
        else if (n < 2 * LANES)
            some = memcpy(padded, some, n * bytes);
        if (dtype == PT_BF16) {
            words[r] = v_load(some);
            continue;
        }
        low[r] = widen_some(some, dtype, LANES);
        high[r] = widen_some(some + LANES * bytes, dtype, LANES);
    }
    for (int t = 0; t < n_terms; t++, to += term) {
        if (dtype != PT_BF16)
#pragma GCC unroll 16
            for (size_t r = 0; r < LANES; r++) {
                words[r] = rounded_pairs(low[r], high[r]);
                low[r] -= v_widen_bf16(&words[r]);
                high[r] -= v_widen_bf16((const char *)&words[r] + sizeof(vhalf));
            }
        v_transpose(words);
#pragma GCC unroll 16
        for (size_t w = 0; w < LANES; w++)
            if (w < n_words)
                store_some(to + w * ldt, words[w], n_rows < LANES ? n_rows : LANES);
    }
}

PT_INLINE void pair_columns_of(float *to, size_t ldt, size_t term, int n_terms, const char *from, size_t ldf,
                               enum pt_dtype dtype, size_t n_rows, size_t n)
{
    const size_t row = ldf * element_bytes(dtype);
    for (size_t i = 0; i < n_rows; i += LANES)
        for (size_t j = 0; j < n; j += 2 * LANES)
            pair_columns_block(to + j / 2 * ldt + i, ldt, term, n_terms,
                               from + i * row + j * element_bytes(dtype), row, dtype, n_rows - i,
                               n - j < 2 * LANES ? n - j : 2 * LANES);
}

static void pair_columns(float *to, size_t ldt, size_t term, int n_terms, const void *from, size_t ldf,
                         enum pt_dtype dtype, size_t n_rows, size_t n)
{
    if (dtype == PT_BF16)
        pair_columns_of(to, ldt, 0, 1, from, ldf, PT_BF16, n_rows, n);
    else if (dtype == PT_F32)
        pair_columns_of(to, ldt, term, n_terms, from, ldf, PT_F32, n_rows, n);
    else
        pair_columns_of(to, ldt, term, n_terms, from, ldf, PT_F16, n_rows, n);
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
