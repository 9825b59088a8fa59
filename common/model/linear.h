/*
 * One linear layer as the engine sees it: its weight where it lies, or a method's own in its place, and what
 * a method adds to it. And several that read the same input, whose outputs stand side by side in one row.
 */
#ifndef PT_MODEL_LINEAR_H
#define PT_MODEL_LINEAR_H

#include "math/product.h"
#include "model/plugs.h"

struct pt_linear {
    enum pt_role role; /* of its weight */
    struct pt_matrix weight;
    const float *bias;                 /* [n_out] f32, or NULL */
    float *weight_gradient;            /* as the weight lies, NULL: not trained */
    float *bias_gradient;              /* [n_out], NULL: not trained */
    const struct pt_plug_delta *delta; /* or NULL */
};

enum { PT_MOST_PARTS = 3 };

struct pt_projection {
    struct pt_linear parts[PT_MOST_PARTS];
    size_t n_parts;
};

/* Room for what a delta computes in between. */
struct pt_low_rank {
    float *rows;       /* [rows, rank] */
    float *transposed; /* [rank, n_out] */
};

/* Whether the weight, the bias or the delta is trained; and whether that needs the linear's input. */
bool pt_linear_is_trained(const struct pt_linear *linear);
bool pt_linear_needs_input(const struct pt_linear *linear);

/* y [m, n_out] = x [m, n_in] Wᵀ + bias + scale (x Aᵀ) Bᵀ. Rows of x follow one another without gaps, those of
 * y are ldy floats apart, here and below. */
void pt_linear_forward(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *x,
                       float *y, size_t ldy, const struct pt_low_rank *low);
/* Adds to the gradients of whatever is trained; x may be NULL where pt_linear_needs_input is false. */
void pt_linear_gradients(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *x,
                         const float *dy, size_t ldy, const struct pt_low_rank *low);
/* dx [m, n_in] = dy [m, n_out] (W + scale B A), or += where `add` is set. */
void pt_linear_backward(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *dy,
                        size_t ldy, bool add, float *dx, const struct pt_low_rank *low);

/* The same for all parts: y [m, ldy] holds the first part's outputs, then the next one's. */
bool pt_projection_is_trained(const struct pt_projection *projection);
bool pt_projection_needs_input(const struct pt_projection *projection);
void pt_projection_forward(const struct pt_projection *projection, const struct pt_math *math, size_t m,
                           const float *x, float *y, size_t ldy, const struct pt_low_rank *low);
void pt_projection_gradients(const struct pt_projection *projection, const struct pt_math *math, size_t m,
                             const float *x, const float *dy, size_t ldy, const struct pt_low_rank *low);
void pt_projection_backward(const struct pt_projection *projection, const struct pt_math *math, size_t m,
                            const float *dy, size_t ldy, float *dx, const struct pt_low_rank *low);

#endif
