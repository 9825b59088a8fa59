/*
 * Keys and values of one segment and key head, brought together: in memory they lie far apart (a row holds q,
 * k and v of all heads), in strides that fall on few cache sets. Inside of `math` only.
 */
#ifndef PT_MATH_ATTENTION_KEYS_H
#define PT_MATH_ATTENTION_KEYS_H

#include "math/attention.h"
#include "math/paths.h"

/* Columns lie in panels of so many keys, [head_dim, PT_KEY_PANEL] each. */
enum { PT_KEY_PANEL = 64 };

/* How a thread's copies lie. */
struct pt_attention_room {
    const struct pt_math *math; /* may be NULL */
    const struct pt_kernels *kernels;
    const struct pt_attention_shape *shape;
    size_t group;        /* query heads of a key head */
    size_t row_stride;   /* floats between copied rows of head_dim */
    size_t score_stride; /* floats between rows of scores */
};

/* What is brought so far. Rows are [n_keys, row_stride]; each of the four may be NULL: not wanted. */
struct pt_near_keys {
    const struct pt_segment *segment;
    size_t kv_head, n;
    float *k_rows, *v_rows, *k_columns, *v_columns;
};

/* For segments of at most n_keys keys. */
struct pt_attention_room pt_attention_room_for(const struct pt_math *math,
                                               const struct pt_attention_shape *shape, size_t n_keys);
/* Floats of rows, and of columns, of n_keys keys. Behind the rows there is room for PT_TILE_LINES more. */
size_t pt_near_rows_floats(const struct pt_attention_room *room, size_t n_keys);
size_t pt_near_columns_floats(const struct pt_attention_room *room, size_t n_keys);

/* All keys that a segment's last query sees, without a window. */
size_t pt_segment_keys(const struct pt_segment *segment);
/* The largest of them over all segments. */
size_t pt_most_keys(const struct pt_segment *segments, size_t n_segments);
/* The first key that a query sees whose own is the last before `end`: 0 without a window. */
size_t pt_first_key(const struct pt_attention_shape *shape, size_t end);
/* Operations of one product of every query with all keys that it sees, over all heads. */
double pt_attention_work(const struct pt_attention_shape *shape, const struct pt_segment *segments,
                         size_t n_segments);
/* Keys in front of the last block. */
size_t pt_leading_keys(const struct pt_segment *segment);
/* How many keys the two have in common from the first on: the same rows in the same places. */
size_t pt_common_keys(const struct pt_segment *a, const struct pt_segment *b);

/* How many keys of a segment are there already: those in common with the last segment. */
size_t pt_near_already(const struct pt_near_keys *keys, const struct pt_segment *segment, size_t kv_head);
/* Brings the first n keys, as far as they are not there. */
void pt_bring_keys(const struct pt_attention_room *room, struct pt_near_keys *keys,
                   const struct pt_segment *segment, size_t kv_head, size_t n);

#endif
