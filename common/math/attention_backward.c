/*
 * Probabilities are formed again from the scores and the logs of their sums. A thread owns a key head and
 * takes the segments in order, so that blocks shared by many segments get their gradients added in one order
 * whatever the number of threads.
 */
#include "math/attention_rows.h"

#include "base/memory.h"
#include "base/profile.h"
#include "base/threads.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

struct call {
    struct pt_attention_room room;
    const struct pt_segment *segment;
    size_t n_keys, kv_head, group;
    struct pt_heads q, dout, dq;
    const float *log_sums;
    float *keys, *key_columns, *value_columns; /* a thread's scratch: [n_keys, dim], [dim, n_keys] twice */
    float *dk, *dv;                            /* [n_keys, dim]: of this segment */
    float *queries, *dqueries;                 /* [PT_QUERY_BLOCK, dim]: q and dout */
    float *scores, *dscores;                   /* [PT_QUERY_BLOCK, n_keys] */
    float *cap_slopes;                         /* the same; NULL without a soft cap */
};

/* Scores of the block to probabilities, zero where a query does not see. */
static void form_probabilities(const struct call *call, size_t head, size_t first, size_t n, size_t visible)
{
    const struct pt_attention_shape *shape = call->room.shape;
    const struct pt_kernels *kernels = call->room.kernels;
    for (size_t i = 0; i < n; i++) {
        float *scores = call->scores + i * call->room.score_stride;
        size_t end = pt_visible(call->segment, call->n_keys, first + i), begin = pt_first_visible(shape, end),
               seen = end - begin;
        float log_sum = call->log_sums[(call->segment->first_query + first + i) * shape->n_heads + head];
        float scale = shape->scale;
        if (shape->soft_cap != 0.0f) {
            kernels->cap_scores(seen, scale, shape->soft_cap, scores + begin,
                                call->cap_slopes + i * call->room.score_stride + begin);
            scale = 1.0f;
        }
        kernels->bias_scores(seen, scale, pt_slope(shape, head), (float)(seen - 1), scores + begin);
        kernels->exp_sum(seen, log_sum, scores + begin, scores + begin);
        memset(scores, 0, begin * sizeof(float));
        memset(scores + end, 0, (visible - end) * sizeof(float));
    }
}

/* Probabilities and their gradients to the gradients of q·k. */
static void form_score_gradients(const struct call *call, size_t n, size_t visible)
{
    const struct pt_kernels *kernels = call->room.kernels;
    for (size_t i = 0; i < n; i++) {
        float *scores = call->scores + i * call->room.score_stride,
              *dscores = call->dscores + i * call->room.score_stride;
        kernels->softmax_backward(visible, kernels->dot(visible, scores, dscores), dscores, scores);
        kernels->scale(visible, call->room.shape->scale, scores);
        if (call->cap_slopes)
            kernels->multiply_by(visible, call->cap_slopes + i * call->room.score_stride, scores);
    }
}

static void query_block(const struct call *call, size_t head, size_t first, size_t n)
{
    const struct pt_attention_room *room = &call->room;
    const struct pt_kernels *kernels = room->kernels;
    const size_t dim = room->shape->head_dim, row = call->segment->first_query + first;
    const size_t visible = pt_visible(call->segment, call->n_keys, first + n - 1);
    const struct pt_left across = {call->scores, 1, room->score_stride};
    pt_gather_queries(room, call->q, head, row, n, call->queries);
    pt_gather_queries(room, call->dout, head, row, n, call->dqueries);
    kernels->multiply(n, visible, dim, (struct pt_left){call->queries, room->row_stride, 1},
                      call->key_columns, room->column_stride, call->scores, room->score_stride, false);
    form_probabilities(call, head, first, n, visible);
    kernels->multiply(visible, dim, n, across, call->dqueries, room->row_stride, call->dv, room->row_stride,
                      true);
    kernels->multiply(n, visible, dim, (struct pt_left){call->dqueries, room->row_stride, 1},
                      call->value_columns, room->column_stride, call->dscores, room->score_stride, false);
    form_score_gradients(call, n, visible);
    kernels->multiply(visible, dim, n, across, call->queries, room->row_stride, call->dk, room->row_stride,
                      true);
    kernels->multiply(n, dim, visible, (struct pt_left){call->scores, room->score_stride, 1}, call->keys,
                      room->row_stride, pt_head(&call->dq, row, head), call->dq.row_stride, false);
}

