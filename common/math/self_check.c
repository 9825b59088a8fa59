/*
 * One small case of each product against the plain loop, in double. Libraries have computed wrongly on CPUs
 * newer than themselves.
 */
#include "math/paths.h"

#include <math.h>
#include <string.h>

enum { ROWS = 20, OUT = 37, IN = 45 };

struct check {
    float x[ROWS * IN], dy[ROWS * OUT], w[OUT * IN];
    uint16_t w_bf16[OUT * IN];
    float y[ROWS * OUT], dx[ROWS * IN], dw[OUT * IN];
};

/* So that nothing is taken for a result. */
static void spoil(size_t n, float *values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = NAN;
}

/* In [-1, 1), with so many bits behind the point. */
static void fill(size_t n, float *values, uint32_t seed, int bits)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = ldexpf((float)(seed >> (31 - bits)), -bits) - 1.0f;
    }
}

/* Whether c = a b to f32's precision. */
static bool agrees(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_step, const float *b,
                   size_t b_step, size_t b_column, const float *c)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += (double)a[i * a_row + p * a_step] * (double)b[p * b_step + j * b_column];
            if (!(fabs((double)c[i * n + j] - sum) <= 1e-4))
                return false;
        }
    return true;
}

static bool weights_are_right(const struct pt_math *math, struct check *c, const struct pt_matrix *w)
{
    spoil(ROWS * OUT, c->y);
    pt_product_forward(math, ROWS, c->x, IN, w, NULL, c->y, OUT);
    bool right = agrees(ROWS, OUT, IN, c->x, IN, 1, c->w, 1, IN, c->y);
    spoil(OUT, c->y);
    pt_product_forward(math, 1, c->x, IN, w, NULL, c->y, OUT);
    right = right && agrees(1, OUT, IN, c->x, IN, 1, c->w, 1, IN, c->y);
    spoil(ROWS * IN, c->dx);
    pt_product_backward(math, ROWS, c->dy, OUT, w, false, c->dx, IN);
    return right && agrees(ROWS, IN, OUT, c->dy, OUT, 1, c->w, IN, 1, c->dx);
}

bool pt_math_is_right(const struct pt_math *math)
{
    static struct check c; /* opening is not done by several threads at once */
    memset(&c, 0, sizeof c);
    const int kept = math->n_terms ? 6 + 8 * (math->n_terms - 1) : 22; /* that the mode keeps */
    fill(ROWS * IN, c.x, 1, kept);
    fill(ROWS * OUT, c.dy, 2, kept);
    fill(OUT * IN, c.w, 3, 6);
    for (size_t i = 0; i < OUT * IN; i++) {
        uint32_t bits;
        memcpy(&bits, &c.w[i], sizeof bits);
        c.w_bf16[i] = (uint16_t)(bits >> 16); /* exact */
    }
    const struct pt_matrix wide = {c.w, PT_F32, OUT, IN, false, {0}},
                           narrow = {c.w_bf16, PT_BF16, OUT, IN, false, {0}};
    pt_product_weight_gradient(math, ROWS, OUT, IN, c.dy, OUT, c.x, IN, c.dw);
    return weights_are_right(math, &c, &wide) && weights_are_right(math, &c, &narrow) &&
           agrees(OUT, IN, ROWS, c.dy, 1, OUT, c.x, IN, 1, c.dw);
}
