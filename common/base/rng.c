/*
 * MT19937 (Matsumoto and Nishimura, 1998) and PyTorch's ways of making numbers out of its words. All
 * arithmetic is written out, so that the same seed gives the same values on every machine. PyTorch makes
 * long runs of normals with AVX2 code after the Cephes library's logf, sinf and cosf, in which the compiler
 * fuses products and sums (ATen/native/cpu/avx_mathfun.h); the same steps in the same order, fused in the
 * same places, give the same bits here. No product below is left to be fused or not: each is exact, an
 * operand of another product or of fmaf, or the result.
 */
#include "base/rng.h"

#include <math.h>

enum { WORDS = 624, SHIFT = 397, NORMAL_BLOCK = 16 };

void pt_rng_seed(struct pt_rng *rng, uint64_t seed)
{
    rng->state[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < WORDS; i++) {
        uint32_t previous = rng->state[i - 1];
        rng->state[i] = UINT32_C(1812433253) * (previous ^ previous >> 30) + i;
    }
    rng->next = WORDS;
    rng->has_spare_normal = false;
}

static uint32_t twisted(uint32_t high, uint32_t low, uint32_t other)
{
    uint32_t mixed = (high & UINT32_C(0x80000000)) | (low & UINT32_C(0x7fffffff));
    return other ^ mixed >> 1 ^ (low & 1 ? UINT32_C(0x9908b0df) : 0);
}

static void refill(struct pt_rng *rng)
{
    uint32_t *s = rng->state;
    for (int i = 0; i < WORDS - SHIFT; i++)
        s[i] = twisted(s[i], s[i + 1], s[i + SHIFT]);
    for (int i = WORDS - SHIFT; i < WORDS - 1; i++)
        s[i] = twisted(s[i], s[i + 1], s[i + SHIFT - WORDS]);
    s[WORDS - 1] = twisted(s[WORDS - 1], s[0], s[SHIFT - 1]);
    rng->next = 0;
}

uint32_t pt_rng_u32(struct pt_rng *rng)
{
    if (rng->next >= WORDS)
        refill(rng);
    uint32_t y = rng->state[rng->next++];
    y ^= y >> 11;
    y ^= y << 7 & UINT32_C(0x9d2c5680);
    y ^= y << 15 & UINT32_C(0xefc60000);
    return y ^ y >> 18;
}

uint64_t pt_rng_u64(struct pt_rng *rng)
{
    uint64_t high = pt_rng_u32(rng);
    return high << 32 | pt_rng_u32(rng);
}

float pt_rng_uniform(struct pt_rng *rng)
{
    return (float)(pt_rng_u32(rng) & 0xffffff) * 0x1p-24F;
}

double pt_rng_uniform_double(struct pt_rng *rng)
{
    return (double)(pt_rng_u64(rng) & ((UINT64_C(1) << 53) - 1)) * 0x1p-53;
}

uint32_t pt_rng_below(struct pt_rng *rng, uint64_t n)
{
    return (uint32_t)((n < UINT64_C(1) << 28 ? pt_rng_u32(rng) : pt_rng_u64(rng)) % n);
}

/*
 * PyTorch shuffles forwards with 32-bit words while their remainders are near enough to uniform, and beyond
 * that builds the permutation inside out with 64-bit ones.
 */
void pt_rng_permutation(struct pt_rng *rng, uint64_t n, uint64_t *order)
{
    if (n < UINT32_MAX / 20) {
        for (uint64_t i = 0; i < n; i++)
            order[i] = i;
        for (uint64_t i = 0; i + 1 < n; i++) {
            uint64_t other = i + pt_rng_below(rng, n - i), saved = order[i];
            order[i] = order[other];
            order[other] = saved;
        }
        return;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t other = pt_rng_u64(rng) % (i + 1);
        order[i] = i;
        order[i] = order[other];
        order[other] = i;
    }
}

