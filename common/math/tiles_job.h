/*
 * A product in tiles and the forms of its operands. Activations: blocks of 32 rows by some of the
 * contraction, for all threads. The weight: 32 of its lines (rows of its own forward, columns backward) are a
 * panel, some panels a group that one thread takes, and some steps of a group a piece, which is packed at a
 * time. Inside of `math` only.
 */
#ifndef PT_MATH_TILES_JOB_H
#define PT_MATH_TILES_JOB_H

#include "math/paths.h"

enum {
    PT_TILE_DEPTH = 2048, /* of the contraction in a block, all terms together */
    PT_TILE_STEP_WORDS = PT_TILE_LINES * PT_TILE_WORDS, /* of 32 lines */
    PT_TILE_BLOCK = PT_TILE_DEPTH / PT_TILE_STEP * PT_TILE_STEP_WORDS,
    PT_TILE_MOST_BLOCKS = 17, /* as much as a second-level cache holds */
    PT_TILE_PIECE_STEPS = 16, /* of a panel, all terms together, they fill most of a first-level cache */
    PT_TILE_PIECE = PT_TILE_PIECE_STEPS * PT_TILE_STEP_WORDS,
    PT_TILE_MOST_PANELS = 4, /* of a group: rows of the weight and of c are met for all of them */
    PT_TILE_ROWS_AHEAD = 16, /* of the weight and of c, that are fetched before their turn */
};
_Static_assert(PT_TILE_MOST_BLOCKS *PT_TILE_BLOCK <= PT_SHARED, "activations fit into what is shared");

struct pt_tile_job {
    const struct pt_math *math;
    const struct pt_product *product;
    size_t *taken; /* groups of panels that threads have taken so far */
    int n_terms, weight_terms;
    bool forward, in_place;
    size_t bytes; /* of an element of the weight */
    size_t most_rows, most_depth, piece_steps;
    size_t panels; /* of a group */
    /* the block at hand */
    size_t first_row, n_rows, start, depth, n_steps;
};

/* A group of panels over some steps. */
struct pt_tile_piece {
    size_t group, step;
};

static inline size_t pt_tile_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t pt_tile_parts(size_t n, size_t size)
{
    return (n + size - 1) / size;
}

static inline size_t pt_tile_groups(const struct pt_tile_job *job)
{
    return pt_tile_parts(job->product->n, job->panels * PT_TILE_LINES);
}

static inline size_t pt_tile_first_line(const struct pt_tile_job *job, size_t group, size_t panel)
{
    return (group * job->panels + panel) * PT_TILE_LINES;
}

/* That a group has: the last may have fewer. */
static inline size_t pt_tile_panels(const struct pt_tile_job *job, size_t group)
{
    return pt_tile_least(pt_tile_parts(job->product->n - pt_tile_first_line(job, group, 0), PT_TILE_LINES),
                         job->panels);
}

static inline float *pt_tile_activations(const struct pt_tile_job *job, size_t block)
{
    return job->math->shared + block * PT_TILE_BLOCK;
}

/* Words from term to term of a block of activations. */
static inline size_t pt_tile_activation_term(const struct pt_tile_job *job)
{
    return job->most_depth / PT_TILE_STEP * PT_TILE_STEP_WORDS;
}

/* Words from term to term of a panel's part of a piece. */
static inline size_t pt_tile_piece_term(const struct pt_tile_job *job)
{
    return job->piece_steps * PT_TILE_STEP_WORDS;
}

/* Elements of the contraction that a piece has. */
static inline size_t pt_tile_piece_depth(const struct pt_tile_job *job, const struct pt_tile_piece *piece)
{
    return pt_tile_least(job->depth - piece->step * PT_TILE_STEP, job->piece_steps * PT_TILE_STEP);
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

/* Packs the piece bit by bit into [panel][term][step][word][line], the right-hand form; what is cut off at an
 * edge has to be zero before. */
size_t pt_tile_portions(const struct pt_tile_job *job, const struct pt_tile_piece *piece);
void pt_tile_pack_portion(const struct pt_tile_job *job, const struct pt_tile_piece *piece, float *to,
                          size_t portion);

#endif
