/*
 * A product in tiles and the forms of its operands. Activations: blocks of 32 rows by some of the
 * contraction, for all threads. The weight: 32 of its lines (rows of its own forward, columns backward) are a
 * panel, and a thread takes some panels at a time. Inside of `math` only.
 */
#ifndef PT_MATH_TILES_JOB_H
#define PT_MATH_TILES_JOB_H

#include "base/integer.h"
#include "math/paths.h"

enum {
    PT_TILE_DEPTH = 2048, /* of the contraction in a block or a panel, all terms together */
    PT_TILE_STEP_WORDS = PT_TILE_LINES * PT_TILE_WORDS, /* of 32 lines */
    PT_TILE_BLOCK = PT_TILE_DEPTH / PT_TILE_STEP * PT_TILE_STEP_WORDS,
    PT_TILE_MOST_PANELS = 8, /* that a thread takes: rows of the weight and of c are met for all of them */
};

struct pt_tile_job {
    const struct pt_math *math;
    const struct pt_product *product;
    size_t *taken; /* panels that threads have taken so far */
    int n_terms, weight_terms;
    bool forward, in_place;
    size_t bytes; /* of an element of the weight */
    size_t most_rows, most_depth, piece_steps;
    /* the block at hand */
    size_t first_row, n_rows, start, depth, n_steps;
};

static inline size_t pt_tile_parts(size_t n, size_t size)
{
    return (n + size - 1) / size;
}

static inline float *pt_tile_activations(const struct pt_tile_job *job, size_t block)
{
    return job->math->shared + block * PT_TILE_BLOCK;
}

/* Words from term to term of a block or of a panel. */
static inline size_t pt_tile_term(const struct pt_tile_job *job)
{
    return job->n_steps * PT_TILE_STEP_WORDS;
}

/* Words from panel to panel. */
static inline size_t pt_tile_panel(const struct pt_tile_job *job)
{
    return (size_t)job->weight_terms * pt_tile_term(job);
}

/* The weight's element k of a line. */
static inline const char *pt_tile_weight(const struct pt_tile_job *job, size_t k, size_t line)
{
    const struct pt_product *product = job->product;
    return (const char *)product->b +
           (job->forward ? line * product->ldb + k : k * product->ldb + line) * job->bytes;
}

/* Rounds a block of the activations at hand, or splits it: [step][row][word], the left-hand form, or, for a
 * weight in place, [step][word][row], the right-hand form. */
void pt_tile_pack_activations(const struct pt_tile_job *job, size_t block);

/* The same of `n_panels` panels of the weight: [panel][term][step][word][line], the right-hand form. */
void pt_tile_pack_weight(const struct pt_tile_job *job, size_t first_panel, size_t n_panels, float *to);

#endif
