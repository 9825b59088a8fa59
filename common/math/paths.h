/*
 * What pt_math_open has chosen, and the ways of computing a product: packed kernels of our own, or OpenBLAS.
 * Inside of `math` only.
 */
#ifndef PT_MATH_PATHS_H
#define PT_MATH_PATHS_H

#include "math/kernels.h"
#include "math/math.h"
#include "math/product.h"
#include "math/tiles.h"

struct pt_math {
    const struct pt_kernels *kernels; /* of the products */
    const struct pt_tiles *tiles;     /* NULL: pairs of bf16 are multiplied by the kernels */
    int n_terms; /* of bf16 that matrices are rounded to, all but f32 ones beside narrower weights; 0: f32 */
    bool narrow_f32; /* those as well, since the model itself is f32 */
    bool openblas;
    bool third_cache_is_fast; /* of the CPU; AMD's are, Intel's servers' not, but their second is larger */
    float *scratch;           /* [n_scratch, scratch_size] owned, one piece a thread */
    float *shared;            /* [PT_SHARED] activations for all threads, owned */
    size_t scratch_size;
    int n_scratch;
    char name[32], description[128];
};

/* A thread's scratch: a panel of the right-hand matrix, and rows on their way into it. */
enum {
    PT_PANEL_COLUMNS = 128,
    PT_PANEL_STEPS = 1024, /* words of a column, at most */
    PT_LEFT_STRIDE =
        PT_PANEL_STEPS + 16, /* no power of two, so that the rows of a block do not share their cache sets */
    PT_WAY_ROWS = 16,
    PT_PANEL = PT_PANEL_COLUMNS * PT_PANEL_STEPS,
    PT_SHARED = 1 << 21,
    PT_SCRATCH = PT_PANEL + PT_WAY_ROWS * PT_LEFT_STRIDE,
};

/* c [m, n] = a [m, k] b [k, n], or +=. */
struct pt_product {
    size_t m, n, k;
    struct pt_left a; /* f32 elements */
    const void *b;
    enum pt_dtype dtype;
    size_t ldb;          /* elements */
    bool b_is_rows;      /* element (p, j) of b lies at p * ldb + j, else at j * ldb + p */
    const float *panels; /* b once more, as the path in force fills them, or NULL */
    const float *bias;   /* [n] or NULL; not together with `add` */
    bool add;
    float *c;
    size_t ldc;
};

void pt_packed_product(const struct pt_math *math, bool pairs, const struct pt_product *product);
/* Forward, with the weight where it lies; false where not even one row of x fits into the scratch. */
bool pt_rows_product(const struct pt_math *math, bool pairs, const struct pt_product *product);
/* Floats that b takes in panels, for many rows, and b brought there. */
size_t pt_packed_panels(const struct pt_math *math, bool pairs, const struct pt_product *product);
void pt_packed_fill(const struct pt_math *math, bool pairs, const struct pt_product *product, float *panels);
/* By tiles, forward or backward. */
void pt_tiles_product(const struct pt_math *math, const struct pt_product *product);
size_t pt_tiles_panels(const struct pt_math *math, const struct pt_product *product);
void pt_tiles_fill(const struct pt_math *math, const struct pt_product *product, float *panels);
size_t pt_tiles_scratch(void); /* floats that it needs a thread */
void pt_openblas_product(const struct pt_math *math, const struct pt_product *product);
void pt_openblas_start(void);       /* one thread a call from now on */
const char *pt_openblas_core(void); /* the kernels that the library has chosen */

/* Words of a column that a block of a panel holds: a panel stays in the second-level cache. */
size_t pt_panel_steps(const struct pt_math *math);
/* Threads that have scratch, at most as many as parallel loops use. */
int pt_math_threads(const struct pt_math *math);
/* With a bias, c's part starts as that, and the product's blocks are added. */
void pt_product_start(const struct pt_product *product, size_t first_row, size_t n_rows, size_t first_column,
                      size_t n_columns);

/* Whether the products of this choice agree with plain loops on one small case. */
bool pt_math_is_right(const struct pt_math *math);

#endif
