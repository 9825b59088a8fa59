/*
 * Elementwise kernels and sums along a row. Sums run in four vectors of partial sums. Included once by each
 * instruction set's file.
 */
#ifndef PT_MATH_KERNELS_ELEMENTWISE_H
#define PT_MATH_KERNELS_ELEMENTWISE_H

#include "math/kernels.h"
#include "math/kernels_words.h"
#include "math/simd.h"

#include <math.h>

/* The first `part` lanes of v, zero behind them. */
PT_INLINE vfloat keep_some(vfloat v, size_t part)
{
    vfloat kept = {0};
    if (part == LANES)
        return v;
    memcpy(&kept, &v, part * sizeof(float));
    return kept;
}

static float dot(size_t n, const float *x, const float *y)
{
    vfloat sums[4] = {0};
    size_t i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
#pragma GCC unroll 4
        for (size_t v = 0; v < 4; v++)
            sums[v] += v_load(x + i + v * LANES) * v_load(y + i + v * LANES);
    for (; i < n; i += LANES) {
        size_t part = n - i < LANES ? n - i : LANES;
        sums[0] += load_some(x + i, part) * load_some(y + i, part);
    }
    return v_sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

static void add_scaled(size_t n, float scale, const float *x, float *y)
{
    PT_EACH_VECTOR(i, part, n)
    store_some(y + i, load_some(y + i, part) + v_set(scale) * load_some(x + i, part), part);
}

static void scale_all(size_t n, float scale, float *x)
{
    PT_EACH_VECTOR(i, part, n)
    store_some(x + i, load_some(x + i, part) * scale, part);
}

static float largest_lane(vfloat v)
{
    float largest = v[0];
    for (int i = 1; i < LANES; i++)
        if (v[i] > largest || v[i] != v[i])
            largest = v[i];
    return largest;
}

static float largest(size_t n, const float *x)
{
    vfloat top = v_set(-INFINITY), poison = {0};
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat v = v_set(x[0]);
        if (part == LANES)
            v = v_load(x + i);
        else
            memcpy(&v, x + i, part * sizeof(float));
        top = v_max(top, v);
        poison += v * 0.0f; /* stays 0 while all are finite */
    }
    float sum = v_sum(poison);
    return sum == 0.0f ? largest_lane(top) : NAN;
}

static float exp_sum(size_t n, float shift, const float *x, float *y)
{
    vfloat sum = {0};
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat e = keep_some(v_exp(load_some(x + i, part) - shift), part);
        sum += e;
        store_some(y + i, e, part);
    }
    return v_sum(sum);
}

static float bias_scores(size_t n, float scale, float slope, float origin, float *scores)
{
#define PT_LANE(l) (float)(l)
    const vfloat lanes = {PT_LANE_LIST(PT_LANE)};
    vfloat top = v_set(-INFINITY);
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat distance = lanes + ((float)i - origin);
        vfloat score = load_some(scores + i, part) * scale + distance * slope;
        store_some(scores + i, score, part);
        if (part < LANES) {
            vfloat kept = v_set(-INFINITY);
            memcpy(&kept, &score, part * sizeof(float));
            score = kept;
        }
        top = v_max(top, score);
    }
    return largest_lane(top);
}

static void softmax_backward(size_t n, float shift, const float *dy, float *y)
{
    PT_EACH_VECTOR(i, part, n)
    store_some(y + i, (load_some(dy + i, part) - shift) * load_some(y + i, part), part);
}

/* exp(-2u) of GELU's 0.5 x (1 + tanh u) = x / (1 + exp(-2u)), which loses nothing to cancellation. */
PT_INLINE vfloat gelu_exponential(vfloat x)
{
    vfloat u = x * 0.79788456f * (x * x * 0.044715f + 1.0f);
    return v_exp(u * -2.0f);
}

static void gelu_forward(size_t n, const float *x, float *y)
{
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat v = load_some(x + i, part);
        store_some(y + i, v / (gelu_exponential(v) + 1.0f), part);
    }
}

/* With s = 1 / (1 + e) and 1 - s = e s: s + 2 x s (1 - s) u'. Beyond 10 in size the second term is below the
 * last place of any gradient. */
static void gelu_backward(size_t n, const float *x, const float *dy, float *dx)
{
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat v = load_some(x + i, part);
        vfloat e = gelu_exponential(v);
        vfloat s = 1.0f / (e + 1.0f);
        vfloat slope = v * v * (3.0f * 0.044715f * 0.79788456f) + 0.79788456f;
        vfloat second = v * 2.0f * s * (e * s) * slope;
        second = v_select((v > 10.0f) | (v < -10.0f), v_set(0.0f), second);
        store_some(dx + i, load_some(dy + i, part) * (s + second), part);
    }
}

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
        vfloat d = keep_some(load_some(x + i, part) - mean, part);
        sums[i / LANES & 1] += d * d;
    }
    return v_sum(sums[0] + sums[1]) / (float)n;
}

static void layer_norm_forward(size_t n, const float *x, const float *weight, const float *bias, float eps,
                               float *y, float *mean, float *rstd)
{
    float m = mean_of(n, x), r = 1.0f / sqrtf(variance_of(n, x, m) + eps);
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat normed = (load_some(x + i, part) - m) * r;
        store_some(y + i, normed * load_some(weight + i, part) + load_some(bias + i, part), part);
    }
    *mean = m;
    *rstd = r;
}

/* dx = rstd (g - mean(g) - h mean(g h)) with g = dy weight and h = (x - mean) rstd. */
static void layer_norm_backward(size_t n, const float *x, float mean, float rstd, const float *weight,
                                const float *dy, bool add, float *dx)
{
    vfloat sum = {0}, sum_h = {0};
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat g = load_some(dy + i, part) * load_some(weight + i, part);
        sum += g;
        sum_h += g * ((load_some(x + i, part) - mean) * rstd);
    }
    float mean_g = v_sum(sum) / (float)n, mean_gh = v_sum(sum_h) / (float)n;
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat g = load_some(dy + i, part) * load_some(weight + i, part);
        vfloat h = (load_some(x + i, part) - mean) * rstd;
        vfloat d = (g - mean_g - h * mean_gh) * rstd;
        store_some(dx + i, add ? load_some(dx + i, part) + d : d, part);
    }
}

static void layer_norm_weights(size_t n, const float *x, float mean, float rstd, const float *dy,
                               float *dweight, float *dbias)
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
