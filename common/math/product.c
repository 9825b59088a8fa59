/*
 * The entry points: each product is described once (struct pt_product) and handed to the path in force.
 */
#include "math/product.h"

#include "base/threads.h"
#include "math/paths.h"

#include <stdint.h>
#include <string.h>

int pt_math_threads(const struct pt_math *math)
{
    return math->n_scratch < pt_threads() ? math->n_scratch : pt_threads();
}

size_t pt_panel_steps(const struct pt_math *math)
{
    return math->third_cache_is_fast ? PT_PANEL_STEPS / 2 : PT_PANEL_STEPS;
}

void pt_product_start(const struct pt_product *product, size_t first_row, size_t n_rows, size_t first_column,
                      size_t n_columns)
{
    if (!product->bias)
        return;
    for (size_t i = first_row; i < first_row + n_rows; i++)
        memcpy(product->c + i * product->ldc + first_column, product->bias + first_column,
               n_columns * sizeof(float));
}

/*
 * Up to how many rows of x a product is best made from the weight as it lies. With many wide registers that
 * is always so, but where each element is rounded to bf16 anew for every six rows, and where the third-level
 * cache, which more rows of x pass from, is slow; elsewhere a packed copy is better once it serves many rows,
 * and so are tiles. Beyond that number the last bits of a row are others.
 */
static size_t most_rows_in_place(const struct pt_math *math, bool narrow, enum pt_dtype dtype)
{
    if (narrow && math->tiles)
        return PT_DOT_ROWS;
    if (math->openblas)
        return 2 * PT_DOT_ROWS;
    if (math->kernels->lanes < 16)
        return 32;
    if (!math->third_cache_is_fast)
        return 136;
    return narrow && dtype != PT_BF16 ? 256 : SIZE_MAX;
}

static bool is_narrow(const struct pt_math *math, const struct pt_product *product)
{
    return math->n_terms && (product->dtype != PT_F32 || math->narrow_f32);
}

static bool is_in_place(const struct pt_math *math, bool narrow, const struct pt_product *product)
{
    return !product->b_is_rows && product->m <= most_rows_in_place(math, narrow, product->dtype);
}

static void compute(const struct pt_math *math, bool narrow, const struct pt_product *product)
{
    if (is_in_place(math, narrow, product) && pt_rows_product(math, narrow && math->n_terms == 1, product))
        return;
    if (narrow && math->tiles)
        pt_tiles_product(math, product);
    else if (math->openblas)
        pt_openblas_product(math, product);
    else
        pt_packed_product(math, narrow, product);
}

/* A product with a weight, but for the activations and the results. */
static struct pt_product product_with(const struct pt_matrix *w, enum pt_direction direction, size_t m)
{
    return (struct pt_product){.m = m,
                               .n = direction == PT_FORWARD ? w->n_out : w->n_in,
                               .k = direction == PT_FORWARD ? w->n_in : w->n_out,
                               .b = w->data,
                               .dtype = w->dtype,
                               .ldb = w->transposed ? w->n_out : w->n_in,
                               .b_is_rows = w->transposed == (direction == PT_FORWARD),
                               .panels = w->panels[direction]};
}

void pt_product_forward(const struct pt_math *math, size_t m, const float *x, size_t ldx,
                        const struct pt_matrix *w, const float *bias, float *y, size_t ldy)
{
    struct pt_product product = product_with(w, PT_FORWARD, m);
    product.a = (struct pt_left){x, ldx, 1};
    product.bias = bias;
    product.c = y;
    product.ldc = ldy;
    compute(math, is_narrow(math, &product), &product);
}

void pt_product_backward(const struct pt_math *math, size_t m, const float *dy, size_t ldy,
                         const struct pt_matrix *w, bool add, float *dx, size_t ldx)
{
    struct pt_product product = product_with(w, PT_BACKWARD, m);
    product.a = (struct pt_left){dy, ldy, 1};
    product.add = add;
    product.c = dx;
    product.ldc = ldx;
    compute(math, is_narrow(math, &product), &product);
}

void pt_product_weight_gradient(const struct pt_math *math, size_t m, size_t n_out, size_t n_in,
                                const float *dy, size_t ldy, const float *x, size_t ldx, float *dw)
{
    const struct pt_product product = {.m = n_out,
                                       .n = n_in,
                                       .k = m,
                                       .a = {dy, 1, ldy},
                                       .b = x,
                                       .dtype = PT_F32,
                                       .ldb = ldx,
                                       .b_is_rows = true,
                                       .add = true,
                                       .c = dw,
                                       .ldc = n_in};
    compute(math, false, &product);
}

size_t pt_product_panels(const struct pt_math *math, const struct pt_matrix *w, enum pt_direction direction)
{
    const struct pt_product product = product_with(w, direction, SIZE_MAX);
    const bool narrow = is_narrow(math, &product);
    if (is_in_place(math, narrow, &product))
        return 0;
    if (narrow && math->tiles)
        return pt_tiles_panels(math, &product);
    return math->openblas ? 0 : pt_packed_panels(math, narrow, &product);
}

void pt_product_pack(const struct pt_math *math, const struct pt_matrix *w, enum pt_direction direction,
                     float *panels)
{
    const struct pt_product product = product_with(w, direction, SIZE_MAX);
    const bool narrow = is_narrow(math, &product);
    if (narrow && math->tiles)
        pt_tiles_fill(math, &product, panels);
    else
        pt_packed_fill(math, narrow, &product, panels);
}
