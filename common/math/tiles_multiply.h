/*
 * The product of two blocks in terms of tile operations, TILE_ZERO, TILE_LOAD, TILE_STREAM (a load past the
 * first-level cache), TILE_DOT and TILE_STORE, which each file that includes this has defined. Tiles 0 to 3
 * hold c, 4 and 5 the left block, 6 and 7 the right one.
 */
#ifndef PT_MATH_TILES_MULTIPLY_H
#define PT_MATH_TILES_MULTIPLY_H

#include "math/tiles.h"

enum { HALF = PT_TILE_LINES / 2 };

/* A tile of the left block. */
#define LOAD_LEFT(tile, operand, from)               \
    do {                                             \
        if ((operand)->streamed)                     \
            TILE_STREAM(tile, from, (operand)->row); \
        else                                         \
            TILE_LOAD(tile, from, (operand)->row);   \
    } while (0)

/* `half` is that of the right-hand operand, a constant at each call, so that no step has to ask for it. */
static inline void multiply_step(bool half, size_t step, int n_terms, const struct pt_tile_operand *left,
                                 const struct pt_tile_operand *right)
{
    for (int u = 0; u < left->n_terms; u++) {
        const char *rows = left->data + step * left->step + (size_t)u * left->term;
        LOAD_LEFT(4, left, rows);
        LOAD_LEFT(5, left, rows + HALF * left->row);
        for (int t = 0; t < right->n_terms && u + t < n_terms; t++) {
            const char *columns = right->data + step * right->step + (size_t)t * right->term;
            TILE_LOAD(6, columns, right->row);
            if (!half)
                TILE_LOAD(7, columns + HALF * sizeof(float), right->row);
            TILE_DOT(0, 4, 6);
            if (!half)
                TILE_DOT(1, 4, 7);
            TILE_DOT(2, 5, 6);
            if (!half)
                TILE_DOT(3, 5, 7);
        }
    }
}

static void multiply(size_t n_steps, int n_terms, const struct pt_tile_operand *left,
                     const struct pt_tile_operand *right, float *c, size_t ldc, bool add)
{
    const size_t row = ldc * sizeof *c;
    float *lower = c + HALF * ldc;
    if (add) {
        TILE_LOAD(0, c, row);
        TILE_LOAD(1, c + HALF, row);
        TILE_LOAD(2, lower, row);
        TILE_LOAD(3, lower + HALF, row);
    } else {
        TILE_ZERO(0);
        TILE_ZERO(1);
        TILE_ZERO(2);
        TILE_ZERO(3);
    }
    if (right->half)
        for (size_t step = 0; step < n_steps; step++)
            multiply_step(true, step, n_terms, left, right);
    else
        for (size_t step = 0; step < n_steps; step++)
            multiply_step(false, step, n_terms, left, right);
    TILE_STORE(0, c, row);
    TILE_STORE(1, c + HALF, row);
    TILE_STORE(2, lower, row);
    TILE_STORE(3, lower + HALF, row);
}

#endif
