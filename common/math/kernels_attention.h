/*
 * Rows of attention's scores. They are read and written in whole vectors: a row has room behind its end, and
 * what is written there counts for nothing. Included once by each instruction set's file.
 */
#ifndef PT_MATH_KERNELS_ATTENTION_H
#define PT_MATH_KERNELS_ATTENTION_H

#include "math/kernels.h"
#include "math/kernels_words.h"
#include "math/simd.h"

#include <math.h>

/* Products q·k at keys i and on, of n, to scores. */
PT_INLINE vfloat scored(const struct pt_score_rule *rule, bool capped, size_t i, size_t n, vfloat products)
{
#define PT_LANE(l) (float)(l)
    const vfloat lanes = {PT_LANE_LIST(PT_LANE)};
    vfloat scores =
        capped ? v_tanh(products * (rule->scale / rule->cap)) * rule->cap : products * rule->scale;
    return scores + (lanes + ((float)i - (float)(n - 1))) * rule->slope;
}

PT_INLINE float soften_row(const struct pt_score_rule *rule, bool capped, size_t n, float *scores, float *top)
{
    vfloat tops = v_set(-INFINITY), sum = {0};
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat s = keep_some(scored(rule, capped, i, n, v_load(scores + i)), part, v_set(-INFINITY));
        v_store(scores + i, s);
        tops = v_max(s, tops);
    }
    *top = v_largest(tops);
    PT_EACH_VECTOR(i, part, n)
    {
        vfloat e = v_exp(v_load(scores + i) - *top);
        v_store(scores + i, e);
        sum += keep_some(e, part, v_set(0.0f));
    }
    return v_sum(sum);
}

static float soften(const struct pt_score_rule *rule, size_t n, float *scores, float *top)
{
    return rule->cap != 0.0f ? soften_row(rule, true, n, scores, top)
                             : soften_row(rule, false, n, scores, top);
}

static void probabilities(const struct pt_score_rule *rule, size_t n, float log_sum, float *scores,
                          float *slopes)
{
    for (size_t i = 0; i < n; i += LANES) {
        vfloat products = v_load(scores + i), s = scored(rule, slopes != NULL, i, n, products);
        if (slopes) {
            vfloat t = v_tanh(products * (rule->scale / rule->cap));
            v_store(slopes + i, 1.0f - t * t);
        }
        v_store(scores + i, v_exp(s - log_sum));
    }
}

static void score_gradients(size_t n, float scale, const float *slopes, const float *p, float *dp)
{
    vfloat sum = {0};
    PT_EACH_VECTOR(i, part, n)
    sum += keep_some(v_load(p + i) * v_load(dp + i), part, v_set(0.0f));
    float mean = v_sum(sum);
    for (size_t i = 0; i < n; i += LANES) {
        vfloat d = (v_load(dp + i) - mean) * v_load(p + i) * scale;
        v_store(dp + i, slopes ? d * v_load(slopes + i) : d);
    }
}

/* Rows of keys or values that are read side by side, and how many rows ahead they are asked for: where
 * several query heads pass over a row, the CPU looks not far enough ahead by itself. */
enum { DECODED_KEYS = 4, KEYS_AHEAD = 32, MANY_HEADS = 4 };

PT_INLINE void fetch_ahead(size_t keys, size_t dim, const float *rows, size_t stride)
{
    for (size_t r = KEYS_AHEAD; r < KEYS_AHEAD + keys; r++)
        for (size_t j = 0; j < dim; j += 16) /* a line of cache */
            __builtin_prefetch(rows + r * stride + j);
}

/* One query head with `keys` rows of keys, `stride` apart. */
PT_INLINE void score_keys(size_t keys, size_t dim, const float *q, const float *k, size_t stride,
                          float *scores)
{
    const size_t whole = dim / LANES * LANES;
    vfloat sums[DECODED_KEYS] = {0};
    for (size_t j = 0; j < whole; j += LANES)
#pragma GCC unroll 4
        for (size_t r = 0; r < keys; r++)
            sums[r] += v_load(q + j) * v_load(k + r * stride + j);
    if (whole < dim)
#pragma GCC unroll 4
        for (size_t r = 0; r < keys; r++)
            sums[r] += v_load_part(q + whole, dim - whole) * v_load_part(k + r * stride + whole, dim - whole);
    vfloat4 four = v_sum_four(sums);
    memcpy(scores, &four, keys * sizeof *scores);
}