/* Box and Muller in double: the sine waits for the next call, also across calls, as in PyTorch. */
static float next_normal(struct pt_rng *rng)
{
    if (rng->has_spare_normal) {
        rng->has_spare_normal = false;
        return (float)rng->spare_normal;
    }
    double angle = 2 * M_PI * pt_rng_uniform_double(rng);
    double radius = sqrt(-2 * log1p(-pt_rng_uniform_double(rng)));
    rng->spare_normal = radius * sin(angle);
    rng->has_spare_normal = true;
    return (float)(radius * cos(angle));
}

/* The natural logarithm of a positive normal number. */
static float log_of(float x)
{
    static const float factors[] = {7.0376836292e-2F,  -1.1514610310e-1F, 1.1676998740e-1F,
                                    -1.2420140846e-1F, 1.4249322787e-1F,  -1.6668057665e-1F,
                                    2.0000714765e-1F,  -2.4999993993e-1F, 3.3333331174e-1F};
    int exponent;
    x = frexpf(x, &exponent);
    bool below = x < 0.707106781186547524F; /* the square root of a half */
    x = below ? x - 1 + x : x - 1;
    float power = (float)(below ? exponent - 1 : exponent);
    float square = x * x, y = factors[0];
    for (size_t i = 1; i < sizeof factors / sizeof *factors; i++)
        y = fmaf(y, x, factors[i]);
    y = fmaf(y * x, square, power * -2.12194440e-4F); /* the logarithm of 2 comes in two parts */
    y = fmaf(-square, 0.5F, y);
    return fmaf(power, 0.693359375F, x + y);
}

/* Sine and cosine of an angle between 0 and 2 pi: within an eighth of the circle, then by symmetry. */
static void sine_and_cosine(float angle, float *sine, float *cosine)
{
    int eighth = ((int)(angle * 1.27323954473516F) + 1) & ~1;
    float turn = (float)eighth;
    float x = fmaf(turn, -0.78515625F, angle); /* a quarter of pi in three parts */
    x = fmaf(turn, -2.4187564849853515625e-4F, x);
    x = fmaf(turn, -3.77489497744594108e-8F, x);
    float square = x * x;
    float c = fmaf(2.443315711809948e-5F, square, -1.388731625493765e-3F);
    c = fmaf(c, square, 4.166664568298827e-2F);
    c = 1 + fmaf(c * square, square, -0.5F * square);
    float s = fmaf(-1.9515295891e-4F, square, 8.3321608736e-3F);
    s = fmaf(s, square, -1.6666654611e-1F);
    s = fmaf(s * square, x, x);
    bool across = eighth & 2;
    *sine = eighth & 4 ? -(across ? c : s) : across ? c : s;
    *cosine = (eighth + 2) & 4 ? -(across ? s : c) : across ? s : c;
}

/* Turns 16 uniform values into 16 normal ones (Box and Muller): value j and value j + 8 make a pair. */
static void normal_block(float *values)
{
    for (int j = 0; j < NORMAL_BLOCK / 2; j++) {
        float radius = sqrtf(-2 * log_of(1 - values[j])), sine, cosine;
        sine_and_cosine((float)(2 * M_PI) * values[j + NORMAL_BLOCK / 2], &sine, &cosine);
        values[j] = radius * cosine;
        values[j + NORMAL_BLOCK / 2] = radius * sine;
    }
}

void pt_rng_normal(struct pt_rng *rng, size_t n, float *values)
{
    if (n < NORMAL_BLOCK) {
        for (size_t i = 0; i < n; i++)
            values[i] = next_normal(rng);
        return;
    }
    for (size_t i = 0; i < n; i++)
        values[i] = pt_rng_uniform(rng);
    for (size_t i = 0; i + NORMAL_BLOCK <= n; i += NORMAL_BLOCK)
        normal_block(values + i);
    if (n % NORMAL_BLOCK == 0)
        return;
    float *last =
        values + n - NORMAL_BLOCK; /* the last 16 are drawn anew where blocks do not come out even */
    for (int i = 0; i < NORMAL_BLOCK; i++)
        last[i] = pt_rng_uniform(rng);
    normal_block(last);
}
