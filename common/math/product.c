/*
 * The entry points: each product is described once (struct pt_product) and handed to the path in force. A few
 * rows, as in decoding, read each weight once and compute in f32 whatever the mode: there the memory is what
 * limits.
 */
#include "math/product.h"

#include "base/threads.h"
#include "math/paths.h"

#include <string.h>

enum { FEW_ROWS_PIECE = 64 };

int pt_math_threads(const struct pt_math *math)
{
    return math->n_scratch < pt_threads() ? math->n_scratch : pt_threads();
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

static void few_rows(const struct pt_math *math, const struct pt_product *product)
{
    const size_t bytes = product->dtype == PT_F32 ? 4 : 2;
    const size_t n_pieces = (product->n + FEW_ROWS_PIECE - 1) / FEW_ROWS_PIECE;
#pragma omp parallel for schedule(static) num_threads(pt_math_threads(math))
    for (size_t piece = 0; piece < n_pieces; piece++) {
        size_t j = piece * FEW_ROWS_PIECE,
               columns = product->n - j < FEW_ROWS_PIECE ? product->n - j : FEW_ROWS_PIECE;
        const char *w = (const char *)product->b + j * product->ldb * bytes;
        for (size_t i = 0; i < product->m; i += PT_DOT_ROWS) {
            size_t rows = product->m - i < PT_DOT_ROWS ? product->m - i : PT_DOT_ROWS;
            math->kernels->dots(rows, columns, product->k, product->a.data + i * product->a.row,
                                product->a.row, w, product->dtype, product->bias ? product->bias + j : NULL,
                                product->c + i * product->ldc + j, product->ldc);
        }
    }
}

static void compute(const struct pt_math *math, bool may_round, const struct pt_product *product)
{
    bool narrow = may_round && math->n_terms && (product->dtype != PT_F32 || math->narrow_f32);
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
    if (m <= PT_FEW_ROWS && !w->transposed)
        few_rows(math, &product);
    else
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
