/*
 * Products of 32 x 32 blocks on the tile registers of AMX, or on a plain-C emulation of them: a table of the
 * same operations for both, so that everything around them is the same code. Inside of `math` only.
 */
#ifndef PT_MATH_TILES_H
#define PT_MATH_TILES_H

#include <stdbool.h>
#include <stddef.h>

enum {
    PT_TILE_LINES = 32, /* of a block: two tiles of 16 */
    PT_TILE_STEP = 32,  /* elements of the contraction that one step takes */
    PT_TILE_WORDS = PT_TILE_STEP / 2,
};

/*
 * 32 lines of a matrix as `n_terms` bf16 matrices whose sum it is, in words of two neighbours along the
 * contraction: on the left of a product [line][word], on the right [word][line]. All distances are in bytes.
 */
struct pt_tile_operand {
    const char *data;
    size_t row, step, term; /* from row to row, from step to step, from term to term */
    int n_terms;
    bool streamed; /* on the left only: not worth keeping in the first-level cache */
    bool half;     /* on the right only: its second tile is zero, and so is what that adds to c */
};

struct pt_tiles {
    const char *name;
    void (*start)(void); /* on a thread, before `multiply` there */
    void (*stop)(void);
    /* c [32, ldc] = left right, or += where `add` is set, over n_steps steps. Products of terms u and t count
     * where u + t < n_terms. */
    void (*multiply)(size_t n_steps, int n_terms, const struct pt_tile_operand *left,
                     const struct pt_tile_operand *right, float *c, size_t ldc, bool add);
};

extern const struct pt_tiles pt_tiles_emulated, pt_tiles_amx;

/* Whether the CPU has them and the system lets this process use them, for which it is asked here. */
bool pt_tiles_usable(const struct pt_tiles *tiles);

#endif
