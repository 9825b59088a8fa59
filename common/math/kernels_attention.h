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

enum { DECODED_KEYS = 4 }; /* rows of keys or values that are read side by side */

/* One query head with `keys` rows of keys, `stride` apart. */
PT_INLINE void score_keys(size_t keys, size_t dim, const float *q, const float *k, size_t stride,
                          float *scores)
{
    vfloat sums[DECODED_KEYS] = {0};
    PT_EACH_VECTOR(j, part, dim)
    {
        vfloat left = load_some(q + j, part);
#pragma GCC unroll 4
        for (size_t r = 0; r < keys; r++)
            sums[r] += left * load_some(k + r * stride + j, part);
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < keys; r++)
        scores[r] = v_sum(sums[r]);
}

static void key_scores(const struct pt_attention_shape *shape, size_t n_keys, const float *q,
                       size_t head_stride, struct pt_heads k, float *scores, size_t score_stride)
{
    const size_t group = shape->n_heads / shape->n_kv_heads, dim = shape->head_dim;
    for (size_t key = 0, n; key < n_keys; key += n) {
        n = n_keys - key < DECODED_KEYS ? 1 : DECODED_KEYS;
        for (size_t head = 0; head < shape->n_heads; head++) {
            const float *rows = pt_head(&k, key, head / group), *query = q + head * head_stride;
            float *to = scores + head * score_stride + key;
            if (n == DECODED_KEYS)
                score_keys(DECODED_KEYS, dim, query, rows, k.row_stride, to);
            else
                score_keys(1, dim, query, rows, k.row_stride, to);
        }
    }
}

/* out += `keys` rows of values, each times its weight. */
PT_INLINE void add_values(size_t keys, size_t dim, const float *weights, const float *v, size_t stride,
                          float *out)
{
    PT_EACH_VECTOR(j, part, dim)
    {
        vfloat sum = load_some(out + j, part);
#pragma GCC unroll 4
        for (size_t r = 0; r < keys; r++)
            sum += load_some(v + r * stride + j, part) * weights[r];
        store_some(out + j, sum, part);
    }
}

static void value_sums(const struct pt_attention_shape *shape, size_t n_keys, const float *weights,
                       size_t weight_stride, struct pt_heads v, float *out)
{
    const size_t group = shape->n_heads / shape->n_kv_heads, dim = shape->head_dim;
    for (size_t key = 0, n; key < n_keys; key += n) {
        n = n_keys - key < DECODED_KEYS ? 1 : DECODED_KEYS;
        for (size_t head = 0; head < shape->n_heads; head++) {
            const float *rows = pt_head(&v, key, head / group),
                        *of_head = weights + head * weight_stride + key;
            if (n == DECODED_KEYS)
                add_values(DECODED_KEYS, dim, of_head, rows, v.row_stride, out + head * dim);
            else
                add_values(1, dim, of_head, rows, v.row_stride, out + head * dim);
        }
    }
}

#endif
