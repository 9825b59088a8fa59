/*
 * Activations: each gives its value and its derivative from one exponential, and the compiler drops what a
 * caller does not use. Included once by each instruction set's file.
 */
#ifndef PT_MATH_KERNELS_ACTIVATION_H
#define PT_MATH_KERNELS_ACTIVATION_H

#include "math/activation.h"
#include "math/kernels_words.h"
#include "math/simd.h"

struct activated {
    vfloat value, slope;
};

/* 0.5 x (1 + tanh u) = x s with s = 1 / (1 + exp(-2u)), which loses nothing to cancellation; and 1 - s =
 * exp(-2u) s. Beyond 10 in size the slope's second term is below the last place of the first. */
PT_INLINE struct activated gelu_tanh(vfloat x)
{
    vfloat u = x * 0.79788456f * (x * x * 0.044715f + 1.0f);
    vfloat e = v_exp(u * -2.0f), s = 1.0f / (e + 1.0f);
    vfloat u_slope = x * x * (3.0f * 0.044715f * 0.79788456f) + 0.79788456f;
    vfloat second = x * 2.0f * s * (e * s) * u_slope;
    second = v_select((x > 10.0f) | (x < -10.0f), v_set(0.0f), second);
    return (struct activated){x / (e + 1.0f), s + second};
}

/* Φ(-|x|) = exp(-x²/2) t P(t) with t = 1 / (1 + 0.35 |x|), P a minimax polynomial of relative error 3.2e-8
 * for |x| <= 14; beyond, the exponential is 0 in f32. */
PT_INLINE struct activated gelu_erf(vfloat x)
{
    vfloat density = v_exp(x * x * -0.5f);
    vfloat t = 1.0f / (v_abs(x) * 0.35f + 1.0f);
    vfloat p = t * -0x1.dd86e2p-6f + 0x1.26daap-3f;
    p = p * t - 0x1.05d9f4p-2f;
    p = p * t + 0x1.45fd16p-3f;
    p = p * t - 0x1.7aa194p-6f;
    p = p * t + 0x1.b02926p-4f;
    p = p * t + 0x1.ead5ep-4f;
    p = p * t + 0x1.1e6fe6p-3f;
    p = p * t + 0x1.1df1d4p-3f;
    vfloat tail = density * (p * t);
    vfloat below = v_select(x < 0.0f, tail, 1.0f - tail);
    return (struct activated){x * below, below + x * density * 0.39894228f};
}

/* x s with s = 1 / (1 + exp(-x)), and its slope s + x s (1 - s). */
PT_INLINE struct activated silu(vfloat x)
{
    vfloat e = v_exp(-x), s = 1.0f / (e + 1.0f);
    vfloat second = v_select((x > 88.0f) | (x < -88.0f), v_set(0.0f), x * s * (e * s));
    return (struct activated){x / (e + 1.0f), s + second};
}

PT_INLINE struct activated relu(vfloat x)
{
    return (struct activated){v_select(x < 0.0f, v_set(0.0f), x),
                              v_select(x <= 0.0f, v_set(0.0f), v_set(1.0f))};
}

PT_INLINE struct activated activate(enum pt_activation kind, vfloat x)
{
    switch (kind) {
    case PT_GELU_TANH:
        return gelu_tanh(x);
    case PT_GELU:
        return gelu_erf(x);
    case PT_SILU:
        return silu(x);
    default:
        return relu(x);
    }
}

/* Calls f with the kind as a constant, so that each has a loop of its own. */
#define PT_FOR_KIND(f, kind, ...)     \
    switch (kind) {                   \
    case PT_GELU_TANH:                \
        f(PT_GELU_TANH, __VA_ARGS__); \
        break;                        \
    case PT_GELU:                     \
        f(PT_GELU, __VA_ARGS__);      \
        break;                        \
    case PT_SILU:                     \
        f(PT_SILU, __VA_ARGS__);      \
        break;                        \
    case PT_RELU:                     \
        f(PT_RELU, __VA_ARGS__);      \
    }

PT_INLINE void forward_of(enum pt_activation kind, size_t n, const float *x, float *y)
{
    PT_EACH_VECTOR(i, part, n)
    store_some(y + i, activate(kind, load_some(x + i, part)).value, part);
}

static void activation_forward(enum pt_activation kind, size_t n, const float *x, float *y)
{
    PT_FOR_KIND(forward_of, kind, n, x, y);
}

PT_INLINE void backward_of(enum pt_activation kind, size_t n, const float *x, const float *dy, float *dx)
{
    PT_EACH_VECTOR(i, part, n)
    store_some(dx + i, load_some(dy + i, part) * activate(kind, load_some(x + i, part)).slope, part);
}

static void activation_backward(enum pt_activation kind, size_t n, const float *x, const float *dy, float *dx)
{
    PT_FOR_KIND(backward_of, kind, n, x, dy, dx);
}

PT_INLINE void gated_of(enum pt_activation kind, size_t n, const float *gate, const float *up, float *y)
{
    PT_EACH_VECTOR(i, part, n)
    store_some(y + i, activate(kind, load_some(gate + i, part)).value * load_some(up + i, part), part);
}

static void gated_forward(enum pt_activation kind, size_t n, const float *gate, const float *up, float *y)
{
    PT_FOR_KIND(gated_of, kind, n, gate, up, y);
}

PT_INLINE void gated_backward_of(enum pt_activation kind, size_t n, const float *gate, const float *up,
                                 const float *dy, float *dgate, float *dup)
{
    PT_EACH_VECTOR(i, part, n)
    {
        struct activated f = activate(kind, load_some(gate + i, part));
        vfloat d = load_some(dy + i, part), u = load_some(up + i, part);
        store_some(dgate + i, d * u * f.slope, part);
        store_some(dup + i, d * f.value, part);
    }
}

static void gated_backward(enum pt_activation kind, size_t n, const float *gate, const float *up,
                           const float *dy, float *dgate, float *dup)
{
    PT_FOR_KIND(gated_backward_of, kind, n, gate, up, dy, dgate, dup);
}

#endif
