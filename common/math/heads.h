/*
 * Matrices whose rows are divided into heads: q, k and v as they lie in the output of a projection, in a
 * cache, or in a buffer of their own.
 */
#ifndef PT_MATH_HEADS_H
#define PT_MATH_HEADS_H

#include <stddef.h>

/* Element j of head h of row r lies at data[r * row_stride + h * head_stride + j]. */
struct pt_heads {
    float *data; /* borrowed */
    size_t row_stride, head_stride;
};

static inline float *pt_head(const struct pt_heads *heads, size_t row, size_t head)
{
    return heads->data + row * heads->row_stride + head * heads->head_stride;
}

#endif
