/*
 * The products go over the rows of a block in strips, each with the keys that some row of it sees. The strips
 * of a block pass one after another over a part of the keys that stays in cache.
 */
#include "base/integer.h"
#include "math/attention_ahead.h"
#include "math/attention_tiles.h"

#include <string.h>

enum {
    KEY_PIECE = 16,        /* columns of scores of a strip, a multiple of every kernel's lanes */
    STRIP = PT_BLOCK_ROWS, /* rows (or keys) of a strip: more would see fewer keys in common */
    KEY_CHUNK = 256        /* rows of keys that stay in cache while all queries of a block pass */
};

/* Keys that the queries of row `row` see end here. */
static size_t row_end(const struct pt_attention_room *room, const struct pt_segment *segment, size_t row)
{
    return pt_segment_keys(segment) - segment->n_queries + row / room->group + 1;
}

struct pt_query_block pt_query_block_at(const struct pt_attention_room *room,
                                        const struct pt_segment *segment, size_t kv_head, size_t first,
                                        size_t last)
{
    const size_t n = pt_least(last - first, PT_BLOCK_QUERIES);
    struct pt_query_block block = {
        .room = room, .segment = segment, .kv_head = kv_head, .first = first, .n = n};
    block.full = row_end(room, segment, first);
    block.begin = pt_first_key(room->shape, block.full);
    block.end = row_end(room, segment, first + n - 1);
    return block;
}

struct pt_query_row pt_query_row_at(const struct pt_query_block *block, size_t i)
{
    const size_t group = block->room->group, row = block->first + i;
    struct pt_query_row at = {.row = block->segment->first_query + row / group,
                              .head = block->kv_head * group + row % group,
                              .end = block->full + row / group - block->first / group};
    at.begin = pt_first_key(block->room->shape, at.end);
    return at;
}

size_t pt_query_rows_end(const struct pt_query_block *block, size_t i, size_t n)
{
    return pt_query_row_at(block, pt_least(i + n, block->n) - 1).end;
}

struct pt_score_rule pt_score_rule_of(const struct pt_attention_shape *shape, size_t head)
{
    return (struct pt_score_rule){shape->scale, shape->alibi_slopes ? shape->alibi_slopes[head] : 0.0f,
                                  shape->soft_cap};
}

void pt_gather_rows(const struct pt_query_block *block, struct pt_heads heads, float *near)
{
    for (size_t i = 0; i < block->n; i++) {
        struct pt_query_row at = pt_query_row_at(block, i);
        memcpy(near + i * block->room->row_stride, pt_head(&heads, at.row, at.head),
               block->room->shape->head_dim * sizeof *near);
    }
}

/* The strip that the first row which sees the key is in. */
static size_t first_strip(const struct pt_query_block *block, size_t key)
{
    if (key < block->full)
        return 0;
    const size_t group = block->room->group, row = (block->first / group + key - block->full + 1) * group;
    return (row - block->first) / STRIP * STRIP;
}

void pt_block_scores(const struct pt_query_block *block, struct pt_ahead *ahead, const float *near,
                     const float *columns, float *scores)
{
    const struct pt_attention_room *room = block->room;
    const size_t dim = room->shape->head_dim;
    if (pt_attention_in_tiles(room)) {
        pt_tiled_scores(block, ahead, near, columns, scores);
        return;
    }
    for (size_t key = block->begin / KEY_PIECE * KEY_PIECE, left; key < block->end; key += left) {
        const size_t within = key % PT_KEY_PANEL;
        left = PT_KEY_PANEL - within;
        for (size_t i = first_strip(block, key); i < block->n; i += STRIP) {
            const size_t pieces = (pt_query_rows_end(block, i, STRIP) - key + KEY_PIECE - 1) / KEY_PIECE;
            room->kernels->multiply(pt_least(STRIP, block->n - i), pt_least(pieces * KEY_PIECE, left), dim,
                                    (struct pt_left){near + i * room->row_stride, room->row_stride, 1},
                                    columns + (key - within) * dim + within, PT_KEY_PANEL,
                                    scores + i * room->score_stride + key, room->score_stride, false);
            pt_ahead_step(ahead);
        }
    }
}

void pt_block_sums(const struct pt_query_block *block, struct pt_ahead *ahead, const float *scores,
                   const float *rows, float *near)
{
    const struct pt_attention_room *room = block->room;
    const size_t dim = room->shape->head_dim, stride = room->row_stride;
    if (pt_attention_in_tiles(room)) {
        pt_tiled_sums(block, ahead, scores, rows, near);
        return;
    }
    for (size_t key = block->begin; key < block->end; key += KEY_CHUNK)
        for (size_t i = first_strip(block, key); i < block->n; i += STRIP) {
            room->kernels->multiply(
                pt_least(STRIP, block->n - i), dim,
                pt_least(KEY_CHUNK, pt_query_rows_end(block, i, STRIP) - key),
                (struct pt_left){scores + i * room->score_stride + key, room->score_stride, 1},
                rows + key * stride, stride, near + i * stride, stride, key != block->begin);
            pt_ahead_step(ahead);
        }
}

void pt_block_spread(const struct pt_query_block *block, struct pt_ahead *ahead, const float *scores,
                     const float *near, float *rows)
{
    const struct pt_attention_room *room = block->room;
    const size_t dim = room->shape->head_dim, stride = room->row_stride;
    if (pt_attention_in_tiles(room)) {
        pt_tiled_spread(block, ahead, scores, near, rows);
        return;
    }
    for (size_t key = block->begin; key < block->end; key += STRIP) {
        const size_t i = first_strip(block, key);
        room->kernels->multiply(
            pt_least(STRIP, block->end - key), dim, block->n - i,
            (struct pt_left){scores + i * room->score_stride + key, 1, room->score_stride}, near + i * stride,
            stride, rows + key * stride, stride, true);
        pt_ahead_step(ahead);
    }
}

void pt_block_clear_unseen(const struct pt_query_block *block, size_t i, float *scores)
{
    struct pt_query_row at = pt_query_row_at(block, i);
    memset(scores + block->begin, 0, (at.begin - block->begin) * sizeof *scores);
    memset(scores + at.end, 0, (block->end - at.end) * sizeof *scores);
}
