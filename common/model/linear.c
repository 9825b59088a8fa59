/*
 * A delta of rank r costs r columns in between: t = x Aᵀ on the way up, t = dy B on the way down. The product
 * that adds to its result takes its matrix as [r, outputs], so B is transposed for it first, which is small.
 */
#include "model/linear.h"

#include "base/profile.h"
#include "math/activation.h"

bool pt_linear_needs_input(const struct pt_linear *linear)
{
    return linear->weight_gradient || (linear->delta && (linear->delta->da || linear->delta->db));
}

bool pt_linear_is_trained(const struct pt_linear *linear)
{
    return linear->bias_gradient || pt_linear_needs_input(linear);
}

static enum pt_part part_of(const struct pt_linear *linear)
{
    switch (linear->role) {
    case PT_HEAD:
        return PT_PART_HEAD;
    case PT_ATTENTION_OUT_WEIGHT:
        return PT_PART_ATTENTION_OUT;
    case PT_MLP_GATE_WEIGHT:
    case PT_MLP_UP_WEIGHT:
        return PT_PART_MLP_UP;
    case PT_MLP_DOWN_WEIGHT:
        return PT_PART_MLP_DOWN;
    default:
        return PT_PART_QKV;
    }
}

/* Operations of a product with the weight, or with a delta's two factors, for m rows. */
static double weight_work(const struct pt_linear *linear, size_t m)
{
    return 2.0 * (double)m * (double)linear->weight.n_out * (double)linear->weight.n_in;
}

static double delta_work(const struct pt_linear *linear, size_t m)
{
    return 2.0 * (double)m * (double)linear->delta->rank *
           (double)(linear->weight.n_out + linear->weight.n_in);
}

static struct pt_matrix delta_a(const struct pt_linear *linear)
{
    return (struct pt_matrix){
        .data = linear->delta->a, .dtype = PT_F32, .n_out = linear->delta->rank, .n_in = linear->weight.n_in};
}

static struct pt_matrix delta_b(const struct pt_linear *linear)
{
    return (struct pt_matrix){.data = linear->delta->b,
                              .dtype = PT_F32,
                              .n_out = linear->weight.n_out,
                              .n_in = linear->delta->rank};
}

