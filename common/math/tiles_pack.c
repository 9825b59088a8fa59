/*
 * Bringing activations and weights into the tiles' forms. The weight's rows lie along the contraction forward
 * and are transposed; backward they run along its lines, and two neighbours are interleaved.
 */
#include "math/tiles_job.h"

#include <string.h>

enum {
    PACKED_ROWS = 4, /* of the weight, at a time */
    ROWS_AHEAD = 16, /* that are fetched before their turn */
    CACHE_LINE = 64,
};

/* 32 rows of activations in the right-hand form, for a weight in place. */
static void pack_columns(const struct pt_tile_job *job, size_t block)
{
    const struct pt_left *a = &job->product->a;
    const size_t first = block * PT_TILE_LINES;
    float *to = pt_tile_activations(job, block);
    memset(to, 0, PT_TILE_BLOCK * sizeof *to);
    job->math->kernels->pair_columns(to, PT_TILE_LINES, pt_tile_term(job), job->n_terms,
                                     a->data + (job->first_row + first) * a->row + job->start, a->row, PT_F32,
                                     pt_least(job->n_rows - first, PT_TILE_LINES), job->depth);
}

/* The same in the left-hand form: row by row into words, which are then dealt out to the steps. */
static void pack_rows(const struct pt_tile_job *job, size_t block)
{
    const struct pt_left *a = &job->product->a;
    const size_t first = block * PT_TILE_LINES, n_words = job->n_steps * PT_TILE_WORDS;
    float words[PT_TILE_DEPTH / 2] = {0}, *to = pt_tile_activations(job, block);
    for (size_t row = 0; row < PT_TILE_LINES; row++, to += PT_TILE_WORDS) {
        if (first + row < job->n_rows)
            job->math->kernels->pair_row(words, job->most_depth / 2, job->n_terms,
                                         a->data + (job->first_row + first + row) * a->row + job->start,
                                         PT_F32, job->depth);
        else
            memset(words, 0, sizeof words);
        for (size_t t = 0; t < (size_t)job->n_terms; t++)
            for (size_t word = 0; word < n_words; word += PT_TILE_WORDS)
                memcpy(to + t * pt_tile_term(job) + word * PT_TILE_LINES,
                       words + t * job->most_depth / 2 + word, PT_TILE_WORDS * sizeof *to);
    }
}

void pt_tile_pack_activations(const struct pt_tile_job *job, size_t block)
{
    if (job->in_place)
        pack_columns(job, block);
    else
        pack_rows(job, block);
}

/* 32 lines, each along the contraction. */
static void pack_lines(const struct pt_tile_job *job, size_t panel, float *to)
{
    const struct pt_product *product = job->product;
    const size_t line = panel * PT_TILE_LINES;
    job->math->kernels->pair_columns(to, PT_TILE_LINES, pt_tile_term(job), job->weight_terms,
                                     pt_tile_weight(job, job->start, line), product->ldb, product->dtype,
                                     pt_least(product->n - line, PT_TILE_LINES), job->depth);
}

static void fetch_row(const char *from, size_t n_bytes)
{
    for (size_t byte = 0; byte < n_bytes; byte += CACHE_LINE)
        __builtin_prefetch(from + byte, 0, 2);
}

/* Some neighbours along the contraction, of some panels' lines each: a row is met for all of them. */
static void pack_rows_of_weight(const struct pt_tile_job *job, size_t first_panel, size_t n_panels, float *to,
                                size_t k)
{
    const struct pt_product *product = job->product;
    const size_t row = product->ldb * job->bytes, first = first_panel * PT_TILE_LINES;
    const char *from = pt_tile_weight(job, job->start + k, first);
    for (size_t i = 0; i < PACKED_ROWS; i++)
        fetch_row(from + (ROWS_AHEAD + i) * row, n_panels * PT_TILE_LINES * job->bytes);
    for (size_t panel = 0; panel < n_panels; panel++)
        job->math->kernels->pair_rows(to + panel * pt_tile_panel(job) + k / 2 * PT_TILE_LINES, PT_TILE_LINES,
                                      pt_tile_term(job), job->weight_terms,
                                      from + panel * PT_TILE_LINES * job->bytes, product->ldb, product->dtype,
                                      pt_least(job->depth - k, PACKED_ROWS),
                                      pt_least(product->n - first - panel * PT_TILE_LINES, PT_TILE_LINES));
}

void pt_tile_pack_weight(const struct pt_tile_job *job, size_t first_panel, size_t n_panels, float *to)
{
    if ((first_panel + n_panels) * PT_TILE_LINES > job->product->n || job->depth % PT_TILE_STEP)
        memset(to, 0, n_panels * pt_tile_panel(job) * sizeof *to);
    if (job->forward)
        for (size_t panel = 0; panel < n_panels; panel++)
            pack_lines(job, first_panel + panel, to + panel * pt_tile_panel(job));
    else
        for (size_t k = 0; k < job->depth; k += PACKED_ROWS)
            pack_rows_of_weight(job, first_panel, n_panels, to, k);
}
