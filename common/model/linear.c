/*
 * A delta of rank r costs r columns in between: t = x Aᵀ on the way up, t = dy B on the way down. The product
 * that adds to its result takes its matrix as [r, outputs], so B is transposed for it first, which is small.
 */
#include "model/linear.h"

#include "math/activation.h"

bool pt_linear_needs_input(const struct pt_linear *linear)
{
    return linear->weight_gradient || (linear->delta && (linear->delta->da || linear->delta->db));
}

bool pt_linear_is_trained(const struct pt_linear *linear)
{
    return linear->bias_gradient || pt_linear_needs_input(linear);
}

static struct pt_matrix delta_a(const struct pt_linear *linear)
{
    return (struct pt_matrix){linear->delta->a, PT_F32, linear->delta->rank, linear->weight.n_in};
}

static struct pt_matrix delta_b(const struct pt_linear *linear)
{
    return (struct pt_matrix){linear->delta->b, PT_F32, linear->weight.n_out, linear->delta->rank};
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
                         const float *dy, const struct pt_low_rank *low)
{
    size_t rank = linear->delta->rank;
    struct pt_matrix b = delta_b(linear);
    pt_product_backward(math, m, dy, b.n_out, &b, false, low->rows, rank);
    scale_rows(m * rank, linear->delta->scale, low->rows);
}

void pt_linear_forward(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *x,
                       float *y, const struct pt_low_rank *low)
{
    size_t n_out = linear->weight.n_out;
    if (!m)
        return;
    pt_product_forward(math, m, x, linear->weight.n_in, &linear->weight, linear->bias, y, n_out);
    if (!linear->delta)
        return;
    size_t rank = linear->delta->rank;
    project_down(linear, math, m, x, low);
    for (size_t i = 0; i < n_out; i++)
        for (size_t r = 0; r < rank; r++)
            low->transposed[r * n_out + i] = linear->delta->b[i * rank + r];
    struct pt_matrix transposed = {low->transposed, PT_F32, rank, n_out};
    pt_product_backward(math, m, low->rows, rank, &transposed, true, y, n_out);
}

void pt_linear_gradients(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *x,
                         const float *dy, const struct pt_low_rank *low)
{
    size_t n_out = linear->weight.n_out, n_in = linear->weight.n_in;
    if (!m)
        return;
    if (linear->bias_gradient)
        pt_column_sums(m, n_out, dy, n_out, linear->bias_gradient);
    if (linear->weight_gradient)
        pt_product_weight_gradient(math, m, n_out, n_in, dy, n_out, x, n_in, linear->weight_gradient);
    if (linear->delta && linear->delta->db) {
        project_down(linear, math, m, x, low);
        pt_product_weight_gradient(math, m, n_out, linear->delta->rank, dy, n_out, low->rows,
                                   linear->delta->rank, linear->delta->db);
    }
    if (linear->delta && linear->delta->da) {
        project_back(linear, math, m, dy, low);
        pt_product_weight_gradient(math, m, linear->delta->rank, n_in, low->rows, linear->delta->rank, x,
                                   n_in, linear->delta->da);
    }
}

void pt_linear_backward(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *dy,
                        float *dx, const struct pt_low_rank *low)
{
    if (!m)
        return;
    pt_product_backward(math, m, dy, linear->weight.n_out, &linear->weight, false, dx, linear->weight.n_in);
    if (!linear->delta)
        return;
    project_back(linear, math, m, dy, low);
    struct pt_matrix a = delta_a(linear);
    pt_product_backward(math, m, low->rows, a.n_out, &a, true, dx, a.n_in);
}