/* The segment's gradients are added where its keys and values came from. */
static void scatter(const struct call *call)
{
    const struct pt_attention_room *room = &call->room;
    size_t key = 0;
    for (size_t b = 0; b < call->segment->n_blocks; b++) {
        const struct pt_key_block *block = &call->segment->blocks[b];
        for (size_t r = 0; r < block->n_rows; r++, key++) {
            if (block->dk.data)
                room->kernels->add_scaled(room->shape->head_dim, 1.0f, call->dk + key * room->row_stride,
                                          pt_head(&block->dk, r, call->kv_head));
            if (block->dv.data)
                room->kernels->add_scaled(room->shape->head_dim, 1.0f, call->dv + key * room->row_stride,
                                          pt_head(&block->dv, r, call->kv_head));
        }
    }
}

static void run(const struct call *call)
{
    const struct pt_attention_room *room = &call->room;
    const size_t n_queries = call->segment->n_queries, dim = room->shape->head_dim;
    pt_gather_keys(room, call->segment, true, call->kv_head, call->n_keys, call->keys);
    room->kernels->transpose(call->value_columns, room->column_stride, call->keys, room->row_stride,
                             call->n_keys, dim);
    pt_gather_keys(room, call->segment, false, call->kv_head, call->n_keys, call->keys);
    room->kernels->transpose(call->key_columns, room->column_stride, call->keys, room->row_stride,
                             call->n_keys, dim);
    memset(call->dk, 0, call->n_keys * room->row_stride * sizeof(float));
    memset(call->dv, 0, call->n_keys * room->row_stride * sizeof(float));
    for (size_t h = 0; h < call->group; h++)
        for (size_t i = 0; i < n_queries; i += PT_QUERY_BLOCK)
            query_block(call, call->kv_head * call->group + h, i,
                        n_queries - i < PT_QUERY_BLOCK ? n_queries - i : PT_QUERY_BLOCK);
    scatter(call);
}

/* Places the scratch of one thread; returns how many floats it takes, also where `from` is NULL. */
static size_t place(struct call *call, float *from, size_t n_keys)
{
    const struct pt_attention_room *room = &call->room;
    const size_t rows = n_keys * room->row_stride, columns = room->shape->head_dim * room->column_stride;
    const size_t queries = PT_QUERY_BLOCK * room->row_stride, scores = PT_QUERY_BLOCK * room->score_stride;
    const bool capped = room->shape->soft_cap != 0.0f;
    const struct {
        float **part;
        size_t n;
    } parts[] = {{&call->keys, rows},
                 {&call->key_columns, columns},
                 {&call->value_columns, columns},
                 {&call->dk, rows},
                 {&call->dv, rows},
                 {&call->queries, queries},
                 {&call->dqueries, queries},
                 {&call->scores, scores},
                 {&call->dscores, scores},
                 {&call->cap_slopes, capped ? scores : 0}};
    size_t total = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].part = from && parts[i].n ? from + total : NULL;
        total += parts[i].n;
    }
    return total;
}

int pt_attention_backward(const struct pt_math *math, const struct pt_attention_shape *shape,
                          const struct pt_segment *segments, size_t n_segments, struct pt_heads q,
                          struct pt_heads dout, const float *log_sums, struct pt_heads dq,
                          struct pt_error *err)
{
    PT_PROFILED(PT_PART_ATTENTION, PT_BACKWARD, 5 * pt_attention_work(shape, segments, n_segments));
    (void)math;
    const size_t n_keys = pt_most_keys(segments, n_segments);
    struct call common = {.room = pt_attention_room_for(shape, n_keys),
                          .group = shape->n_heads / shape->n_kv_heads,
                          .q = q,
                          .dout = dout,
                          .dq = dq,
                          .log_sums = log_sums};
    const size_t each = place(&common, NULL, n_keys);
    float *scratch = pt_new_floats((size_t)pt_threads() * each, err);
    if (!scratch)
        return (int)err->status;
#pragma omp parallel for schedule(static)
    for (size_t h = 0; h < shape->n_kv_heads; h++) {
        struct call call = common;
        place(&call, scratch + (size_t)omp_get_thread_num() * each, n_keys);
        call.kv_head = h;
        for (size_t s = 0; s < n_segments; s++) {
            call.segment = &segments[s];
            call.n_keys = pt_segment_keys(&segments[s]);
            run(&call);
        }
    }
    free(scratch);
    return PT_OK;
}
