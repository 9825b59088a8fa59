/*
 * Products by our own kernels, after Goto. For a block of the contraction the left-hand rows are brought
 * into words once for all threads. Each thread then takes panels of columns of c: it brings the panel's part
 * of the right-hand matrix into narrow column blocks that stay in its core's second-level cache, and passes
 * all rows over it, PT_BLOCK_ROWS at a time. Each element is a sum in an order that depends on nothing but k
 * and the CPU's vendor.
 *
 * For few rows packing would be all there is to do: then a matrix whose rows run along the columns of c is
 * used as it lies, some steps at a time, and a block's sums go on from one to the next in scratch. No sum
 * comes out differently.
 */
#include "math/paths.h"

#include "base/integer.h"

#include <omp.h>
#include <string.h>

enum {
    ROW_PIECE = 64 * PT_BLOCK_ROWS,
    PANELS_A_THREAD = 4,
    GROUP =
        32, /* rows that are packed at a time, so that their pages are not met again for every column block */
    MOST_ROWS = PT_SHARED / PT_LEFT_STRIDE,
    CACHE_LINE = 64,
    FEW_ROWS = 32,
    FEW_STEPS = 16, /* words; so many rows of the matrix are read side by side */
    FEW_COLUMNS = 2048,
    FEW_PANELS_A_THREAD = 2,
};

struct job {
    const struct pt_math *math;
    const struct pt_product *product;
    bool pairs;
    bool few;
    size_t panel_columns, row_piece;
    size_t block; /* elements of the contraction in a block */
    /* the block at hand */
    size_t first_row, n_rows, p, n;
};

/* One thread's part of it. */
struct task {
    const struct job *job;
    size_t column, n_columns, row, n_rows; /* rows counted from job->first_row */
    const float *panel;
    float *scratch, *way; /* room for a panel, or sums, and for rows on their way */
};

static size_t words_of(const struct job *job, size_t n)
{
    return job->pairs ? (n + 1) / 2 : n;
}

static size_t count_panels(const struct job *job)
{
    return (job->product->n + job->panel_columns - 1) / job->panel_columns;
}

static const char *element(const struct pt_product *product, size_t p, size_t j)
{
    size_t index = product->b_is_rows ? p * product->ldb + j : j * product->ldb + p;
    return (const char *)product->b + index * pt_dtype_bytes(product->dtype);
}

/* Some rows of the left-hand matrix over the block at hand; in pairs they run along the steps. */
static void pack_left(const struct job *job, size_t row, size_t n_rows)
{
    const struct pt_kernels *kernels = job->math->kernels;
    const struct pt_left *a = &job->product->a;
    const float *from = a->data + (job->first_row + row) * a->row + job->p * a->step;
    float *to = job->math->shared + row * PT_LEFT_STRIDE;
    if (a->step != 1) {
        kernels->transpose(to, PT_LEFT_STRIDE, from, a->step, job->n, n_rows);
        return;
    }
    for (size_t r = 0; r < n_rows; r++, to += PT_LEFT_STRIDE, from += a->row)
        if (job->pairs)
            kernels->pair_row(to, 0, 1, from, PT_F32, job->n);
        else
            memcpy(to, from, job->n * sizeof *to);
}

/* A group of a panel's steps, from a matrix whose rows run along the columns of c. */
static void pack_rows(const struct task *task, float *panel, size_t step, size_t n)
{
    const struct job *job = task->job;
    const struct pt_product *product = job->product;
    const struct pt_kernels *kernels = job->math->kernels;
    const size_t width = kernels->panel_columns;
    for (size_t j = 0; j < task->n_columns; j += width) {
        size_t columns = pt_least(task->n_columns - j, width);
        float *to = panel + j * words_of(job, job->n) + words_of(job, step) * width;
        if (job->pairs)
            kernels->pair_rows(to, width, 0, 1, element(product, job->p + step, task->column + j),
                               product->ldb, product->dtype, n, columns);
        else
            for (size_t i = 0; i < n; i++)
                kernels->widen(to + i * width, element(product, job->p + step + i, task->column + j),
                               product->dtype, columns);
    }
}

/* The same where its rows run along the steps: some columns, transposed. */
static void pack_columns(const struct task *task, float *panel, size_t column, size_t n_columns)
{
    const struct job *job = task->job;
    const struct pt_product *product = job->product;
    const struct pt_kernels *kernels = job->math->kernels;
    const size_t width = kernels->panel_columns, n_words = words_of(job, job->n);
    for (size_t r = 0; r < n_columns; r++) {
        const char *from = element(product, job->p, task->column + column + r);
        float *way = task->way + r * PT_LEFT_STRIDE;
        if (job->pairs)
            kernels->pair_row(way, 0, 1, from, product->dtype, job->n);
        else
            kernels->widen(way, from, product->dtype, job->n);
    }
    kernels->transpose(panel + column / width * width * n_words + column % width, width, task->way,
                       PT_LEFT_STRIDE, n_columns, n_words);
}

