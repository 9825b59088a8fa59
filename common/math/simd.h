/*
 * Vectors of f32 as wide as the instruction set that a file is compiled for: GCC's vector extensions, so that
 * one source of kernels serves every CPU. Loads and stores need no alignment. Included by the kernels only.
 */
#ifndef PT_MATH_SIMD_H
#define PT_MATH_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined __AVX2__
#include <immintrin.h>
#endif

#if defined __AVX512F__
enum { LANES = 16 };
#define PT_LANE_LIST(f) \
    f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15)
#elif defined __AVX2__
enum { LANES = 8 };
#define PT_LANE_LIST(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)
#else
enum { LANES = 4 };
#define PT_LANE_LIST(f) f(0), f(1), f(2), f(3)
#endif

typedef float vfloat __attribute__((vector_size(4 * LANES)));
typedef int32_t vint __attribute__((vector_size(4 * LANES)));
typedef uint32_t vuint __attribute__((vector_size(4 * LANES)));
typedef uint16_t vhalf __attribute__((vector_size(2 * LANES))); /* the bits of f16 or bf16 */
typedef uint16_t vhalves __attribute__((vector_size(4 * LANES)));

#define PT_INLINE static inline __attribute__((always_inline, unused))

PT_INLINE vfloat v_load(const void *from)
{
    vfloat v;
    memcpy(&v, from, sizeof v);
    return v;
}

/* v in a register: compilers else load it again for each use, which the load ports have no time for. */
PT_INLINE vfloat v_loaded(vfloat v)
{
#if defined __AVX512F__
    __asm__("" : "+v"(v));
#elif defined __AVX2__
    __asm__("" : "+x"(v));
#endif
    return v;
}

PT_INLINE void v_store(void *to, vfloat v)
{
    memcpy(to, &v, sizeof v);
}

/* To a boundary of its size, past the caches: threads that read it need a fence in between. */
PT_INLINE void v_stream(float *to, vfloat v)
{
#if defined __AVX512F__
    _mm512_stream_ps(to, (__m512)v);
#elif defined __AVX2__
    _mm256_stream_ps(to, (__m256)v);
#else
    v_store(to, v);
#endif
}

#if defined __AVX2__ && !defined __AVX512F__
PT_INLINE __m256i v_first(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif

/* The first n < LANES elements; the others are zero, or are left as they were. */
PT_INLINE vfloat v_load_part(const void *from, size_t n)
{
#if defined __AVX512F__
    return (vfloat)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), from);
#elif defined __AVX2__
    return (vfloat)_mm256_maskload_ps(from, v_first(n));
#else
    vfloat v = {0};
    memcpy(&v, from, n * sizeof(float));
    return v;
#endif
}

PT_INLINE void v_store_part(void *to, vfloat v, size_t n)
{
#if defined __AVX512F__
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << n) - 1), (__m512)v);
#elif defined __AVX2__
    _mm256_maskstore_ps(to, v_first(n), (__m256)v);
#else
    memcpy(to, &v, n * sizeof(float));
#endif
}

PT_INLINE vfloat v_set(float value)
{
    return value - (vfloat){0};
}

/* The word at `from` in every lane, whatever it stands for. */
PT_INLINE vfloat v_set_word(const float *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return (vfloat)(word - (vuint){0});
}

PT_INLINE vfloat v_select(vint mask, vfloat yes, vfloat no)
{
#if defined __AVX512F__
    return (vfloat)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)mask), (__m512)no, (__m512)yes);
#else
    return (vfloat)((mask & (vint)yes) | (~mask & (vint)no));
#endif
}

/* The larger, and the smaller one; b where either is not a number. */
PT_INLINE vfloat v_max(vfloat a, vfloat b)
{
#if defined __AVX512F__
    return (vfloat)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined __AVX2__
    return (vfloat)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return v_select(a > b, a, b);
#endif
}

