/*
 * Up to `full` all rows of a block see (nearly) the same keys, and one product serves them. The keys from
 * there to `end` are the block's own: the products go over them in narrow strips, each with the rows that see
 * it.
 */
#include "math/attention_blocks.h"

#include <string.h>

enum {
    KEY_PIECE = 16,            /* columns of scores of a strip, a multiple of every kernel's lanes */
    STRIP = 2 * PT_BLOCK_ROWS, /* rows of a strip */
    KEY_CHUNK = 256            /* rows of keys that stay in cache while all queries of a block pass */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Keys that the queries of row `row` see end here. */
static size_t row_end(const struct pt_attention_room *room, const struct pt_segment *segment, size_t row)
{
    return pt_segment_keys(segment) - segment->n_queries + row / room->group + 1;
}

static size_t window_begin(const struct pt_attention_shape *shape, size_t end)
{
    return shape->window && end > shape->window ? end - shape->window : 0;
}

struct pt_query_block pt_query_block_at(const struct pt_attention_room *room,
                                        const struct pt_segment *segment, size_t kv_head, size_t first,
                                        size_t n)
{
    struct pt_query_block block = {
        .room = room, .segment = segment, .kv_head = kv_head, .first = first, .n = n};
    block.full = row_end(room, segment, first);
    block.begin = window_begin(room->shape, block.full);
    block.end = row_end(room, segment, first + n - 1);
    return block;
}

struct pt_query_row pt_query_row_at(const struct pt_query_block *block, size_t i)
{
    const size_t group = block->room->group, row = block->first + i;
    struct pt_query_row at = {.row = block->segment->first_query + row / group,
                              .head = block->kv_head * group + row % group,
                              .end = block->full + row / group - block->first / group};
    at.begin = window_begin(block->room->shape, at.end);
    return at;
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

/* Rows in front of the first that sees the key, in whole blocks of the multiply kernel. */
static size_t rows_before(const struct pt_query_block *block, size_t key)
{
    if (key < block->full)
        return 0;
    const size_t group = block->room->group, row = (block->first / group + key - block->full + 1) * group;
    return (row - block->first) / PT_BLOCK_ROWS * PT_BLOCK_ROWS;
}

/* How many columns to take from `key` on: what is left of its panel, narrow behind `full`. */
static size_t columns_at(const struct pt_query_block *block, size_t key)
{
    size_t left = PT_KEY_PANEL - key % PT_KEY_PANEL,
           full = block->full > key ? (block->full - key) / KEY_PIECE * KEY_PIECE : 0;
    return full ? least(full, left) : KEY_PIECE;
}

void pt_block_scores(const struct pt_query_block *block, const float *near, const float *columns,
                     float *scores)
{
    const struct pt_attention_room *room = block->room;
    const size_t dim = room->shape->head_dim;
    for (size_t key = block->begin / KEY_PIECE * KEY_PIECE, n; key < block->end; key += n) {
        const size_t within = key % PT_KEY_PANEL, before = rows_before(block, key);
        n = columns_at(block, key);
        room->kernels->multiply(block->n - before, n, dim,
                                (struct pt_left){near + before * room->row_stride, room->row_stride, 1},
                                columns + (key - within) * dim + within, PT_KEY_PANEL,
                                scores + before * room->score_stride + key, room->score_stride, false);
    }
}

void pt_block_sums(const struct pt_query_block *block, const float *scores, const float *rows, float *near)
{
    const struct pt_attention_room *room = block->room;
    const size_t dim = room->shape->head_dim, stride = room->row_stride, full = block->full;
    for (size_t key = block->begin; key < full; key += KEY_CHUNK)
        room->kernels->multiply(block->n, dim, least(KEY_CHUNK, full - key),
                                (struct pt_left){scores + key, room->score_stride, 1}, rows + key * stride,
                                stride, near, stride, key != block->begin);
    for (size_t i = 0; i < block->n; i += STRIP) {
        size_t n = least(STRIP, block->n - i), end = pt_query_row_at(block, i + n - 1).end;
        if (end > full)
            room->kernels->multiply(
                n, dim, end - full,
                (struct pt_left){scores + i * room->score_stride + full, room->score_stride, 1},
                rows + full * stride, stride, near + i * stride, stride, true);
    }
}

void pt_block_spread(const struct pt_query_block *block, const float *scores, const float *near, float *rows)
{
    const struct pt_attention_room *room = block->room;
    const size_t dim = room->shape->head_dim, stride = room->row_stride;
    for (size_t key = block->begin, n; key < block->end; key += n) {
        const size_t before = rows_before(block, key);
        n = key < block->full ? block->full - key : least(STRIP, block->end - key);
        room->kernels->multiply(
            n, dim, block->n - before,
            (struct pt_left){scores + before * room->score_stride + key, 1, room->score_stride},
            near + before * stride, stride, rows + key * stride, stride, true);
    }
}

void pt_block_clear_unseen(const struct pt_query_block *block, size_t i, float *scores)
{
    struct pt_query_row at = pt_query_row_at(block, i);
    memset(scores + block->begin, 0, (at.begin - block->begin) * sizeof *scores);
    memset(scores + at.end, 0, (block->end - at.end) * sizeof *scores);
}
