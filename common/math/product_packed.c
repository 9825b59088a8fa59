/*
 * Products by our own kernels, after Goto: a task owns a panel of columns of c. For each block of PT_STEPS
 * steps it brings its part of the right-hand matrix into narrow column blocks that stay in its core's
 * second-level cache, then passes all rows over it, PT_BLOCK_ROWS at a time, from a small copy in the
 * first-level cache. A weight is widened or rounded once for all rows. Each element is a sum in an order that
 * depends on nothing but k.
 */
#include "math/paths.h"

#include <omp.h>
#include <string.h>

enum { ROW_PIECE = 64 * PT_BLOCK_ROWS, PANELS_A_THREAD = 4 };

struct task {
    const struct pt_product *product;
    const struct pt_kernels *kernels;
    bool pairs;
    size_t first_column, n_columns, first_row, n_rows;
    float *panel, *left, *way;
};

static const char *element(const struct pt_product *product, size_t p, size_t j)
{
    size_t index = product->b_is_rows ? p * product->ldb + j : j * product->ldb + p;
    return (const char *)product->b + index * (product->dtype == PT_F32 ? 4 : 2);
}

/* Steps p .. p + n of one column block, from a matrix whose rows run along the columns of c. */
static void pack_rows(const struct task *task, float *to, size_t column, size_t n_columns, size_t p, size_t n)
{
    const struct pt_product *product = task->product;
    const size_t width = task->kernels->panel_columns;
    if (!task->pairs) {
        for (size_t i = 0; i < n; i++)
            task->kernels->widen(to + i * width, element(product, p + i, column), product->dtype, n_columns);
        return;
    }
    task->kernels->pair_rows(to, width, element(product, p, column), product->ldb, product->dtype, n,
                             n_columns);
}

/* The same where its rows run along the steps: they are transposed, a few at a time. */
static void pack_columns(const struct task *task, float *to, size_t column, size_t n_columns, size_t p,
                         size_t n)
{
    const struct pt_product *product = task->product;
    const struct pt_kernels *kernels = task->kernels;
    const size_t n_words = task->pairs ? (n + 1) / 2 : n;
    for (size_t j = 0; j < n_columns; j += PT_WAY_ROWS) {
        size_t rows = n_columns - j < PT_WAY_ROWS ? n_columns - j : PT_WAY_ROWS;
        for (size_t r = 0; r < rows; r++) {
            const char *from = element(product, p, column + j + r);
            float *way = task->way + r * PT_LEFT_STRIDE;
            if (task->pairs)
                kernels->pair_row(way, from, product->dtype, n);
            else
                kernels->widen(way, from, product->dtype, n);
        }
        kernels->transpose(to + j, kernels->panel_columns, task->way, PT_LEFT_STRIDE, rows, n_words);
    }
}

/* Words of rows i .. i + rows of the left-hand matrix; in pairs its rows must run along the steps. */
static struct pt_left pack_left(const struct task *task, size_t i, size_t rows, size_t p, size_t n)
{
    const struct pt_left *a = &task->product->a;
    const float *from = a->data + i * a->row + p * a->step;
    if (a->step != 1) {
        for (size_t step = 0; step < n; step++)
            for (size_t r = 0; r < rows; r++)
                task->left[step * PT_BLOCK_ROWS + r] = from[r * a->row + step * a->step];
        return (struct pt_left){task->left, 1, PT_BLOCK_ROWS};
    }
    for (size_t r = 0; r < rows; r++) {
        float *to = task->left + r * PT_LEFT_STRIDE;
        if (task->pairs)
            task->kernels->pair_row(to, from + r * a->row, PT_F32, n);
        else
            memcpy(to, from + r * a->row, n * sizeof(float));
    }
    return (struct pt_left){task->left, PT_LEFT_STRIDE, 1};
}

/* All rows of the task times steps p .. p + n of the packed panel. */
static void multiply_panel(const struct task *task, size_t p, size_t n, bool add)
{
    const struct pt_product *product = task->product;
    const size_t width = task->kernels->panel_columns, n_words = task->pairs ? (n + 1) / 2 : n;
    pt_multiply_kernel *multiply = task->pairs ? task->kernels->multiply_pairs : task->kernels->multiply;
    const size_t end = task->first_row + task->n_rows;
    for (size_t i = task->first_row; i < end; i += PT_BLOCK_ROWS) {
        size_t rows = end - i < PT_BLOCK_ROWS ? end - i : PT_BLOCK_ROWS;
        struct pt_left left = pack_left(task, i, rows, p, n);
        for (size_t j = 0; j < task->n_columns; j += width) {
            size_t columns = task->n_columns - j < width ? task->n_columns - j : width;
            multiply(rows, columns, n_words, left, task->panel + j * PT_STEPS, width,
                     product->c + i * product->ldc + task->first_column + j, product->ldc, add);
        }
    }
}

static void run_task(const struct task *task)
{
    const struct pt_product *product = task->product;
    const size_t width = task->kernels->panel_columns, block = PT_STEPS * (task->pairs ? 2 : 1);
    bool add = product->add || product->bias;
    for (size_t p = 0; p < product->k; p += block) {
        size_t n = product->k - p < block ? product->k - p : block;
        for (size_t j = 0; j < task->n_columns; j += width) {
            size_t columns = task->n_columns - j < width ? task->n_columns - j : width;
            float *to = task->panel + j * PT_STEPS;
            if (product->b_is_rows)
                pack_rows(task, to, task->first_column + j, columns, p, n);
            else
                pack_columns(task, to, task->first_column + j, columns, p, n);
        }
        multiply_panel(task, p, n, add);
        add = true;
    }
}

/* Half as wide where vectors are short: those CPUs have half the cache. */
static size_t panel_width(const struct pt_kernels *kernels)
{
    return kernels->lanes < 16 ? PT_PANEL_COLUMNS / 2 : PT_PANEL_COLUMNS;
}

void pt_packed_product(const struct pt_math *math, bool pairs, const struct pt_product *product)
{
    const size_t width = panel_width(math->kernels), n_panels = (product->n + width - 1) / width;
    /* Few panels: rows are cut as well, so that all threads have work. It changes no sum. */
    const bool cut = n_panels < PANELS_A_THREAD * (size_t)pt_math_threads(math);
    const size_t piece = cut ? ROW_PIECE : product->m;
    const size_t n_pieces = piece ? (product->m + piece - 1) / piece : 0;
#pragma omp parallel for schedule(dynamic) collapse(2) num_threads(pt_math_threads(math))
    for (size_t panel = 0; panel < n_panels; panel++) {
        for (size_t row = 0; row < n_pieces; row++) {
            float *scratch = math->scratch + (size_t)omp_get_thread_num() * math->scratch_size;
            struct task task = {product,
                                math->kernels,
                                pairs,
                                .first_column = panel * width,
                                .first_row = row * piece,
                                .panel = scratch,
                                .left = scratch + PT_PANEL,
                                .way = scratch + PT_PANEL + PT_BLOCK_ROWS * PT_LEFT_STRIDE};
            task.n_columns = product->n - task.first_column < width ? product->n - task.first_column : width;
            task.n_rows = product->m - task.first_row < piece ? product->m - task.first_row : piece;
            pt_product_start(product, task.first_row, task.n_rows, task.first_column, task.n_columns);
            run_task(&task);
        }
    }
}
