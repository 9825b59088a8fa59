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

static void compute(const struct pt_math *math, bool may_round, const struct pt_product *product)
{
    const bool narrow = may_round && math->n_terms && (product->dtype != PT_F32 || math->narrow_f32);
    if (!product->b_is_rows && product->m <= most_rows_in_place(math, narrow, product->dtype) &&
        pt_rows_product(math, narrow && math->n_terms == 1, product))
        return;
    if (narrow && math->tiles)
        pt_tiles_product(math, product);
    else if (math->openblas)
        pt_openblas_product(math, product);
    else
        pt_packed_product(math, narrow, product);
}

void pt_product_forward(const struct pt_math *math, size_t m, const float *x, size_t ldx,
                        const struct pt_matrix *w, const float *bias, float *y, size_t ldy)
{
    const struct pt_product product = {m,
                                       w->n_out,
                                       w->n_in,
                                       {x, ldx, 1},
                                       w->data,
                                       w->dtype,
                                       .ldb = w->transposed ? w->n_out : w->n_in,
                                       .b_is_rows = w->transposed,
                                       .bias = bias,
                                       .c = y,
                                       .ldc = ldy};
    compute(math, true, &product);
}

void pt_product_backward(const struct pt_math *math, size_t m, const float *dy, size_t ldy,
                         const struct pt_matrix *w, bool add, float *dx, size_t ldx)
{
    const struct pt_product product = {m,
                                       w->n_in,
                                       w->n_out,
                                       {dy, ldy, 1},
                                       w->data,
                                       w->dtype,
                                       .ldb = w->transposed ? w->n_out : w->n_in,
                                       .b_is_rows = !w->transposed,
                                       .add = add,
                                       .c = dx,
                                       .ldc = ldx};
    compute(math, true, &product);
}

void pt_product_weight_gradient(const struct pt_math *math, size_t m, size_t n_out, size_t n_in,
                                const float *dy, size_t ldy, const float *x, size_t ldx, float *dw)
{
    const struct pt_product product = {n_out,       n_in,    m,          {dy, 1, ldy},
                                       x,           PT_F32,  .ldb = ldx, .b_is_rows = true,
                                       .add = true, .c = dw, .ldc = n_in};
    compute(math, false, &product);
}
