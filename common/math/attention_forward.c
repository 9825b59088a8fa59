/*
 * A task is one segment and one key head. Many queries: keys and values are copied together, keys transposed,
 * and blocks of query rows are multiplied with the keys that they see. Few queries (decoding): every key and
 * value is read once where it lies.
 */
#include "math/attention_rows.h"

#include "base/memory.h"
#include "base/profile.h"
#include "base/threads.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_QUERIES = 4 };

struct call {
    struct pt_attention_room room;
    const struct pt_segment *segment;
    size_t n_keys, kv_head, group; /* query heads of a key head */
    struct pt_heads q, out;
    float *log_sums;
    float *keys, *columns, *values, *queries, *scores; /* a thread's scratch */
};

/* Scores of one row to exp(score - largest), 0 in front of the window; returns their sum, and stores its log.
 */
static float soften(const struct call *call, size_t i, size_t head, float *scores)
{
    const struct pt_attention_shape *shape = call->room.shape;
    const struct pt_kernels *kernels = call->room.kernels;
    size_t end = pt_visible(call->segment, call->n_keys, i), first = pt_first_visible(shape, end),
           n = end - first;
    float scale = shape->scale;
    memset(scores, 0, first * sizeof *scores);
    scores += first;
    if (shape->soft_cap != 0.0f) {
        kernels->cap_scores(n, scale, shape->soft_cap, scores, NULL);
        scale = 1.0f;
    }
    float top = kernels->bias_scores(n, scale, pt_slope(shape, head), (float)(n - 1), scores);
    float sum = kernels->exp_sum(n, top, scores, scores);
    if (call->log_sums)
        call->log_sums[(call->segment->first_query + i) * shape->n_heads + head] = top + logf(sum);
    return sum;
}

static void query_block(const struct call *call, size_t head, size_t first, size_t n)
{
    const struct pt_attention_room *room = &call->room;
    const struct pt_kernels *kernels = room->kernels;
    const size_t dim = room->shape->head_dim, row = call->segment->first_query + first;
    const size_t visible = pt_visible(call->segment, call->n_keys, first + n - 1);
    float sums[PT_QUERY_BLOCK];
    pt_gather_queries(room, call->q, head, row, n, call->queries);
    kernels->multiply(n, visible, dim, (struct pt_left){call->queries, room->row_stride, 1}, call->columns,
                      room->column_stride, call->scores, room->score_stride, false);
    for (size_t i = 0; i < n; i++) {
        float *scores = call->scores + i * room->score_stride;
        size_t seen = pt_visible(call->segment, call->n_keys, first + i);
        sums[i] = soften(call, first + i, head, scores);
        memset(scores + seen, 0, (visible - seen) * sizeof(float));
    }
    kernels->multiply(n, dim, visible, (struct pt_left){call->scores, room->score_stride, 1}, call->values,
                      room->row_stride, pt_head(&call->out, row, head), call->out.row_stride, false);
    for (size_t i = 0; i < n; i++)
        kernels->scale(dim, 1.0f / sums[i], pt_head(&call->out, row + i, head));
}

static void many_queries(const struct call *call)
{
    const struct pt_attention_room *room = &call->room;
    const size_t n_queries = call->segment->n_queries;
    pt_gather_keys(room, call->segment, false, call->kv_head, call->n_keys, call->keys);
    room->kernels->transpose(call->columns, room->column_stride, call->keys, room->row_stride, call->n_keys,
                             room->shape->head_dim);
    pt_gather_keys(room, call->segment, true, call->kv_head, call->n_keys, call->values);
    for (size_t h = 0; h < call->group; h++)
        for (size_t i = 0; i < n_queries; i += PT_QUERY_BLOCK)
            query_block(call, call->kv_head * call->group + h, i,
                        n_queries - i < PT_QUERY_BLOCK ? n_queries - i : PT_QUERY_BLOCK);
}

