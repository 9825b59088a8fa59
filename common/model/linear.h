/*
 * One linear layer as the engine sees it: its weight where it lies, or a method's own in its place, and what
 * a method adds to it.
 */
#ifndef PT_MODEL_LINEAR_H
#define PT_MODEL_LINEAR_H

#include "math/product.h"
#include "model/plugs.h"

struct pt_linear {
    enum pt_role role; /* of its weight */
    struct pt_matrix weight;
    const float *bias;                 /* [n_out] f32, or NULL */
    float *weight_gradient;            /* [n_out, n_in], NULL: not trained */
    float *bias_gradient;              /* [n_out], NULL: not trained */
    const struct pt_plug_delta *delta; /* or NULL */
};

/* Room for what a delta computes in between. */
struct pt_low_rank {
    float *rows;       /* [rows, rank] */
    float *transposed; /* [rank, n_out] */
};

/* Whether the weight, the bias or the delta is trained; and whether that needs the linear's input. */
bool pt_linear_is_trained(const struct pt_linear *linear);
bool pt_linear_needs_input(const struct pt_linear *linear);

/* y [m, n_out] = x [m, n_in] Wᵀ + bias + scale (x Aᵀ) Bᵀ. Rows follow one another without gaps, here and
 * below. */
void pt_linear_forward(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *x,
                       float *y, const struct pt_low_rank *low);
/* Adds to the gradients of whatever is trained; x may be NULL where pt_linear_needs_input is false. */
void pt_linear_gradients(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *x,
                         const float *dy, const struct pt_low_rank *low);
/* dx [m, n_in] = dy [m, n_out] (W + scale B A). */
void pt_linear_backward(const struct pt_linear *linear, const struct pt_math *math, size_t m, const float *dy,
                        float *dx, const struct pt_low_rank *low);

#endif
