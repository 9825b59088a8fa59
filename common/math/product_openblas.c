/*
 * Products by OpenBLAS, called single-threaded from our workers over fixed panels of columns of c. A matrix
 * that is not f32 is widened block by block into scratch that stays in the second-level cache, and the
 * blocks' products are added up.
 */
#include "math/paths.h"

#include <cblas.h>
#include <omp.h>
#include <stdint.h>

void pt_openblas_start(void)
{
    openblas_set_num_threads(1);
}

const char *pt_openblas_core(void)
{
    return openblas_get_corename();
}

static void call(const struct pt_product *product, size_t column, size_t n_columns, size_t p, size_t n_steps,
                 const float *b, size_t ldb, bool add)
{
    bool a_is_rows = product->a.step == 1;
    const float *a = product->a.data + p * product->a.step;
    cblas_sgemm(CblasRowMajor, a_is_rows ? CblasNoTrans : CblasTrans,
                product->b_is_rows ? CblasNoTrans : CblasTrans, (int)product->m, (int)n_columns, (int)n_steps,
                1.0f, a, (int)(a_is_rows ? product->a.row : product->a.step), b, (int)ldb, add ? 1.0f : 0.0f,
                product->c + column, (int)product->ldc);
}

/* f32 as BLAS takes it: where it lies. */
static void run_whole(const struct pt_product *product, size_t column, size_t n_columns)
{
    const float *b = (const float *)product->b + column * (product->b_is_rows ? 1 : product->ldb);
    call(product, column, n_columns, 0, product->k, b, product->ldb, product->add || product->bias);
}

static void run_blocks(const struct pt_math *math, const struct pt_product *product, size_t column,
                       size_t n_columns, float *panel)
{
    const size_t bytes = pt_dtype_bytes(product->dtype), steps = pt_panel_steps(math);
    bool add = product->add || product->bias;
    for (size_t p = 0; p < product->k; p += steps) {
        size_t n = product->k - p < steps ? product->k - p : steps;
        size_t n_rows = product->b_is_rows ? n : n_columns, length = product->b_is_rows ? n_columns : n;
        const char *from =
            (const char *)product->b +
            bytes * (product->b_is_rows ? p * product->ldb + column : column * product->ldb + p);
        for (size_t r = 0; r < n_rows; r++)
            math->kernels->widen(panel + r * length, from + r * product->ldb * bytes, product->dtype, length);
        call(product, column, n_columns, p, n, panel, length, add);
        add = true;
    }
}

void pt_openblas_product(const struct pt_math *math, const struct pt_product *product)
{
    const size_t n_panels = (product->n + PT_PANEL_COLUMNS - 1) / PT_PANEL_COLUMNS;
    const bool direct = product->dtype == PT_F32 && (uintptr_t)product->b % sizeof(float) == 0;
#pragma omp parallel for schedule(dynamic) num_threads(pt_math_threads(math))
    for (size_t panel = 0; panel < n_panels; panel++) {
        size_t column = panel * PT_PANEL_COLUMNS;
        size_t n_columns = product->n - column < PT_PANEL_COLUMNS ? product->n - column : PT_PANEL_COLUMNS;
        pt_product_start(product, 0, product->m, column, n_columns);
        if (direct)
            run_whole(product, column, n_columns);
        else
            run_blocks(math, product, column, n_columns,
                       math->scratch + (size_t)omp_get_thread_num() * math->scratch_size);
    }
}