/* Adds the values of one query's keys, each times its score. */
static void add_values(const struct call *call, const float *scores, size_t n, float *out)
{
    size_t key = 0;
    for (size_t b = 0; b < call->segment->n_blocks; b++) {
        const struct pt_key_block *block = &call->segment->blocks[b];
        for (size_t r = 0; r < block->n_rows && key < n; r++, key++)
            call->room.kernels->add_scaled(call->room.shape->head_dim, scores[key],
                                           pt_head(&block->v, r, call->kv_head), out);
    }
}

static void one_query(const struct call *call, size_t i, size_t head)
{
    const struct pt_kernels *kernels = call->room.kernels;
    const size_t dim = call->room.shape->head_dim, row = call->segment->first_query + i;
    const size_t n = pt_visible(call->segment, call->n_keys, i);
    const float *query = pt_head(&call->q, row, head);
    float *out = pt_head(&call->out, row, head);
    size_t key = 0;
    for (size_t b = 0; b < call->segment->n_blocks; b++) {
        const struct pt_key_block *block = &call->segment->blocks[b];
        for (size_t r = 0; r < block->n_rows && key < n; r++, key++)
            call->scores[key] = kernels->dot(dim, query, pt_head(&block->k, r, call->kv_head));
    }
    float sum = soften(call, i, head, call->scores);
    memset(out, 0, dim * sizeof(float));
    add_values(call, call->scores, n, out);
    kernels->scale(dim, 1.0f / sum, out);
}

static void run(const struct call *call)
{
    if (call->segment->n_queries > FEW_QUERIES) {
        many_queries(call);
        return;
    }
    for (size_t h = 0; h < call->group; h++)
        for (size_t i = 0; i < call->segment->n_queries; i++)
            one_query(call, i, call->kv_head * call->group + h);
}

static bool has_many_queries(const struct pt_segment *segments, size_t n_segments)
{
    for (size_t s = 0; s < n_segments; s++)
        if (segments[s].n_queries > FEW_QUERIES)
            return true;
    return false;
}

int pt_attention_forward(const struct pt_math *math, const struct pt_attention_shape *shape,
                         const struct pt_segment *segments, size_t n_segments, struct pt_heads q,
                         struct pt_heads out, float *log_sums, struct pt_error *err)
{
    PT_PROFILED(PT_PART_ATTENTION, PT_FORWARD, 2 * pt_attention_work(shape, segments, n_segments));
    (void)math;
    const size_t n_keys = pt_most_keys(segments, n_segments);
    const struct call common = {.room = pt_attention_room_for(shape, n_keys),
                                .group = shape->n_heads / shape->n_kv_heads,
                                .q = q,
                                .out = out,
                                .log_sums = log_sums};
    const struct pt_attention_room *room = &common.room;
    const bool many = has_many_queries(segments, n_segments);
    const size_t rows = many ? n_keys * room->row_stride : 0,
                 columns = many ? shape->head_dim * room->column_stride : 0;
    const size_t queries = many ? PT_QUERY_BLOCK * room->row_stride : 0;
    const size_t each = 2 * rows + columns + queries + (many ? PT_QUERY_BLOCK : 1) * room->score_stride;
    float *scratch = pt_new_floats((size_t)pt_threads() * each, err);
    if (!scratch)
        return (int)err->status;
#pragma omp parallel for schedule(dynamic) collapse(2)
    for (size_t s = 0; s < n_segments; s++) {
        for (size_t h = 0; h < shape->n_kv_heads; h++) {
            struct call call = common;
            call.segment = &segments[s];
            call.n_keys = pt_segment_keys(&segments[s]);
            call.kv_head = h;
            call.keys = scratch + (size_t)omp_get_thread_num() * each;
            call.values = call.keys + rows;
            call.columns = call.values + rows;
            call.queries = call.columns + columns;
            call.scores = call.queries + queries;
            run(&call);
        }
    }
    free(scratch);
    return PT_OK;
}