/* All query heads with `keys` rows of keys. */
PT_INLINE void score_heads(const struct pt_attention_shape *shape, size_t keys, const float *q,
                           size_t head_stride, const float *k, const struct pt_heads *heads, float *scores,
                           size_t score_stride)
{
    const size_t group = shape->n_heads / shape->n_kv_heads;
    for (size_t h = 0; h < shape->n_kv_heads; h++, k += heads->head_stride) {
        if (group >= MANY_HEADS)
            fetch_ahead(keys, shape->head_dim, k, heads->row_stride);
        for (size_t g = 0; g < group; g++, q += head_stride, scores += score_stride)
            score_keys(keys, shape->head_dim, q, k, heads->row_stride, scores);
    }
}

static void key_scores(const struct pt_attention_shape *shape, size_t n_keys, const float *q,
                       size_t head_stride, struct pt_heads k, float *scores, size_t score_stride)
{
    size_t key = 0;
    for (; key + DECODED_KEYS <= n_keys; key += DECODED_KEYS)
        score_heads(shape, DECODED_KEYS, q, head_stride, pt_head(&k, key, 0), &k, scores + key, score_stride);
    for (; key < n_keys; key++)
        score_heads(shape, 1, q, head_stride, pt_head(&k, key, 0), &k, scores + key, score_stride);
}

/* out += `keys` rows of values, each times its weight. */
PT_INLINE void add_values(size_t keys, size_t dim, const float *weights, const float *v, size_t stride,
                          float *out)
{
    const size_t whole = dim / LANES * LANES;
    vfloat weight[DECODED_KEYS];
#pragma GCC unroll 4
    for (size_t r = 0; r < keys; r++)
        weight[r] = v_set(weights[r]);
    for (size_t j = 0; j < whole; j += LANES) {
        vfloat sum = v_load(out + j);
#pragma GCC unroll 4
        for (size_t r = 0; r < keys; r++)
            sum += v_load(v + r * stride + j) * weight[r];
        v_store(out + j, sum);
    }
    if (whole < dim) {
        vfloat sum = v_load_part(out + whole, dim - whole);
#pragma GCC unroll 4
        for (size_t r = 0; r < keys; r++)
            sum += v_load_part(v + r * stride + whole, dim - whole) * weight[r];
        v_store_part(out + whole, sum, dim - whole);
    }
}

/* The same for all query heads. */
PT_INLINE void add_head_values(const struct pt_attention_shape *shape, size_t keys, const float *weights,
                               size_t weight_stride, const float *v, const struct pt_heads *heads, float *out)
{
    const size_t group = shape->n_heads / shape->n_kv_heads;
    for (size_t h = 0; h < shape->n_kv_heads; h++, v += heads->head_stride) {
        if (group >= MANY_HEADS)
            fetch_ahead(keys, shape->head_dim, v, heads->row_stride);
        for (size_t g = 0; g < group; g++, weights += weight_stride, out += shape->head_dim)
            add_values(keys, shape->head_dim, weights, v, heads->row_stride, out);
    }
}

static void value_sums(const struct pt_attention_shape *shape, size_t n_keys, const float *weights,
                       size_t weight_stride, struct pt_heads v, float *out)
{
    size_t key = 0;
    for (; key + DECODED_KEYS <= n_keys; key += DECODED_KEYS)
        add_head_values(shape, DECODED_KEYS, weights + key, weight_stride, pt_head(&v, key, 0), &v, out);
    for (; key < n_keys; key++)
        add_head_values(shape, 1, weights + key, weight_stride, pt_head(&v, key, 0), &v, out);
}

#endif
