/*
 * Blocks of queries, and the products of attention over them that leave out what no query of a block sees.
 * Inside of `math` only.
 *
 * All queries of a segment that read one key head are rows of one list: row = query * group + query head
 * within the group. So several query heads share the copies of a key head, and short segments still fill a
 * block.
 */
#ifndef PT_MATH_ATTENTION_BLOCKS_H
#define PT_MATH_ATTENTION_BLOCKS_H

#include "math/attention_keys.h"

enum { PT_BLOCK_QUERIES = 3 * PT_TILE_LINES }; /* rows whose scores exist at a time */

struct pt_ahead;

struct pt_query_block {
    const struct pt_attention_room *room;
    const struct pt_segment *segment;
    size_t kv_head;
    size_t first, n; /* rows */
    size_t begin, full,
        end; /* some row sees keys begin .. end; the first row's own key is the last before `full` */
};

/* From row `first` on, at most to `last`. */
struct pt_query_block pt_query_block_at(const struct pt_attention_room *room,
                                        const struct pt_segment *segment, size_t kv_head, size_t first,
                                        size_t last);

/* What row i of the block is: its row and head in q, and the keys begin .. end that it sees. */
struct pt_query_row {
    size_t row, head, begin, end;
};
struct pt_query_row pt_query_row_at(const struct pt_query_block *block, size_t i);
/* Where the keys end that any of n rows from row i on sees. */
size_t pt_query_rows_end(const struct pt_query_block *block, size_t i, size_t n);
struct pt_score_rule pt_score_rule_of(const struct pt_attention_shape *shape, size_t head);

/* The block's rows of `heads` to near [n, row_stride]. */
void pt_gather_rows(const struct pt_query_block *block, struct pt_heads heads, float *near);

/* scores [n, score_stride] = near [n, head_dim] columns; what no row sees is left as it is. */
void pt_block_scores(const struct pt_query_block *block, struct pt_ahead *ahead, const float *near,
                     const float *columns, float *scores);
/* near [n, row_stride] = scores rows [keys, row_stride]. From here on scores are 0 where a row does not see.
 */
void pt_block_sums(const struct pt_query_block *block, struct pt_ahead *ahead, const float *scores,
                   const float *rows, float *near);
/* rows [keys, row_stride] += scoresᵀ near. */
void pt_block_spread(const struct pt_query_block *block, struct pt_ahead *ahead, const float *scores,
                     const float *near, float *rows);

/* Zeroes of row i what lies in the block's keys but not in its own. */
void pt_block_clear_unseen(const struct pt_query_block *block, size_t i, float *scores);

#endif
