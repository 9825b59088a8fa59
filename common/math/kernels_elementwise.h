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

static void write_sum(size_t n, const float *x, const float *y, float *to)
{
    if (y == to) {
        add_scaled(n, 1.0f, x, to);
        return;
    }
    const bool streams = (uintptr_t)to % 64 == 0;
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat v = load_some(x + i, part);
        if (y)
            v += load_some(y + i, part);
        if (streams && part == LANES)
            v_stream(to + i, v);
        else
            store_some(to + i, v, part);
    }
}

static void scale_all(size_t n, float scale, const float *x, float *y)
{
    PT_EACH_VECTOR(i, part, n)
    store_some(y + i, load_some(x + i, part) * scale, part);
}

static float largest(size_t n, const float *x)
{
    vfloat top = v_set(-INFINITY), poison = {0};
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat v = keep_some(load_some(x + i, part), part, v_set(x[0]));
        top = v_max(top, v);
        poison += v * 0.0f; /* stays 0 while all are finite */
    }
    float sum = v_sum(poison);
    return sum == 0.0f ? v_largest(top) : NAN;
}

static float exp_sum(size_t n, float shift, const float *x, float *y)
{
    vfloat sum = {0};
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat e = keep_some(v_exp(load_some(x + i, part) - shift), part, v_set(0.0f));
        sum += e;
        store_some(y + i, e, part);
    }
    return v_sum(sum);
}

/* See rotary.h; direction 1 or -1. */
static void rotate(size_t half, float direction, const float *cos, const float *sin, float *first,
                   float *second)
{
    PT_EACH_VECTOR(i, part, half)
    {
        vfloat c = load_some(cos + i, part), s = load_some(sin + i, part) * direction;
        vfloat x = load_some(first + i, part), y = load_some(second + i, part);
        store_some(first + i, x * c - y * s, part);
        store_some(second + i, y * c + x * s, part);
    }
}

#endif
