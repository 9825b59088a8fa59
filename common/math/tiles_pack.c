/*
 * Bringing activations and weights into the tiles' forms. The weight's rows lie along the contraction forward
 * and are transposed; backward they run along its lines, and two neighbours are interleaved.
 */
#include "math/tiles_job.h"

#include <string.h>

enum {
    HALF = PT_TILE_LINES / 2,
    PACKED_ROWS = 4, /* backward, in a portion */
    CACHE_LINE = 64,
};

/* 32 rows of activations in the right-hand form, for a weight in place. */
static void pack_columns(const struct pt_tile_job *job, size_t block)
{
    const struct pt_left *a = &job->product->a;
    const size_t first = block * PT_TILE_LINES;
    float *to = pt_tile_activations(job, block);
    memset(to, 0, PT_TILE_BLOCK * sizeof *to);
    job->math->kernels->pair_columns(to, PT_TILE_LINES, pt_tile_activation_term(job), job->n_terms,
                                     a->data + (job->first_row + first) * a->row + job->start, a->row, PT_F32,
                                     pt_tile_least(job->n_rows - first, PT_TILE_LINES), job->depth);
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
                memcpy(to + t * pt_tile_activation_term(job) + word * PT_TILE_LINES,
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

/* That a piece is packed in: forward 16 lines of a step each, backward some rows of a panel. */
size_t pt_tile_portions(const struct pt_tile_job *job, const struct pt_tile_piece *piece)
{
    const size_t depth = pt_tile_piece_depth(job, piece);
    if (job->in_place)
        return 0;
    return pt_tile_panels(job, piece->group) *
           (job->forward ? 2 * pt_tile_parts(depth, PT_TILE_STEP) : pt_tile_parts(depth, PACKED_ROWS));
}

static void pack_lines(const struct pt_tile_job *job, const struct pt_tile_piece *piece, float *to,
                       size_t portion)
{
    const struct pt_product *product = job->product;
    const size_t depth = pt_tile_piece_depth(job, piece), n_steps = pt_tile_parts(depth, PT_TILE_STEP),
                 k = portion % n_steps * PT_TILE_STEP, half = portion / n_steps % 2 * HALF,
                 panel = portion / n_steps / 2, line = pt_tile_first_line(job, piece->group, panel) + half;
    if (line < product->n)
        job->math->kernels->pair_columns(
            to + panel * PT_TILE_PIECE + k / 2 * PT_TILE_LINES + half, PT_TILE_LINES, pt_tile_piece_term(job),
            job->weight_terms, pt_tile_weight(job, job->start + piece->step * PT_TILE_STEP + k, line),
            product->ldb, product->dtype, pt_tile_least(product->n - line, HALF),
            pt_tile_least(depth - k, PT_TILE_STEP));
}

static void pack_some_rows(const struct pt_tile_job *job, const struct pt_tile_piece *piece, float *to,
                           size_t portion)
{
    const struct pt_product *product = job->product;
    const size_t n = pt_tile_panels(job, piece->group), panel = portion % n, k = portion / n * PACKED_ROWS,
                 row = product->ldb * job->bytes, line = pt_tile_first_line(job, piece->group, panel);
    const char *from = pt_tile_weight(job, job->start + piece->step * PT_TILE_STEP + k, line);
    for (size_t i = 0; i < PACKED_ROWS; i++)
        for (size_t byte = 0; byte < PT_TILE_LINES * job->bytes; byte += CACHE_LINE)
            __builtin_prefetch(from + (PT_TILE_ROWS_AHEAD + i) * row + byte, 0, 2);
    job->math->kernels->pair_rows(to + panel * PT_TILE_PIECE + k / 2 * PT_TILE_LINES, PT_TILE_LINES,
                                  pt_tile_piece_term(job), job->weight_terms, from, product->ldb,
                                  product->dtype,
                                  pt_tile_least(pt_tile_piece_depth(job, piece) - k, PACKED_ROWS),
                                  pt_tile_least(product->n - line, PT_TILE_LINES));
}

void pt_tile_pack_portion(const struct pt_tile_job *job, const struct pt_tile_piece *piece, float *to,
                          size_t portion)
{
    if (job->forward)
        pack_lines(job, piece, to, portion);
    else
        pack_some_rows(job, piece, to, portion);
}
