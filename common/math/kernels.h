/*
 * The inner loops, compiled once per instruction set and chosen at run time. All of them work on one thread's
 * piece. Words: 32 bits, an f32 or a pair of bf16 whose first member is in the low half.
 */
#ifndef PT_MATH_KERNELS_H
#define PT_MATH_KERNELS_H

#include "fmt/dtype.h"
#include "math/activation.h"
#include "math/attention.h"

#include <stdbool.h>
#include <stddef.h>

enum { PT_BLOCK_ROWS = 6, PT_DOT_ROWS = 6, PT_DOT_COLUMNS = 4 };

/* A matrix of words: element (i, step) at data[i * row + step * step]; one of the two strides is 1. */
struct pt_left {
    const float *data;
    size_t row, step;
};

/* score = cap * tanh(scale * q·k / cap) (cap 0: scale * q·k) + slope * (key - query); a row's last key is the
 * query's own. */
struct pt_score_rule {
    float scale, slope, cap;
};

typedef void pt_multiply_kernel(size_t m, size_t n, size_t n_steps, struct pt_left a, const float *b,
                                size_t ldb, float *c, size_t ldc, bool add);

/* A product over k elements of rows of x and a matrix w as it lies in memory. */
struct pt_dots {
    const float *x; /* words, rows ldx words apart */
    size_t ldx;
    const void *w; /* in dtype, rows w_row bytes apart */
    size_t w_row;
    enum pt_dtype dtype;
    size_t k;
    size_t ahead; /* bytes behind the part of w that is read lies what to fetch into the second-level cache */
    unsigned fetched;  /* behind row j of w where bit j is set; for `dots` only */
    const float *bias; /* [n] that each row of y starts as, or NULL; for `dots` only, and not with `add` */
    float *y;
    size_t ldy;
    bool add;
};
typedef void pt_dots_kernel(size_t m, size_t n, const struct pt_dots *dots);

struct pt_kernels {
    const char *name;
    size_t lanes; /* f32 in a vector; rows of right-hand matrices are readable up to a multiple of it */
    size_t panel_columns; /* width of the column blocks that `multiply` likes best */

    /* c [m, n] = a [m, n_steps] b [n_steps, n], or += where `add` is set: over words that are f32, or pairs
     * of bf16. */
    pt_multiply_kernel *multiply, *multiply_pairs;
    /* y[i][j] = x[i] · w[j], or +=, for m <= PT_DOT_ROWS rows of x and n rows of w, each read once: over f32,
     * or over pairs of bf16, to which w is rounded on the way. */
    pt_dots_kernel *dots, *dots_pairs;
    /* The same for rows of w that run along the n columns of y: y[i][j] = sum of x[i][p] w[p][j] over k rows
     * p. Where `add` is set the sum goes on from y, as if those rows and the ones before had been one
     * product. */
    pt_dots_kernel *in_place, *in_place_pairs;

    /* n elements of F32, F16 or BF16 to f32. */
    void (*widen)(float *to, const void *from, enum pt_dtype dtype, size_t n);
    /*
     * Elements as words of pairs in n_terms terms, `term` words apart: the first is each element rounded to
     * bf16, the next what that leaves of it, and so on. Elements of bf16 have one.
     *
     * pair_row: words (from[0], from[1]), (from[2], from[3]), ...; a last single element is paired with 0.
     * pair_rows: of from [n_rows, n], rows ldf elements apart: to[i * ldt + j] is the word of elements (2 i,
     * j) and (2 i + 1, j); a last single row is paired with 0.
     * pair_columns: of the same, along the rows: to[w * ldt + i] is word w of row i.
     */
    void (*pair_row)(float *to, size_t term, int n_terms, const void *from, enum pt_dtype dtype, size_t n);
    void (*pair_rows)(float *to, size_t ldt, size_t term, int n_terms, const void *from, size_t ldf,
                      enum pt_dtype dtype, size_t n_rows, size_t n);
    void (*pair_columns)(float *to, size_t ldt, size_t term, int n_terms, const void *from, size_t ldf,
                         enum pt_dtype dtype, size_t n_rows, size_t n);
    /* to[j * ldt + i] = from[i * ldf + j] for m rows and n columns of words. */
    void (*transpose)(float *to, size_t ldt, const float *from, size_t ldf, size_t m, size_t n);

