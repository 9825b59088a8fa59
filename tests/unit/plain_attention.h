/*
 * Setups for attention, a plain implementation in double with its gradients, and the same by the library.
 */
#ifndef PT_TESTS_UNIT_PLAIN_ATTENTION_H
#define PT_TESTS_UNIT_PLAIN_ATTENTION_H

#include "math_values.h"

#include "base/threads.h"
#include "math/attention.h"

static struct pt_math *math; /* NULL: f32 by the kernels at hand */

enum { MOST_SEGMENTS = 12, MOST_KEYS = 2048, MOST_DIM = 256 };

/* Keys in front of the layer, a prompt of n_prompt rows that is segment 0 and is seen by all others, and
 * examples. */
struct setup {
    size_t n_heads, n_kv_heads, dim;
    size_t n_prefix, n_prompt;
    size_t n_examples, lengths[MOST_SEGMENTS];
    bool alibi;
    float soft_cap;
    size_t window;
};

static const struct setup setups[] = {
    {2, 2, 4, 0, 0, 1, {5}, false, 0, 0},
    {3, 3, 5, 0, 2, 2, {7, 1}, true, 0, 0},
    {4, 2, 3, 3, 0, 2, {6, 9}, true, 0, 0},
    {4, 1, 6, 2, 5, 3, {3, 8, 2}, true, 0, 0},
    {1, 1, 2, 1, 2, 1, {55}, true, 0, 0},
    {2, 1, 17, 1, 20, 2, {19, 3}, true, 0, 0},
    /* Caps that bend the scores, windows that begin within each kind of block. */
    {2, 1, 8, 0, 0, 1, {9}, false, 0.5f, 0},
    {2, 2, 5, 2, 3, 2, {11, 4}, false, 0.7f, 6},
    {3, 1, 7, 1, 4, 2, {60, 3}, true, 0, 5},
    {2, 1, 6, 3, 2, 2, {52, 2}, false, 0, 1},
    {1, 1, 4, 2, 2, 1, {50}, false, 0.3f, 49},
    /* Heads of real models. */
    {2, 1, 64, 0, 2, 1, {5}, false, 0, 0},
    {2, 2, 80, 0, 1, 1, {3}, false, 0, 0},
    {3, 1, 96, 0, 0, 1, {6}, false, 0, 3},
    {2, 1, 128, 0, 2, 1, {3}, true, 0, 0},
    {2, 1, 256, 0, 0, 1, {5}, false, 2.0f, 4},
};

/* More than one chunk of decoded keys, segments that share a unit, several parts of a key head. */
static const struct setup large_setups[] = {
    {2, 1, 3, 1500, 2, 3, {3, 1, 20}, true, 0, 0},
    {4, 2, 4, 1100, 1, 2, {2, 1}, false, 0.6f, 1090},
    {8, 8, 4, 1, 3, 11, {9, 1, 20, 7, 6, 5, 12, 50, 3, 2, 14}, true, 0, 0},
    {16, 16, 5, 0, 2, 9, {3, 4, 5, 6, 7, 8, 9, 60, 11}, false, 0, 7},
    {12, 1, 4, 2, 5, 4, {70, 3, 40, 2}, true, 0.9f, 0},
    {3, 1, 6, 0, 0, 1, {400}, false, 0, 90},
    {1, 1, 4, 1, 0, 1, {70}, false, 0, 0},
};

/* All values in double: rows [n_rows, n_heads + 2 n_kv_heads, dim], in front [n_prefix, 2 n_kv_heads, dim].
 */
struct values {
    size_t n_rows, width;
    double *rows, *prefix, *dout;
    float *rows_f32, *prefix_f32, *dout_f32, *slopes;
};

static inline double *widened(const float *from, size_t n)
{
    double *to = calloc(n + 1, sizeof *to);
    assert_non_null(to);
    for (size_t i = 0; i < n; i++)
        to[i] = (double)from[i];
    return to;
}