PT_INLINE vfloat v_min(vfloat a, vfloat b)
{
#if defined __AVX512F__
    return (vfloat)_mm512_min_ps((__m512)a, (__m512)b);
#elif defined __AVX2__
    return (vfloat)_mm256_min_ps((__m256)a, (__m256)b);
#else
    return v_select(a < b, a, b);
#endif
}

/* v, but 0 where x is below the bound. */
PT_INLINE vfloat v_zero_below(vfloat x, float bound, vfloat v)
{
#if defined __AVX512F__
    return (vfloat)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(bound), _CMP_NLT_UQ),
                                       (__m512)v);
#else
    return (vfloat)((vint)v & ~(vint)(x < bound));
#endif
}

typedef float vfloat4 __attribute__((vector_size(16)));

typedef float vfloat8 __attribute__((vector_size(32)));

/* Halves are added to halves. */
PT_INLINE float v_sum(vfloat v)
{
#if defined __AVX512F__
    vfloat8 eight = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                    __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    vfloat4 four =
        __builtin_shufflevector(eight, eight, 0, 1, 2, 3) + __builtin_shufflevector(eight, eight, 4, 5, 6, 7);
#elif defined __AVX2__
    vfloat4 four = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
#else
    vfloat4 four = v;
#endif
    return (four[0] + four[2]) + (four[1] + four[3]);
}

/* The sums of four vectors. */
PT_INLINE vfloat4 v_sum_four(const vfloat v[4])
{
#if defined __AVX512F__
    __m512 a = (__m512)v[0], b = (__m512)v[1], c = (__m512)v[2], d = (__m512)v[3];
    vfloat ab = (vfloat)_mm512_unpacklo_ps(a, b) + (vfloat)_mm512_unpackhi_ps(a, b);
    vfloat cd = (vfloat)_mm512_unpacklo_ps(c, d) + (vfloat)_mm512_unpackhi_ps(c, d);
    vfloat all = (vfloat)_mm512_shuffle_ps((__m512)ab, (__m512)cd, 0x44) +
                 (vfloat)_mm512_shuffle_ps((__m512)ab, (__m512)cd, 0xee);
    vfloat8 eight =
        (vfloat8)_mm512_castps512_ps256((__m512)all) + (vfloat8)_mm512_extractf32x8_ps((__m512)all, 1);
    return (vfloat4)_mm256_castps256_ps128((__m256)eight) + (vfloat4)_mm256_extractf128_ps((__m256)eight, 1);
#elif defined __AVX2__
    __m256 a = (__m256)v[0], b = (__m256)v[1], c = (__m256)v[2], d = (__m256)v[3];
    vfloat ab = (vfloat)_mm256_unpacklo_ps(a, b) + (vfloat)_mm256_unpackhi_ps(a, b);
    vfloat cd = (vfloat)_mm256_unpacklo_ps(c, d) + (vfloat)_mm256_unpackhi_ps(c, d);
    vfloat all = (vfloat)_mm256_shuffle_ps((__m256)ab, (__m256)cd, 0x44) +
                 (vfloat)_mm256_shuffle_ps((__m256)ab, (__m256)cd, 0xee);
    return (vfloat4)_mm256_castps256_ps128((__m256)all) + (vfloat4)_mm256_extractf128_ps((__m256)all, 1);
#else
    return (vfloat4){v_sum(v[0]), v_sum(v[1]), v_sum(v[2]), v_sum(v[3])};
#endif
}

/* The largest of all lanes; any of them where one is not a number. */
PT_INLINE float v_largest(vfloat v)
{
#if defined __AVX512F__
    __m256 eight = _mm256_max_ps(_mm512_castps512_ps256((__m512)v), _mm512_extractf32x8_ps((__m512)v, 1));
    vfloat4 four = (vfloat4)_mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
#elif defined __AVX2__
    vfloat4 four =
        (vfloat4)_mm_max_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
#else
    vfloat4 four = v;
#endif
    float even = four[0] > four[2] ? four[0] : four[2], odd = four[1] > four[3] ? four[1] : four[3];
    return even > odd ? even : odd;
}