static void pack_panel(const struct task *task, float *panel)
{
    const size_t width = task->job->math->kernels->panel_columns, most = pt_least(width, PT_WAY_ROWS);
    if (task->job->product->b_is_rows)
        for (size_t step = 0; step < task->job->n; step += GROUP)
            pack_rows(task, panel, step, pt_least(task->job->n - step, GROUP));
    else
        for (size_t j = 0; j < task->n_columns; j += most)
            pack_columns(task, panel, j, pt_least(task->n_columns - j, most));
}

/* Fetches share `part` of `n_parts` of the panel that this thread will probably take next. */
static void fetch_next(const struct task *task, size_t part, size_t n_parts)
{
    const struct job *job = task->job;
    const struct pt_product *product = job->product;
    const size_t bytes = pt_dtype_bytes(product->dtype);
    size_t column = task->column + (size_t)pt_math_threads(job->math) * job->panel_columns, p = job->p;
    if (column >= product->n) {
        column -= (product->n + job->panel_columns - 1) / job->panel_columns * job->panel_columns;
        p += job->block;
    }
    if (p >= product->k || column >= product->n)
        return;
    size_t n_columns = pt_least(product->n - column, job->panel_columns),
           n = pt_least(product->k - p, job->block);
    size_t n_lines = product->b_is_rows ? n : n_columns,
           length = bytes * (product->b_is_rows ? n_columns : n);
    for (size_t line = n_lines * part / n_parts; line < n_lines * (part + 1) / n_parts; line++) {
        const char *from =
            product->b_is_rows ? element(product, p + line, column) : element(product, p, column + line);
        for (size_t i = 0; i < length; i += CACHE_LINE)
            __builtin_prefetch(from + i, 0, 2);
    }
}

/* All rows of the task times the packed panel. */
static void multiply_panel(const struct task *task)
{
    const struct job *job = task->job;
    const struct pt_product *product = job->product;
    const struct pt_kernels *kernels = job->math->kernels;
    const size_t width = kernels->panel_columns, n_words = words_of(job, job->n);
    const bool add = product->add || product->bias || job->p > 0;
    pt_multiply_kernel *multiply = job->pairs ? kernels->multiply_pairs : kernels->multiply;
    /* What is kept lies in one piece, which every CPU foresees; Intel's fetch rows by themselves, too, and
     * wait when asked as well. */
    const bool fetches = job->math->third_cache_is_fast && !product->panels;
    for (size_t i = 0; i < task->n_rows; i += PT_BLOCK_ROWS) {
        size_t row = task->row + i, rows = pt_least(task->n_rows - i, PT_BLOCK_ROWS);
        if (fetches)
            fetch_next(task, i / PT_BLOCK_ROWS, (task->n_rows + PT_BLOCK_ROWS - 1) / PT_BLOCK_ROWS);
        if (!job->p)
            pt_product_start(product, job->first_row + row, rows, task->column, task->n_columns);
        for (size_t j = 0; j < task->n_columns; j += width)
            multiply(rows, pt_least(task->n_columns - j, width), n_words,
                     (struct pt_left){job->math->shared + row * PT_LEFT_STRIDE, PT_LEFT_STRIDE, 1},
                     task->panel + j * n_words, width,
                     product->c + (job->first_row + row) * product->ldc + task->column + j, product->ldc,
                     add);
    }
}

/* All rows of the task, which are few, times its columns of the block. */
static void multiply_few(const struct task *task)
{
    const struct job *job = task->job;
    const struct pt_product *product = job->product;
    const struct pt_kernels *kernels = job->math->kernels;
    pt_dots_kernel *kernel = job->pairs ? kernels->in_place_pairs : kernels->in_place;
    const size_t width = kernels->panel_columns, steps = FEW_STEPS * (job->pairs ? 2 : 1),
                 row_bytes = product->ldb * pt_dtype_bytes(product->dtype);
    float *sums = task->scratch;
    for (size_t step = 0; step < job->n; step += steps)
        for (size_t j = 0; j < task->n_columns; j += width) {
            const struct pt_dots dots = {.x = job->math->shared + task->row * PT_LEFT_STRIDE +
                                              words_of(job, step),
                                         .ldx = PT_LEFT_STRIDE,
                                         .w = element(product, job->p + step, task->column + j),
                                         .w_row = row_bytes,
                                         .dtype = product->dtype,
                                         .k = pt_least(job->n - step, steps),
                                         .ahead = steps * row_bytes,
                                         .y = sums + j,
                                         .ldy = FEW_COLUMNS,
                                         .add = step > 0};
            kernel(task->n_rows, pt_least(task->n_columns - j, width), &dots);
        }
    const bool add = product->add || product->bias || job->p > 0;
    if (!job->p)
        pt_product_start(product, job->first_row + task->row, task->n_rows, task->column, task->n_columns);
    for (size_t i = 0; i < task->n_rows; i++, sums += FEW_COLUMNS) {
        float *c = product->c + (job->first_row + task->row + i) * product->ldc + task->column;
        for (size_t j = 0; j < task->n_columns; j++)
            c[j] = add ? c[j] + sums[j] : sums[j];
    }
}