static inline struct values new_setup_values(const struct setup *s)
{
    struct values v = {.n_rows = s->n_prompt, .width = (s->n_heads + 2 * s->n_kv_heads) * s->dim};
    for (size_t i = 0; i < s->n_examples; i++)
        v.n_rows += s->lengths[i];
    size_t n = v.n_rows * v.width, n_prefix = s->n_prefix * 2 * s->n_kv_heads * s->dim,
           n_out = v.n_rows * s->n_heads * s->dim;
    v.rows_f32 = new_values(n, 1.0f, 1);
    v.prefix_f32 = new_values(n_prefix, 1.0f, 2);
    v.dout_f32 = new_values(n_out, 1.0f, 3);
    v.slopes = new_values(s->n_heads, 0.0f, 4);
    pt_alibi_slopes(s->n_heads, v.slopes);
    v.rows = widened(v.rows_f32, n);
    v.prefix = widened(v.prefix_f32, n_prefix);
    v.dout = widened(v.dout_f32, n_out);
    return v;
}

static inline void free_values(struct values *v)
{
    void *all[] = {v->rows, v->prefix, v->dout, v->rows_f32, v->prefix_f32, v->dout_f32, v->slopes};
    for (size_t i = 0; i < N_OF(all); i++)
        free(all[i]);
}

/* Key or value `key` of a query in row `row` of a segment that begins at `start`. */
static inline const double *key_at(const struct setup *s, const struct values *v, size_t start, size_t key,
                                   size_t kv_head, bool value)
{
    size_t head = kv_head + (value ? s->n_kv_heads : 0);
    if (key < s->n_prefix)
        return v->prefix + (key * 2 * s->n_kv_heads + head) * s->dim;
    key -= s->n_prefix;
    size_t row = start && key < s->n_prompt ? key : start + key - (start ? s->n_prompt : 0);
    return v->rows + row * v->width + (s->n_heads + head) * s->dim;
}

/* A query and head, and the keys first .. n that it sees. */
struct plain_query {
    size_t start, row, head, kv_head, first, n;
    const double *q;
    double scale, log_sum, weights[MOST_KEYS], cap_slopes[MOST_KEYS];
};

static inline void weigh(const struct setup *s, const struct values *v, size_t start, size_t i, size_t head,
                         struct plain_query *query)
{
    size_t n = s->n_prefix + (start ? s->n_prompt : 0) + i + 1;
    double sum = 0, cap = (double)s->soft_cap;
    *query = (struct plain_query){.start = start,
                                  .row = start + i,
                                  .head = head,
                                  .kv_head = head / (s->n_heads / s->n_kv_heads),
                                  .first = s->window && n > s->window ? n - s->window : 0,
                                  .n = n,
                                  .q = v->rows + (start + i) * v->width + head * s->dim,
                                  .scale = (double)(float)(1 / sqrt((double)s->dim))};
    for (size_t key = query->first; key < n; key++) {
        double score = 0;
        for (size_t j = 0; j < s->dim; j++)
            score += query->scale * query->q[j] * key_at(s, v, start, key, query->kv_head, false)[j];
        query->cap_slopes[key] = cap != 0 ? 1 - tanh(score / cap) * tanh(score / cap) : 1;
        score = cap != 0 ? cap * tanh(score / cap) : score;
        score += s->alibi ? (double)v->slopes[head] * ((double)key - (double)(n - 1)) : 0;
        query->weights[key] = exp(score);
        sum += query->weights[key];
    }
    for (size_t key = query->first; key < n; key++)
        query->weights[key] /= sum;
    query->log_sum = log(sum);
}

/* out [dim]; returns the log of the sum. */
static inline double plain_query(const struct setup *s, const struct values *v, size_t start, size_t i,
                                 size_t head, double *out)
{
    struct plain_query query;
    weigh(s, v, start, i, head, &query);
    memset(out, 0, s->dim * sizeof *out);
    for (size_t key = query.first; key < query.n; key++)
        for (size_t j = 0; j < s->dim; j++)
            out[j] += query.weights[key] * key_at(s, v, start, key, query.kv_head, true)[j];
    return query.log_sum;
}

