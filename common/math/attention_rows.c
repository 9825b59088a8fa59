/*
 * Keys lie far apart in memory (a row of q, k and v of all heads each), in strides that fall on few cache
 * sets; copied together they are read at full speed.
 */
#include "math/attention_rows.h"

#include <math.h>
#include <string.h>

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

double pt_attention_work(const struct pt_attention_shape *shape, const struct pt_segment *segments,
                         size_t n_segments)
{
    double n_pairs = 0;
    for (size_t s = 0; s < n_segments; s++) {
        size_t n_keys = pt_segment_keys(&segments[s]);
        for (size_t i = 0; i < segments[s].n_queries; i++) {
            size_t visible = pt_visible(&segments[s], n_keys, i);
            n_pairs += (double)(shape->window && shape->window < visible ? shape->window : visible);
        }
    }
    return 2 * n_pairs * (double)shape->head_dim * (double)shape->n_heads;
}

struct pt_attention_room pt_attention_room_for(const struct pt_attention_shape *shape, size_t n_keys)
{
    const struct pt_kernels *kernels = pt_kernels();
    const size_t lanes = kernels->lanes;
    struct pt_attention_room room = {kernels, shape, (shape->head_dim + lanes - 1) / lanes * lanes,
                                     (n_keys + lanes - 1) / lanes * lanes, 0};
    room.score_stride = room.column_stride +
                        16; /* no power of two, so that the rows of a block do not share their cache sets */
    return room;
}

void pt_gather_keys(const struct pt_attention_room *room, const struct pt_segment *segment, bool values,
                    size_t kv_head, size_t n, float *rows)
{
    size_t row = 0;
    for (size_t b = 0; b < segment->n_blocks; b++) {
        const struct pt_key_block *block = &segment->blocks[b];
        const struct pt_heads *heads = values ? &block->v : &block->k;
        for (size_t r = 0; r < block->n_rows && row < n; r++, row++)
            memcpy(rows + row * room->row_stride, pt_head(heads, r, kv_head),
                   room->shape->head_dim * sizeof(float));
    }
}

void pt_gather_queries(const struct pt_attention_room *room, struct pt_heads heads, size_t head, size_t first,
                       size_t n, float *rows)
{
    for (size_t i = 0; i < n; i++)
        memcpy(rows + i * room->row_stride, pt_head(&heads, first + i, head),
               room->shape->head_dim * sizeof(float));
}

void pt_alibi_slopes(size_t n_heads, float *slopes)
{
    size_t power = 1;
    while (power * 2 <= n_heads)
        power *= 2;
    for (size_t i = 0; i < n_heads; i++) {
        /* The first `power` heads take the powers of a base, the others the odd powers of its square root. */
        double exponent = i < power ? 8.0 * (double)(i + 1) / (double)power
                                    : 4.0 * (double)(2 * (i - power) + 1) / (double)power;
        slopes[i] = (float)exp2(-exponent);
    }
}
