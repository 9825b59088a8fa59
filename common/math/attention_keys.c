/*
 * Rows are copied with a stride that is no multiple of 32 floats, and columns (keys transposed) in narrow
 * panels, so that neither falls on few cache sets.
 */
#include "math/attention_keys.h"

#include <string.h>

enum { ROUND = 16 }; /* a multiple of every kernel's lanes */

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t odd_stride(size_t n)
{
    size_t stride = round_up(n, ROUND);
    return stride % (2 * ROUND) ? stride : stride + ROUND;
}

struct pt_attention_room pt_attention_room_for(const struct pt_math *math,
                                               const struct pt_attention_shape *shape, size_t n_keys)
{
    /* A row of scores is written in whole vectors, or tiles, from any key on. */
    return (struct pt_attention_room){.math = math,
                                      .kernels = pt_kernels(),
                                      .shape = shape,
                                      .group = shape->n_heads / shape->n_kv_heads,
                                      .row_stride = odd_stride(round_up(shape->head_dim, PT_TILE_LINES)),
                                      .score_stride = odd_stride(n_keys + PT_TILE_LINES)};
}

size_t pt_near_rows_floats(const struct pt_attention_room *room, size_t n_keys)
{
    return (n_keys + PT_TILE_LINES) * room->row_stride;
}

size_t pt_near_columns_floats(const struct pt_attention_room *room, size_t n_keys)
{
    return round_up(n_keys, PT_KEY_PANEL) * room->shape->head_dim;
}

size_t pt_segment_keys(const struct pt_segment *segment)
{
    size_t n = 0;
    for (size_t b = 0; b < segment->n_blocks; b++)
        n += segment->blocks[b].n_rows;
    return n;
}

size_t pt_most_keys(const struct pt_segment *segments, size_t n_segments)
{
    size_t most = 0;
    for (size_t s = 0; s < n_segments; s++) {
        size_t n = pt_segment_keys(&segments[s]);
        most = n > most ? n : most;
    }
    return most;
}

size_t pt_first_key(const struct pt_attention_shape *shape, size_t end)
{
    return shape->window && end > shape->window ? end - shape->window : 0;
}

double pt_attention_work(const struct pt_attention_shape *shape, const struct pt_segment *segments,
                         size_t n_segments)
{
    double n_pairs = 0;
    for (size_t s = 0; s < n_segments; s++) {
        size_t first = pt_segment_keys(&segments[s]) - segments[s].n_queries;
        for (size_t i = 0; i < segments[s].n_queries; i++) {
            size_t seen = first + i + 1;
            n_pairs += (double)(seen - pt_first_key(shape, seen));
        }
    }
    return 2 * n_pairs * (double)shape->head_dim * (double)shape->n_heads;
}

size_t pt_leading_keys(const struct pt_segment *segment)
{
    return pt_segment_keys(segment) - segment->blocks[segment->n_blocks - 1].n_rows;
}

static bool same_place(const struct pt_heads *a, const struct pt_heads *b)
{
    return a->data == b->data && a->row_stride == b->row_stride && a->head_stride == b->head_stride;
}

size_t pt_common_keys(const struct pt_segment *a, const struct pt_segment *b)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_blocks && i < b->n_blocks; i++) {
        const struct pt_key_block *x = &a->blocks[i], *y = &b->blocks[i];
        if (!same_place(&x->k, &y->k) || !same_place(&x->v, &y->v))
            break;
        n += x->n_rows < y->n_rows ? x->n_rows : y->n_rows;
        if (x->n_rows != y->n_rows)
            break;
    }
    return n;
}

static void copy_rows(const struct pt_attention_room *room, const float *from, size_t stride, size_t n,
                      float *to)
{
    for (size_t r = 0; r < n; r++)
        memcpy(to + r * room->row_stride, from + r * stride, room->shape->head_dim * sizeof *to);
}

/* As columns `first` and on. */
static void turn_rows(const struct pt_attention_room *room, const float *from, size_t stride, size_t first,
                      size_t n, float *columns)
{
    const size_t dim = room->shape->head_dim;
    while (n) {
        size_t within = first % PT_KEY_PANEL, part = PT_KEY_PANEL - within < n ? PT_KEY_PANEL - within : n;
        room->kernels->transpose(columns + (first - within) * dim + within, PT_KEY_PANEL, from, stride, part,
                                 dim);
        from += part * stride;
        first += part;
        n -= part;
    }
}

/* n rows of one of a block's matrices, which become keys `first` and on. */
static void bring(const struct pt_attention_room *room, const struct pt_heads *heads, size_t row,
                  size_t kv_head, size_t first, size_t n, float *rows, float *columns)
{
    const float *from = pt_head(heads, row, kv_head);
    size_t stride = heads->row_stride;
    if (rows) {
        copy_rows(room, from, stride, n, rows + first * room->row_stride);
        from = rows + first * room->row_stride;
        stride = room->row_stride;
    }
    if (columns)
        turn_rows(room, from, stride, first, n, columns);
}

size_t pt_near_already(const struct pt_near_keys *keys, const struct pt_segment *segment, size_t kv_head)
{
    if (!keys->segment || keys->kv_head != kv_head)
        return 0;
    size_t common = keys->segment == segment ? keys->n : pt_common_keys(keys->segment, segment);
    return keys->n < common ? keys->n : common;
}

void pt_bring_keys(const struct pt_attention_room *room, struct pt_near_keys *keys,
                   const struct pt_segment *segment, size_t kv_head, size_t n)
{
    keys->n = pt_near_already(keys, segment, kv_head);
    keys->segment = segment;
    keys->kv_head = kv_head;
    size_t start = 0;
    for (size_t b = 0; b < segment->n_blocks && keys->n < n; b++) {
        const struct pt_key_block *block = &segment->blocks[b];
        size_t end = start + block->n_rows < n ? start + block->n_rows : n;
        if (keys->n < end) {
            size_t row = keys->n - start, more = end - keys->n;
            bring(room, &block->k, row, kv_head, keys->n, more, keys->k_rows, keys->k_columns);
            bring(room, &block->v, row, kv_head, keys->n, more, keys->v_rows, keys->v_columns);
            keys->n = end;
        }
        start += block->n_rows;
    }
}
