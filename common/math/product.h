/*
 * The three matrix products of a linear layer y = x Wᵀ + b, over a weight in any computed dtype. All matrices
 * are row-major. The work is cut into panels of fixed size, each computed by one thread.
 */
#ifndef PT_MATH_PRODUCT_H
#define PT_MATH_PRODUCT_H

#include "base/profile.h"
#include "math/math.h"

#include <stdbool.h>
#include <stddef.h>

struct pt_matrix {
    const void *data;    /* [n_out, n_in] in dtype, row-major; possibly unaligned; borrowed */
    enum pt_dtype dtype; /* PT_F32, PT_F16 or PT_BF16 */
    size_t n_out, n_in;
    bool transposed; /* data is [n_in, n_out] instead */
    /* The same once more, filled by pt_product_pack and borrowed; NULL where each product packs for itself.
     */
    const float *panels[PT_DIRECTIONS];
};

/*
 * A weight that does not change can be kept in the form into which products of many rows in one direction
 * bring it each time. Results are the same to the last bit with it and without.
 *
 * Floats of that form; 0 where such products read the weight as it lies. It is good for this `math` alone.
 */
size_t pt_product_panels(const struct pt_math *math, const struct pt_matrix *w, enum pt_direction direction);
/* panels [pt_product_panels] on a 64-byte boundary. */
void pt_product_pack(const struct pt_math *math, const struct pt_matrix *w, enum pt_direction direction,
                     float *panels);

/* y[m, n_out] = x[m, n_in] Wᵀ + bias; bias [n_out] f32 or NULL. Rows of x and y are ldx and ldy floats apart.
 */
void pt_product_forward(const struct pt_math *math, size_t m, const float *x, size_t ldx,
                        const struct pt_matrix *w, const float *bias, float *y, size_t ldy);
/* dx[m, n_in] = dy[m, n_out] W, or += where `add` is set. */
void pt_product_backward(const struct pt_math *math, size_t m, const float *dy, size_t ldy,
                         const struct pt_matrix *w, bool add, float *dx, size_t ldx);
/* dw[n_out, n_in] += dy[m, n_out]ᵀ x[m, n_in]; always in f32. */
void pt_product_weight_gradient(const struct pt_math *math, size_t m, size_t n_out, size_t n_in,
                                const float *dy, size_t ldy, const float *x, size_t ldx, float *dw);

#endif
