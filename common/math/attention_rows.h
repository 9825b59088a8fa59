/*
 * What attention's forward and backward share: the rows of a segment's keys, gathered from its blocks. Inside
 * of `math` only.
 */
#ifndef PT_MATH_ATTENTION_ROWS_H
#define PT_MATH_ATTENTION_ROWS_H

#include "math/attention.h"
#include "math/kernels.h"

enum { PT_QUERY_BLOCK = 8 * PT_BLOCK_ROWS }; /* rows of queries whose scores exist at a time */

/* Rows [n_keys, padded dimension] and columns [head_dim, padded keys] are padded to whole vectors; score rows
 * get a stride of their own. */
struct pt_attention_room {
    const struct pt_kernels *kernels;
    const struct pt_attention_shape *shape;
    size_t row_stride, column_stride, score_stride;
};

/* All keys that a segment's last query sees. */
size_t pt_segment_keys(const struct pt_segment *segment);
/* The largest of them over all segments. */
size_t pt_most_keys(const struct pt_segment *segments, size_t n_segments);
/* Operations of one product of every query with all keys that it sees, over all heads. */
double pt_attention_work(const struct pt_attention_shape *shape, const struct pt_segment *segments,
                         size_t n_segments);
struct pt_attention_room pt_attention_room_for(const struct pt_attention_shape *shape, size_t n_keys);

/* The first n rows of one key head, k or v, copied to [n, row_stride]. */
void pt_gather_keys(const struct pt_attention_room *room, const struct pt_segment *segment, bool values,
                    size_t kv_head, size_t n, float *rows);
/* Rows first .. first + n of one head, copied to [n, row_stride]. */
void pt_gather_queries(const struct pt_attention_room *room, struct pt_heads heads, size_t head, size_t first,
                       size_t n, float *rows);

/* Keys up to and including that of row i of the segment's queries. */
static inline size_t pt_visible(const struct pt_segment *segment, size_t n_keys, size_t i)
{
    return n_keys - segment->n_queries + i + 1;
}

/* The first of them, where n are up to its own. */
static inline size_t pt_first_visible(const struct pt_attention_shape *shape, size_t n)
{
    return shape->window && n > shape->window ? n - shape->window : 0;
}

static inline float pt_slope(const struct pt_attention_shape *shape, size_t head)
{
    return shape->alibi_slopes ? shape->alibi_slopes[head] : 0.0f;
}

#endif