/* v_sum of four vectors, which takes a third of the instructions of four. */
PT_INLINE vfloat4 v_sums(vfloat a, vfloat b, vfloat c, vfloat d)
{
#if defined __AVX512F__
    vfloat ab = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    vfloat cd = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
                __builtin_shufflevector(c, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    vfloat four = __builtin_shufflevector(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
                  __builtin_shufflevector(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    four += __builtin_shufflevector(four, four, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    four += __builtin_shufflevector(four, four, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    return __builtin_shufflevector(four, four, 0, 4, 8, 12);
#else
    return (vfloat4){v_sum(a), v_sum(b), v_sum(c), v_sum(d)};
#endif
}

/*
 * exp(x) for x <= 88.37 (more counts as that), 0 below -87.33; not-a-number stays. Cody and Waite's reduction
 * by multiples of log 2 and a minimax polynomial of degree 6 with relative error 3e-9; with the rounding of
 * f32 the relative error is at most 2 units in the last place (tests/unit/test_activation.c sweeps it).
 */
PT_INLINE vfloat v_exp(vfloat x)
{
    const vfloat magic = v_set(0x1.8p23f); /* adding it rounds to an integer */
    vfloat high = v_min(v_set(88.37f), x);
    vfloat shifted = high * 0x1.715476p0f + magic;
    vfloat n = shifted - magic;
    vfloat r = high - n * 0x1.62e4p-1f; /* log 2 to 17 bits: this product is exact */
    r = r - n * 0x1.7f7d1cp-20f;
    vfloat q = r * 0x1.6a23cep-10f + 0x1.123a2p-7f;
    q = q * r + 0x1.5558f2p-5f;
    q = q * r + 0x1.555492p-3f;
    q = q * r + 0x1.fffffcp-2f;
    vfloat e = q * (r * r) + r + 1.0f;
    vuint power = ((vuint)shifted - (vuint)magic + 127) << 23; /* of what is far below, anything */
    return v_zero_below(x, -87.33f, e * (vfloat)power);
}

PT_INLINE vfloat v_abs(vfloat x)
{
    return (vfloat)((vint)x & 0x7fffffff);
}

/* tanh(x): below 0.625 in size x + x³ P(x²) with a minimax polynomial of relative error 5e-9, above 1 - 2 /
 * (1 + exp(2x)); at most 3 units in the last place together; not-a-number stays
 * (tests/unit/test_activation.c). */
PT_INLINE vfloat v_tanh(vfloat x)
{
    vfloat a = v_abs(x), square = x * x;
    vfloat p = square * -0x1.76ac1ap-8f + 0x1.5256d8p-6f;
    p = p * square - 0x1.b84448p-5f;
    p = p * square + 0x1.110768p-3f;
    p = p * square - 0x1.555534p-2f;
    vfloat near = x + x * square * p;
    vfloat far = 1.0f - 2.0f / (v_exp(a * 2.0f) + 1.0f);
    vfloat signed_far = (vfloat)((vuint)far | ((vuint)x & 0x80000000u));
    return v_select(a < 0.625f, near, signed_far);
}

PT_INLINE vfloat v_widen_bf16(const void *from)
{
#if defined __AVX512F__
    return (vfloat)((vuint)_mm512_cvtepu16_epi32(_mm256_loadu_si256(from)) << 16);
#elif defined __AVX2__
    return (vfloat)((vuint)_mm256_cvtepu16_epi32(_mm_loadu_si128(from)) << 16);
#else
    vhalf bits;
    memcpy(&bits, from, sizeof bits);
    return (vfloat)(__builtin_convertvector(bits, vuint) << 16);
#endif
}

PT_INLINE vfloat v_widen_f16(const void *from)
{
#if defined __AVX512F__
    return (vfloat)_mm512_cvtph_ps(_mm256_loadu_si256(from));
#elif defined __AVX2__
    return (vfloat)_mm256_cvtph_ps(_mm_loadu_si128(from));
#else
    vhalf half;
    memcpy(&half, from, sizeof half);
    vuint bits = __builtin_convertvector(half, vuint);
    vuint magnitude = (bits & 0x7fff) << 13;
    vfloat value = (vfloat)magnitude * 0x1p112f; /* moves the exponent, subnormal numbers included */
    vuint special = (vuint)(magnitude >= (0x7c00u << 13)) & 0x7f800000u;
    return (vfloat)((vuint)value | special | (bits & 0x8000) << 16);
#endif
}

/* bf16 bits of each element, rounded to nearest even, in the low halves. CPUs that have an instruction for it
 * take subnormal numbers for 0. */
PT_INLINE vuint v_round_bf16(vfloat v)
{
#if defined __AVX512BF16__
    return (vuint)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)v));
#else
    vuint bits = (vuint)v;
    vuint rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    vuint quiet = (bits >> 16) | 0x40;
    vuint nan = (vuint)(v != v);
    return (nan & quiet) | (~nan & rounded);
#endif
}

/* sum += the products of the bf16 pairs in a and b, as vdpbf16ps does; there the order within a pair and
 * subnormal numbers may differ. */
PT_INLINE vfloat v_dot_pairs(vfloat sum, vfloat a, vfloat b)
{
#if defined __AVX512BF16__
    return (vfloat)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    vuint x = (vuint)a, y = (vuint)b;
    sum += (vfloat)(x & 0xffff0000u) * (vfloat)(y & 0xffff0000u);
    return sum + (vfloat)(x << 16) * (vfloat)(y << 16);
#endif
}

/* Lanes of two vectors end to end, for a stage of a transpose that exchanges blocks of d lanes between rows i
 * and i + d. */
#define PT_LOW_LANE(l, d) ((l) & (d) ? LANES + (l) - (d) : (l))
#define PT_HIGH_LANE(l, d) ((l) & (d) ? LANES + (l) : (l) + (d))
#define PT_LOW_1(l) PT_LOW_LANE(l, 1)
#define PT_LOW_2(l) PT_LOW_LANE(l, 2)
#define PT_LOW_4(l) PT_LOW_LANE(l, 4)
#define PT_LOW_8(l) PT_LOW_LANE(l, 8)
#define PT_HIGH_1(l) PT_HIGH_LANE(l, 1)
#define PT_HIGH_2(l) PT_HIGH_LANE(l, 2)
#define PT_HIGH_4(l) PT_HIGH_LANE(l, 4)
#define PT_HIGH_8(l) PT_HIGH_LANE(l, 8)

#define PT_TRANSPOSE_STAGE(v, d)                                                          \
    _Pragma("GCC unroll 16") for (size_t i = 0; i < LANES; i++)                           \
    {                                                                                     \
        if (i & (d))                                                                      \
            continue;                                                                     \
        vfloat first = (v)[i], second = (v)[i + (d)];                                     \
        (v)[i] = __builtin_shufflevector(first, second, PT_LANE_LIST(PT_LOW_##d));        \
        (v)[i + (d)] = __builtin_shufflevector(first, second, PT_LANE_LIST(PT_HIGH_##d)); \
    }

/* v[i][j] becomes v[j][i]. */
PT_INLINE void v_transpose(vfloat v[LANES])
{
    PT_TRANSPOSE_STAGE(v, 1);
    PT_TRANSPOSE_STAGE(v, 2);
#if defined __AVX2__
    PT_TRANSPOSE_STAGE(v, 4);
#endif
#if defined __AVX512F__
    PT_TRANSPOSE_STAGE(v, 8);
#endif
}

#endif