/* Sum of dout * out; out [n_rows, n_heads, dim] and log_sums [n_rows, n_heads] may be NULL. */
static inline double plain_attention(const struct setup *s, const struct values *v, double *out,
                                     double *log_sums)
{
    double loss = 0, row_out[MOST_DIM];
    size_t start = 0;
    for (size_t e = s->n_prompt ? 0 : 1; e <= s->n_examples; e++) {
        size_t length = e ? s->lengths[e - 1] : s->n_prompt;
        for (size_t i = 0; i < length; i++)
            for (size_t h = 0; h < s->n_heads; h++) {
                size_t at = (start + i) * s->n_heads + h;
                double log_sum = plain_query(s, v, start, i, h, row_out);
                if (log_sums)
                    log_sums[at] = log_sum;
                for (size_t j = 0; j < s->dim; j++) {
                    loss += v->dout[at * s->dim + j] * row_out[j];
                    if (out)
                        out[at * s->dim + j] = row_out[j];
                }
            }
        start += length;
    }
    return loss;
}

/* The same as our segments; gradients like `rows` and `prefix` (NULL: none). */
static inline size_t make_segments(const struct setup *s, struct values *v, float *drows, float *dprefix,
                                   struct pt_segment *segments)
{
    const size_t q_width = s->n_heads * s->dim, kv_width = s->n_kv_heads * s->dim;
    size_t n = 0, start = 0;
    for (size_t e = s->n_prompt ? 0 : 1; e <= s->n_examples; e++) {
        struct pt_segment *segment = &segments[n++];
        size_t length = e ? s->lengths[e - 1] : s->n_prompt;
        *segment = (struct pt_segment){.first_query = start, .n_queries = length};
        if (s->n_prefix)
            segment->blocks[segment->n_blocks++] =
                (struct pt_key_block){.k = {v->prefix_f32, 2 * kv_width, s->dim},
                                      .v = {v->prefix_f32 + kv_width, 2 * kv_width, s->dim},
                                      .dk = {dprefix, 2 * kv_width, s->dim},
                                      .dv = {dprefix ? dprefix + kv_width : NULL, 2 * kv_width, s->dim},
                                      s->n_prefix};
        for (int own = s->n_prompt && e ? 0 : 1; own < 2; own++) {
            float *from = v->rows_f32 + (own ? start * v->width : 0) + q_width;
            float *to = drows ? drows + (own ? start * v->width : 0) + q_width : NULL;
            segment->blocks[segment->n_blocks++] =
                (struct pt_key_block){.k = {from, v->width, s->dim},
                                      .v = {from + kv_width, v->width, s->dim},
                                      .dk = {to, v->width, s->dim},
                                      .dv = {to ? to + kv_width : NULL, v->width, s->dim},
                                      own ? length : s->n_prompt};
        }
        start += length;
    }
    return n;
}

static inline struct pt_attention_shape shape_of(const struct setup *s, const struct values *v)
{
    return (struct pt_attention_shape){.n_heads = s->n_heads,
                                       .n_kv_heads = s->n_kv_heads,
                                       .head_dim = s->dim,
                                       .scale = (float)(1 / sqrt((double)s->dim)),
                                       .alibi_slopes = s->alibi ? v->slopes : NULL,
                                       .soft_cap = s->soft_cap,
                                       .window = s->window};
}

static inline void run_forward(const struct setup *s, struct values *v, float *out, float *log_sums)
{
    struct pt_error err = {0};
    struct pt_segment segments[MOST_SEGMENTS + 1];
    struct pt_attention_shape shape = shape_of(s, v);
    size_t n = make_segments(s, v, NULL, NULL, segments);
    assert_int_equal(
        pt_attention_forward(math, &shape, segments, n, (struct pt_heads){v->rows_f32, v->width, s->dim},
                             (struct pt_heads){out, s->n_heads * s->dim, s->dim}, log_sums, &err),
        PT_OK);
}

static inline void run_backward(const struct setup *s, struct values *v, const float *log_sums, float *drows,
                                float *dprefix)
{
    struct pt_error err = {0};
    struct pt_segment segments[MOST_SEGMENTS + 1];
    struct pt_attention_shape shape = shape_of(s, v);
    size_t n = make_segments(s, v, drows, dprefix, segments);
    assert_int_equal(pt_attention_backward(math, &shape, segments, n,
                                           (struct pt_heads){v->rows_f32, v->width, s->dim},
                                           (struct pt_heads){v->dout_f32, s->n_heads * s->dim, s->dim},
                                           log_sums, (struct pt_heads){drows, v->width, s->dim}, &err),
                     PT_OK);
}