/* A panel of all rows, for the thread that asks. */
static struct task task_of(const struct job *job, size_t panel)
{
    float *scratch = job->math->scratch + (size_t)omp_get_thread_num() * job->math->scratch_size;
    const size_t column = panel * job->panel_columns;
    return (struct task){.job = job,
                         .column = column,
                         .n_columns = pt_least(job->product->n - column, job->panel_columns),
                         .n_rows = job->n_rows,
                         .scratch = scratch,
                         .way = scratch + PT_PANEL};
}

/* Where a panel of the block at hand begins among those of all blocks. */
static size_t panels_in_front(const struct job *job, size_t panel)
{
    return words_of(job, job->p) * count_panels(job) * PT_PANEL_COLUMNS +
           panel * PT_PANEL_COLUMNS * words_of(job, job->n);
}

/* The panel's part of the right-hand matrix, where it is not kept so. */
static void find_panel(struct task *task)
{
    const struct job *job = task->job;
    task->panel = task->scratch;
    if (job->product->panels)
        task->panel = job->product->panels + panels_in_front(job, task->column / PT_PANEL_COLUMNS);
    else
        pack_panel(task, task->scratch);
}

/* By all threads of a region together. */
static void run_block(const struct job *job)
{
    const size_t n_panels = count_panels(job), n_pieces = (job->n_rows + job->row_piece - 1) / job->row_piece;
#pragma omp for schedule(static)
    for (size_t row = 0; row < job->n_rows; row += GROUP)
        pack_left(job, row, pt_least(job->n_rows - row, GROUP));
#pragma omp for schedule(dynamic) collapse(2)
    for (size_t panel = 0; panel < n_panels; panel++)
        for (size_t piece = 0; piece < n_pieces; piece++) {
            struct task task = task_of(job, panel);
            task.row = piece * job->row_piece;
            task.n_rows = pt_least(job->n_rows - task.row, job->row_piece);
            if (job->few) {
                multiply_few(&task);
            } else {
                find_panel(&task);
                multiply_panel(&task);
            }
        }
}

/* Columns of a panel for few rows: whole column blocks, and work for all threads. */
static size_t few_columns(const struct pt_math *math, size_t n)
{
    const size_t width = math->kernels->panel_columns,
                 share = n / (FEW_PANELS_A_THREAD * (size_t)pt_math_threads(math));
    return pt_least(FEW_COLUMNS, (share + width) / width * width);
}

static struct job plan(const struct pt_math *math, bool pairs, const struct pt_product *product)
{
    struct job job = {.math = math,
                      .product = product,
                      .pairs = pairs,
                      .few = product->b_is_rows && product->m <= FEW_ROWS,
                      .block = pt_panel_steps(math) * (pairs ? 2 : 1)};
    job.panel_columns = job.few ? few_columns(math, product->n) : PT_PANEL_COLUMNS;
    /* Few panels: rows are cut as well, so that all threads have work. It changes no sum. */
    job.row_piece =
        count_panels(&job) < PANELS_A_THREAD * (size_t)pt_math_threads(math) ? ROW_PIECE : MOST_ROWS;
    return job;
}

static void set_block(struct job *job, size_t p)
{
    job->p = p;
    job->n = pt_least(job->product->k - p, job->block);
}

void pt_packed_product(const struct pt_math *math, bool pairs, const struct pt_product *product)
{
    const struct job whole = plan(math, pairs, product);
#pragma omp parallel num_threads(pt_math_threads(math))
    {
        struct job job = whole;
        for (size_t row = 0; row < product->m; row += MOST_ROWS)
            for (size_t p = 0; p < product->k; p += job.block) {
                job.first_row = row;
                job.n_rows = pt_least(product->m - row, MOST_ROWS);
                set_block(&job, p);
                run_block(&job);
            }
    }
}

size_t pt_packed_panels(const struct pt_math *math, bool pairs, const struct pt_product *product)
{
    struct job job = plan(math, pairs, product);
    job.p = product->k;
    return panels_in_front(&job, 0);
}

void pt_packed_fill(const struct pt_math *math, bool pairs, const struct pt_product *product, float *panels)
{
    struct job job = plan(math, pairs, product);
    for (size_t p = 0; p < product->k; p += job.block) {
        set_block(&job, p);
#pragma omp parallel for schedule(dynamic) num_threads(pt_math_threads(math))
        for (size_t panel = 0; panel < count_panels(&job); panel++) {
            const struct task task = task_of(&job, panel);
            pack_panel(&task, panels + panels_in_front(&job, panel));
        }
    }
}
