/*
 * A task is a key head of a segment and a chunk of the rows that read it. Tasks come segment by segment,
 * since the heads of a row share its pages of memory, and the chunks of a key head one after another, so that
 * a thread finds the keys where its last task has left them.
 */
#include "math/attention_ahead.h"
#include "math/attention_blocks.h"
#include "math/attention_decode.h"
#include "math/attention_tiles.h"

#include "base/memory.h"
#include "base/profile.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

enum { CHUNK_ROWS = 5 * PT_BLOCK_QUERIES };

struct task {
    const struct pt_segment *segment;
    size_t kv_head, first, n; /* rows */
};

struct call {
    struct pt_attention_room room;
    struct pt_heads q, out;
    float *log_sums;
    struct task *tasks;
    size_t n_tasks;
};

/* A thread's copies. */
struct near {
    struct pt_near_keys keys;
    struct pt_ahead ahead;
    float *queries, *sums; /* [PT_BLOCK_QUERIES, row_stride] */
    float *scores;         /* [PT_BLOCK_QUERIES, score_stride] */
};

static void run_block(const struct call *call, struct near *near, const struct pt_query_block *block)
{
    const struct pt_attention_room *room = &call->room;
    const struct pt_attention_shape *shape = room->shape;
    float totals[PT_BLOCK_QUERIES];
    pt_gather_rows(block, call->q, near->queries);
    pt_block_scores(block, &near->ahead, near->queries, near->keys.k_columns, near->scores);
    for (size_t i = 0; i < block->n; i++) {
        struct pt_query_row at = pt_query_row_at(block, i);
        struct pt_score_rule rule = pt_score_rule_of(shape, at.head);
        float *scores = near->scores + i * room->score_stride, top;
        totals[i] = room->kernels->soften(&rule, at.end - at.begin, scores + at.begin, &top);
        pt_block_clear_unseen(block, i, scores);
        if (call->log_sums)
            call->log_sums[at.row * shape->n_heads + at.head] = top + logf(totals[i]);
    }
    pt_block_sums(block, &near->ahead, near->scores, near->keys.v_rows, near->sums);
    for (size_t i = 0; i < block->n; i++) {
        struct pt_query_row at = pt_query_row_at(block, i);
        room->kernels->scale(shape->head_dim, 1.0f / totals[i], near->sums + i * room->row_stride,
                             pt_head(&call->out, at.row, at.head));
    }
}

/* A task's block of queries from row `first` on. */
static struct pt_query_block block_at(const struct call *call, const struct task *task, size_t first)
{
    return pt_query_block_at(&call->room, task->segment, task->kv_head, first, task->first + task->n);
}

/* `next` is probably this thread's next task; NULL: none. */
static void run_task(const struct call *call, struct near *near, const struct task *task,
                     const struct task *next)
{
    struct pt_query_block block = block_at(call, task, task->first), after;
    for (const size_t end = task->first + task->n; block.n; block = after) {
        const size_t last = block.first + block.n;
        after = last < end ? block_at(call, task, last)
                : next     ? block_at(call, next, next->first)
                           : (struct pt_query_block){0};
        pt_bring_keys(&call->room, &near->keys, task->segment, task->kv_head, block.end);
        pt_ahead_turn(&near->ahead, &after, &near->keys);
        run_block(call, near, &block);
        if (last == end)
            break;
    }
}

/* Cuts the rows of all segments that are not decoded; with `tasks` NULL it only counts. */
static size_t cut(const struct call *call, const struct pt_segment *segments, size_t n_segments,
                  struct task *tasks)
{
    size_t n = 0;
    for (size_t s = 0; s < n_segments; s++) {
        size_t rows = segments[s].n_queries * call->room.group;
        if (pt_attention_is_decoding(call->room.shape, &segments[s]))
            continue;
        for (size_t h = 0; h < call->room.shape->n_kv_heads; h++)
            for (size_t i = 0; i < rows; i += CHUNK_ROWS, n++)
                if (tasks)
                    tasks[n] =
                        (struct task){&segments[s], h, i, rows - i < CHUNK_ROWS ? rows - i : CHUNK_ROWS};
    }
    return n;
}

static struct near place(const struct call *call, float *from, size_t n_keys)
{
    const size_t queries = PT_BLOCK_QUERIES * call->room.row_stride;
    struct near near = {.queries = from, .ahead.queries = {&call->q, &call->out}};
    near.sums = near.queries + queries;
    near.scores = near.sums + queries;
    near.keys.v_rows = near.scores + PT_BLOCK_QUERIES * call->room.score_stride;
    near.keys.k_columns = near.keys.v_rows + pt_near_rows_floats(&call->room, n_keys);
    return near;
}

static int run(const struct call *call, size_t n_keys, struct pt_error *err)
{
    const struct pt_attention_room *room = &call->room;
    const size_t each = PT_BLOCK_QUERIES * (2 * room->row_stride + room->score_stride) +
                        pt_near_rows_floats(room, n_keys) + pt_near_columns_floats(room, n_keys);
    const size_t threads = pt_attention_threads(room);
    float *scratch = pt_new_floats(threads * each, err);
    if (!scratch)
        return (int)err->status;
#pragma omp parallel num_threads((int)threads)
    {
        struct near near = place(call, scratch + (size_t)omp_get_thread_num() * each, n_keys);
        pt_tiled_start(room);
#pragma omp for schedule(dynamic)
        for (size_t t = 0; t < call->n_tasks; t++)
            run_task(call, &near, &call->tasks[t],
                     t + threads < call->n_tasks ? &call->tasks[t + threads] : NULL);
        pt_tiled_stop(room);
    }
    free(scratch);
    return PT_OK;
}

int pt_attention_forward(const struct pt_math *math, const struct pt_attention_shape *shape,
                         const struct pt_segment *segments, size_t n_segments, struct pt_heads q,
                         struct pt_heads out, float *log_sums, struct pt_error *err)
{
    PT_PROFILED(PT_PART_ATTENTION, PT_FORWARD, 2 * pt_attention_work(shape, segments, n_segments));
    const size_t n_keys = pt_most_keys(segments, n_segments);
    struct call call = {
        .room = pt_attention_room_for(math, shape, n_keys), .q = q, .out = out, .log_sums = log_sums};
    if (pt_attention_decode(shape, segments, n_segments, q, out, log_sums, err))
        return (int)err->status;
    call.n_tasks = cut(&call, segments, n_segments, NULL);
    if (!call.n_tasks)
        return PT_OK;
    call.tasks = pt_new_array(call.n_tasks, sizeof *call.tasks, err);
    if (!call.tasks)
        return (int)err->status;
    cut(&call, segments, n_segments, call.tasks);
    run(&call, n_keys, err);
    free(call.tasks);
    return (int)err->status;
}