static void scale_rows(size_t n, float factor, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

/* low->rows = scale x Aᵀ */
static void project_down(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *x,
                         const struct pt_low_rank *low)
{
    size_t rank = linear->delta->rank;
    struct pt_matrix a = delta_a(linear);
    pt_product_forward(math, m, x, a.n_in, &a, NULL, low->rows, rank);
    scale_rows(m * rank, linear->delta->scale, low->rows);
}

/* low->rows = scale dy B */
static void project_back(const struct pt_linear *linear, const struct pt_math *math, size_t m,
                         const float *dy, size_t ldy, const struct pt_low_rank *low)
{
    size_t rank = linear->delta->rank;
    struct pt_matrix b = delta_b(linear);
    pt_product_backward(math, m, dy, ldy, &b, false, low->rows, rank);
    scale_rows(m * rank, linear->delta->scale, low->rows);
}

/* y += scale (x Aᵀ) Bᵀ */
static void add_delta(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *x,
                      float *y, size_t ldy, const struct pt_low_rank *low)
{
    PT_PROFILED(PT_PART_LOW_RANK, PT_FORWARD, delta_work(linear, m));
    size_t n_out = linear->weight.n_out, rank = linear->delta->rank;
    project_down(linear, math, m, x, low);
    for (size_t i = 0; i < n_out; i++)
        for (size_t r = 0; r < rank; r++)
            low->transposed[r * n_out + i] = linear->delta->b[i * rank + r];
    struct pt_matrix transposed = {.data = low->transposed, .dtype = PT_F32, .n_out = rank, .n_in = n_out};
    pt_product_backward(math, m, low->rows, rank, &transposed, true, y, ldy);
}

void pt_linear_forward(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *x,
                       float *y, size_t ldy, const struct pt_low_rank *low)
{
    if (!m)
        return;
    {
        PT_PROFILED(part_of(linear), PT_FORWARD, weight_work(linear, m));
        pt_product_forward(math, m, x, linear->weight.n_in, &linear->weight, linear->bias, y, ldy);
    }
    if (linear->delta)
        add_delta(linear, math, m, x, y, ldy, low);
}

static double gradient_work(const struct pt_linear *linear, size_t m)
{
    return (linear->weight_gradient ? weight_work(linear, m) : 0) +
           (linear->delta ? 2 * delta_work(linear, m) : 0);
}

void pt_linear_gradients(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *x,
                         const float *dy, size_t ldy, const struct pt_low_rank *low)
{
    size_t n_out = linear->weight.n_out, n_in = linear->weight.n_in;
    if (!m || !pt_linear_is_trained(linear))
        return;
    PT_PROFILED(PT_PART_WEIGHT_GRADIENT, PT_BACKWARD, gradient_work(linear, m));
    if (linear->bias_gradient)
        pt_column_sums(m, n_out, dy, ldy, linear->bias_gradient);
    if (linear->weight_gradient && linear->weight.transposed)
        pt_product_weight_gradient(math, m, n_in, n_out, x, n_in, dy, ldy, linear->weight_gradient);
    else if (linear->weight_gradient)
        pt_product_weight_gradient(math, m, n_out, n_in, dy, ldy, x, n_in, linear->weight_gradient);
    if (linear->delta && linear->delta->db) {
        project_down(linear, math, m, x, low);
        pt_product_weight_gradient(math, m, n_out, linear->delta->rank, dy, ldy, low->rows,
                                   linear->delta->rank, linear->delta->db);
    }
    if (linear->delta && linear->delta->da) {
        project_back(linear, math, m, dy, ldy, low);
        pt_product_weight_gradient(math, m, linear->delta->rank, n_in, low->rows, linear->delta->rank, x,
                                   n_in, linear->delta->da);
    }
}

/* dx += scale (dy B) A */
static void add_delta_back(const struct pt_linear *linear, const struct pt_math *math, size_t m,
                           const float *dy, size_t ldy, float *dx, const struct pt_low_rank *low)
{
    PT_PROFILED(PT_PART_LOW_RANK, PT_BACKWARD, delta_work(linear, m));
    project_back(linear, math, m, dy, ldy, low);
    struct pt_matrix a = delta_a(linear);
    pt_product_backward(math, m, low->rows, a.n_out, &a, true, dx, a.n_in);
}

void pt_linear_backward(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *dy,
                        size_t ldy, bool add, float *dx, const struct pt_low_rank *low)
{
    if (!m)
        return;
    {
        PT_PROFILED(part_of(linear), PT_BACKWARD, weight_work(linear, m));
        pt_product_backward(math, m, dy, ldy, &linear->weight, add, dx, linear->weight.n_in);
    }
    if (linear->delta)
        add_delta_back(linear, math, m, dy, ldy, dx, low);
}

bool pt_projection_is_trained(const struct pt_projection *projection)
{
    for (size_t p = 0; p < projection->n_parts; p++)
        if (pt_linear_is_trained(&projection->parts[p]))
            return true;
    return false;
}

bool pt_projection_needs_input(const struct pt_projection *projection)
{
    for (size_t p = 0; p < projection->n_parts; p++)
        if (pt_linear_needs_input(&projection->parts[p]))
            return true;
    return false;
}

void pt_projection_forward(const struct pt_projection *projection, const struct pt_math *math, size_t m,
                           const float *x, float *y, size_t ldy, const struct pt_low_rank *low)
{
    for (size_t p = 0; p < projection->n_parts; y += projection->parts[p++].weight.n_out)
        pt_linear_forward(&projection->parts[p], math, m, x, y, ldy, low);
}

void pt_projection_gradients(const struct pt_projection *projection, const struct pt_math *math, size_t m,
                             const float *x, const float *dy, size_t ldy, const struct pt_low_rank *low)
{
    for (size_t p = 0; p < projection->n_parts; dy += projection->parts[p++].weight.n_out)
        pt_linear_gradients(&projection->parts[p], math, m, x, dy, ldy, low);
}

void pt_projection_backward(const struct pt_projection *projection, const struct pt_math *math, size_t m,
                            const float *dy, size_t ldy, float *dx, const struct pt_low_rank *low)
{
    for (size_t p = 0; p < projection->n_parts; dy += projection->parts[p++].weight.n_out)
        pt_linear_backward(&projection->parts[p], math, m, dy, ldy, p > 0, dx, low);
}