    float (*dot)(size_t n, const float *x, const float *y);
    void (*add_scaled)(size_t n, float scale, const float *x, float *y); /* y += scale x */
    /* to = x + y, y may be NULL or `to`; else and where `to` is on a 64-byte boundary, what is written does
     * not pass through the caches. */
    void (*write_sum)(size_t n, const float *x, const float *y, float *to);
    void (*scale)(size_t n, float scale, const float *x, float *y); /* y = scale x; y may be x */
    float (*largest)(size_t n, const float *x); /* not-a-number where an element is not finite */
    /* y = exp(x - shift), their sum is returned; y may be x. */
    float (*exp_sum)(size_t n, float shift, const float *x, float *y);

    /*
     * One row of n scores, with room for whole vectors behind it. soften: products q·k become scores, then
     * exp(score - top) with the largest of them in *top; their sum is returned. probabilities: the same with
     * exp(score - log_sum); slopes (NULL without a cap) gets the derivative by the uncapped score.
     * score_gradients: dp becomes the gradient of the product, from that of the probabilities p.
     */
    float (*soften)(const struct pt_score_rule *rule, size_t n, float *scores, float *top);
    void (*probabilities)(const struct pt_score_rule *rule, size_t n, float log_sum, float *scores,
                          float *slopes);
    void (*score_gradients)(size_t n, float scale, const float *slopes, const float *p, float *dp);
    /* One query of all heads: scores [n_heads, score_stride] = q·k for n keys. */
    void (*key_scores)(const struct pt_attention_shape *shape, size_t n_keys, const float *q,
                       size_t head_stride, struct pt_heads k, float *scores, size_t score_stride);
    /* out [n_heads, head_dim] += the values of n keys times their weights [n_heads, weight_stride]. */
    void (*value_sums)(const struct pt_attention_shape *shape, size_t n_keys, const float *weights,
                       size_t weight_stride, struct pt_heads v, float *out);

    /* See activation.h. */
    void (*activation_forward)(enum pt_activation kind, size_t n, const float *x, float *y);
    void (*activation_backward)(enum pt_activation kind, size_t n, const float *x, const float *dy,
                                float *dx);
    void (*gated_forward)(enum pt_activation kind, size_t n, const float *gate, const float *up, float *y);
    void (*gated_backward)(enum pt_activation kind, size_t n, const float *gate, const float *up,
                           const float *dy, float *dgate, float *dup);
    /* One row each, see norm.h; `centred` is the layer norm, else the mean counts as 0. */
    void (*norm_forward)(bool centred, size_t n, const float *x, const float *weight, const float *bias,
                         float eps, float *y, float *mean, float *rstd);
    void (*norm_backward)(bool centred, size_t n, const float *x, float mean, float rstd, const float *weight,
                          const float *dy, bool add, float *dx);
    void (*norm_weights)(size_t n, const float *x, float mean, float rstd, const float *dy, float *dweight,
                         float *dbias);
    /* One head, see rotary.h; direction 1 forward, -1 backward. */
    void (*rotate)(size_t half, float direction, const float *cos, const float *sin, float *first,
                   float *second);
};

extern const struct pt_kernels pt_kernels_portable, pt_kernels_avx2, pt_kernels_avx512, pt_kernels_avx512bf16;

/* What this process uses: the best that the CPU has, until pt_math_open forces another. */
const struct pt_kernels *pt_kernels(void);
void pt_kernels_force(const struct pt_kernels *kernels); /* NULL: back to the best */

/* Whether the CPU and the system can run them. */
bool pt_kernels_usable(const struct pt_kernels *kernels);

#endif
