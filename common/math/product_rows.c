/*
 * y = x Wᵀ from W as it lies in memory: its rows and those of x both run along the contraction, so neither is
 * transposed. Threads take pieces of W's rows; all rows of x pass over a piece, six at a time, while the
 * piece that the thread will take next is fetched. So W is read from memory once for a block of rows of x,
 * for one row as for many. Each sum is taken in an order that depends on nothing but k.
 */
#include "math/paths.h"

#include "base/integer.h"

#include <omp.h>
#include <string.h>

enum {
    DEPTH = 1024, /* words of six rows of x that stay in the first-level cache */
    PADDING = 16, /* words between rows of x, which else would share their cache sets */
};

struct job {
    const struct pt_math *math;
    const struct pt_product *product;
    bool pairs;
    size_t ldx; /* words from row to row of x in the shared scratch */
    size_t first_row, n_rows;
    size_t piece; /* rows of W in a piece: they and the next ones stay in the second-level cache */
    size_t ahead; /* rows of W from a piece to what its thread will take next */
};

/* Of the rows of W that all groups meet at a time, those behind which this group fetches: a few in every
 * step, because fetching and reading wait for the same few buffers. */
static unsigned share(size_t group, size_t n_groups)
{
    return (1U << PT_DOT_COLUMNS * (group + 1) / n_groups) - (1U << PT_DOT_COLUMNS * group / n_groups);
}

/* All rows of x over k elements of a piece from p on, in groups as even as can be. Each group of rows fetches
 * its share of what is `ahead` bytes behind. */
static void run_depth(const struct job *job, size_t column, size_t n_columns, size_t p, size_t k,
                      size_t ahead)
{
    const struct pt_product *product = job->product;
    pt_dots_kernel *kernel = job->pairs ? job->math->kernels->dots_pairs : job->math->kernels->dots;
    const size_t bytes = pt_dtype_bytes(product->dtype), row_bytes = product->ldb * bytes,
                 n_groups = (job->n_rows + PT_DOT_ROWS - 1) / PT_DOT_ROWS;
    for (size_t group = 0, row = 0, rows; group < n_groups; group++, row += rows) {
        rows = (job->n_rows - row) / (n_groups - group);
        for (size_t j = 0; j < n_columns; j += PT_DOT_COLUMNS) {
            const struct pt_dots dots = {.x = job->math->shared + row * job->ldx + (job->pairs ? p / 2 : p),
                                         .ldx = job->ldx,
                                         .w = (const char *)product->b + (column + j) * row_bytes + p * bytes,
                                         .w_row = row_bytes,
                                         .dtype = product->dtype,
                                         .k = k,
                                         .ahead = ahead,
                                         .fetched = share(group, n_groups),
                                         .bias = product->bias && !p ? product->bias + column + j : NULL,
                                         .y = product->c + (job->first_row + row) * product->ldc + column + j,
                                         .ldy = product->ldc,
                                         .add = product->add || p > 0};
            kernel(rows, pt_least(n_columns - j, PT_DOT_COLUMNS), &dots);
        }
    }
}

static void run_piece(const struct job *job, size_t column, size_t n_columns)
{
    const struct pt_product *product = job->product;
    const size_t bytes = pt_dtype_bytes(product->dtype), depth = job->pairs ? 2 * DEPTH : DEPTH;
    for (size_t p = 0; p < product->k; p += depth) {
        bool last = p + depth >= product->k;
        run_depth(job, column, n_columns, p, pt_least(product->k - p, depth),
                  last ? (job->ahead * product->ldb - p) * bytes : depth * bytes);
    }
}

static void pack_row(const struct job *job, size_t row)
{
    const struct pt_left *a = &job->product->a;
    const float *from = a->data + (job->first_row + row) * a->row;
    float *to = job->math->shared + row * job->ldx;
    if (job->pairs)
        job->math->kernels->pair_row(to, 0, 1, from, PT_F32, job->product->k);
    else
        memcpy(to, from, job->product->k * sizeof *to);
}

/* By all threads of a region together. */
static void run_rows(const struct job *job)
{
    const struct pt_product *product = job->product;
    const size_t n_pieces = (product->n + job->piece - 1) / job->piece;
#pragma omp for schedule(static)
    for (size_t row = 0; row < job->n_rows; row++)
        pack_row(job, row);
#pragma omp for schedule(dynamic)
    for (size_t piece = 0; piece < n_pieces; piece++) {
        size_t column = piece * job->piece;
        run_piece(job, column, pt_least(product->n - column, job->piece));
    }
}

bool pt_rows_product(const struct pt_math *math, bool pairs, const struct pt_product *product)
{
    const size_t ldx = (pairs ? (product->k + 1) / 2 : product->k) + PADDING, most_rows = PT_SHARED / ldx;
    const int n_threads = pt_math_threads(math);
    const size_t piece =
        math->kernels->lanes < 16 ? 32 : 64; /* CPUs with short vectors have half the cache */
    if (!most_rows)
        return false;
#pragma omp parallel num_threads(n_threads)
    for (size_t row = 0; row < product->m; row += most_rows) {
        const struct job job = {math,  product,
                                pairs, ldx,
                                row,   pt_least(product->m - row, most_rows),
                                piece, piece * (size_t)n_threads};
        run_rows(&job);
    }
    return true;
}
