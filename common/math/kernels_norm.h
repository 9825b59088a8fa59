/*
 * Norms of one row. Included once by each instruction set's file.
 */
#ifndef PT_MATH_KERNELS_NORM_H
#define PT_MATH_KERNELS_NORM_H

#include "math/kernels_words.h"
#include "math/simd.h"

#include <math.h>

PT_INLINE float mean_of(size_t n, const float *x)
{
    vfloat sums[4] = {0};
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma GCC unroll 4
        for (size_t v = 0; v < 4; v++)
            sums[v] += v_load(x + i + v * LANES);
    for (; i < n; i += LANES)
        sums[0] += load_some(x + i, n - i < LANES ? n - i : LANES);
    return v_sum((sums[0] + sums[1]) + (sums[2] + sums[3])) / (float)n;
}

PT_INLINE float variance_of(size_t n, const float *x, float mean)
{
    vfloat sums[2] = {0};
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat d = keep_some(load_some(x + i, part) - mean, part, v_set(0.0f));
        sums[i / LANES & 1] += d * d;
    }
    return v_sum(sums[0] + sums[1]) / (float)n;
}

static void norm_forward(bool centred, size_t n, const float *x, const float *weight, const float *bias,
                         float eps, float *y, float *mean, float *rstd)
{
    float m = centred ? mean_of(n, x) : 0.0f, variance = variance_of(n, x, m) + eps;
    /* One that overflowed would make r 0, and with it a finite y of nothing but the bias. PyTorch's layer
     * norm gives NaN there, its RMS norms give that y. */
    float r = centred && isinf(variance) ? NAN : 1.0f / sqrtf(variance);
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat normed = (load_some(x + i, part) - m) * r;
        if (weight)
            normed *= load_some(weight + i, part);
        if (bias)
            normed += load_some(bias + i, part);
        store_some(y + i, normed, part);
    }
    *mean = m;
    *rstd = r;
}

PT_INLINE vfloat weighted(const float *dy, const float *weight, size_t i, size_t part)
{
    vfloat g = load_some(dy + i, part);
    return weight ? g * load_some(weight + i, part) : g;
}

/* dx = rstd (g - mean(g) - h mean(g h)) with g = dy weight and h = (x - mean) rstd; without the mean of g
 * where x was not centred. */
static void norm_backward(bool centred, size_t n, const float *x, float mean, float rstd, const float *weight,
                          const float *dy, bool add, float *dx)
{
    vfloat sum = {0}, sum_h = {0};
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat g = weighted(dy, weight, i, part);
        sum += g;
        sum_h += g * ((load_some(x + i, part) - mean) * rstd);
    }
    float mean_g = centred ? v_sum(sum) / (float)n : 0.0f, mean_gh = v_sum(sum_h) / (float)n;
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat g = weighted(dy, weight, i, part);
        vfloat h = (load_some(x + i, part) - mean) * rstd;
        vfloat d = (g - mean_g - h * mean_gh) * rstd;
        store_some(dx + i, add ? load_some(dx + i, part) + d : d, part);
    }
}

static void norm_weights(size_t n, const float *x, float mean, float rstd, const float *dy, float *dweight,
                         float *dbias)
{
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat d = load_some(dy + i, part);
        vfloat h = (load_some(x + i, part) - mean) * rstd;
        if (dweight)
            store_some(dweight + i, load_some(dweight + i, part) + d * h, part);
        if (dbias)
            store_some(dbias + i, load_some(dbias + i, part) + d, part);
    }
}

#endif