static inline double plain_dot(size_t n, const double *x, const double *y)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += x[j] * y[j];
    return sum;
}

/* Adds the gradients of one query and head to those of all values: `gradients` has their layout. */
static inline void plain_query_gradient(const struct setup *s, const struct values *v,
                                        const struct plain_query *query, struct values *gradients)
{
    const double *dout = v->dout + (query->row * s->n_heads + query->head) * s->dim;
    double *dq = gradients->rows + query->row * v->width + query->head * s->dim, mean = 0;
    for (size_t key = query->first; key < query->n; key++)
        mean += query->weights[key] *
                plain_dot(s->dim, dout, key_at(s, v, query->start, key, query->kv_head, true));
    for (size_t key = query->first; key < query->n; key++) {
        const double *k = key_at(s, v, query->start, key, query->kv_head, false),
                     *value = key_at(s, v, query->start, key, query->kv_head, true);
        double *dk = (double *)key_at(s, gradients, query->start, key, query->kv_head, false),
               *dv = (double *)key_at(s, gradients, query->start, key, query->kv_head, true);
        double d = query->weights[key] * (plain_dot(s->dim, dout, value) - mean) * query->cap_slopes[key] *
                   query->scale;
        for (size_t j = 0; j < s->dim; j++) {
            dq[j] += d * k[j];
            dk[j] += d * query->q[j];
            dv[j] += query->weights[key] * dout[j];
        }
    }
}

static inline void plain_gradients(const struct setup *s, const struct values *v, double *rows,
                                   double *prefix)
{
    struct values gradients = {.n_rows = v->n_rows, .width = v->width, .rows = rows, .prefix = prefix};
    size_t start = 0;
    for (size_t e = s->n_prompt ? 0 : 1; e <= s->n_examples; e++) {
        size_t length = e ? s->lengths[e - 1] : s->n_prompt;
        for (size_t i = 0; i < length; i++)
            for (size_t h = 0; h < s->n_heads; h++) {
                struct plain_query query;
                weigh(s, v, start, i, h, &query);
                plain_query_gradient(s, v, &query, &gradients);
            }
        start += length;
    }
}

static inline float *new_ones(size_t n)
{
    float *ones = new_values(n, 0.0f, 1);
    for (size_t i = 0; i < n; i++)
        ones[i] = 1.0f;
    return ones;
}

struct gradients {
    size_t n_rows, n_prefix;
    double *rows, *prefix;
};

static inline struct gradients new_gradients(const struct setup *s, const struct values *v)
{
    struct gradients g = {v->n_rows * v->width, s->n_prefix * 2 * s->n_kv_heads * s->dim, NULL, NULL};
    g.rows = calloc(g.n_rows, sizeof *g.rows);
    g.prefix = calloc(g.n_prefix + 1, sizeof *g.prefix);
    assert_true(g.rows && g.prefix);
    plain_gradients(s, v, g.rows, g.prefix);
    return g;
}

static inline void check_threads(const struct setup *s)
{
    struct values v = new_setup_values(s);
    const size_t n = v.n_rows * v.width, n_out = v.n_rows * s->n_heads * s->dim,
                 n_prefix = s->n_prefix * 2 * s->n_kv_heads * s->dim;
    float *out[4], *drows[4], *dprefix[4], *log_sums = new_values(v.n_rows * s->n_heads, 0.0f, 1);
    for (int threads = 1; threads <= 3; threads++) {
        pt_threads_set(threads);
        out[threads] = new_values(n_out, 0.0f, 1);
        drows[threads] = new_values(n, 0.0f, 1);
        dprefix[threads] = new_values(n_prefix, 0.0f, 1);
        run_forward(s, &v, out[threads], log_sums);
        run_backward(s, &v, log_sums, drows[threads], dprefix[threads]);
        assert_memory_equal(out[1], out[threads], n_out * sizeof(float));
        assert_memory_equal(drows[1], drows[threads], n * sizeof(float));
        assert_memory_equal(dprefix[1], dprefix[threads], n_prefix * sizeof(float));
    }
    for (int threads = 1; threads <= 3; threads++) {
        free(out[threads]);
        free(drows[threads]);
        free(dprefix[threads]);
    }
    free(log_sums);
    free_values(&v);
    pt_threads_set(0);
}

#endif
