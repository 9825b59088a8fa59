/*
 * The products of attention_blocks.h in bf16 tiles, where the products of the model are in one term of bf16:
 * queries, keys, values, probabilities and their gradients are rounded to bf16, sums are f32. Inside of
 * `math` only.
 */
#ifndef PT_MATH_ATTENTION_TILES_H
#define PT_MATH_ATTENTION_TILES_H

#include "math/attention_blocks.h"

bool pt_attention_in_tiles(const struct pt_attention_room *room);
/* That work on it: those that have scratch, in tiles. */
size_t pt_attention_threads(const struct pt_attention_room *room);
/* On each thread, before and after products of blocks there; without tiles they do nothing. */
void pt_tiled_start(const struct pt_attention_room *room);
void pt_tiled_stop(const struct pt_attention_room *room);

/* Like pt_block_scores, pt_block_sums and pt_block_spread. Whole tiles are written: to `scores` and `near`
 * behind their last rows and columns, and to `rows`, where zeros are added behind the last. */
void pt_tiled_scores(const struct pt_query_block *block, struct pt_ahead *ahead, const float *near,
                     const float *columns, float *scores);
void pt_tiled_sums(const struct pt_query_block *block, struct pt_ahead *ahead, const float *scores,
                   const float *rows, float *near);
void pt_tiled_spread(const struct pt_query_block *block, struct pt_ahead *ahead, const float *scores,
                     const float *near, float *rows);

#endif
