/*
 * Probabilities are formed again from the scores and the logs of their sums. The work is cut into units, by
 * the shapes alone and never by the number of threads: a few segments whose leading keys are the same, or a
 * part of the rows of one segment. A task is a unit and a key head. Gradients of keys that no other unit has
 * go straight to their place; the others (those in front of the last block, and all that a part sees) are
 * left in a store of the unit's own, and the stores are added in order at the end.
 */
#include "math/attention_ahead.h"
#include "math/attention_blocks.h"
#include "math/attention_tiles.h"

#include "base/memory.h"
#include "base/profile.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum {
    TASKS = 16, /* aimed at, so that all threads of a large machine have work */
    LEAST_ROWS = 2 * PT_BLOCK_QUERIES
};

struct unit {
    const struct pt_segment *segments;
    size_t n_segments;
    size_t first, n; /* rows of the only segment, or n = 0: all */
    size_t n_stored; /* so many keys, from the first on, have gradients that go to the store */
    size_t at;       /* where its part of the store begins, in keys */
};

struct call {
    struct pt_attention_room room;
    struct pt_heads q, dout, dq;
    const float *log_sums;
    struct unit *units;
    size_t n_units, n_stored;
    float *store; /* [n_kv_heads, n_stored, 2, row_stride], zeroed; see store_at */
};

/* A thread's copies. */
struct near {
    struct pt_near_keys keys;
    struct pt_ahead ahead;
    float *dk, *dv;                       /* [n_keys, row_stride] */
    float *queries, *dqueries, *dout;     /* [PT_BLOCK_QUERIES, row_stride] */
    float *scores, *dscores, *cap_slopes; /* [PT_BLOCK_QUERIES, score_stride]; the last NULL without a cap */
};

static void form_probabilities(const struct call *call, const struct near *near,
                               const struct pt_query_block *block)
{
    const struct pt_attention_room *room = &call->room;
    for (size_t i = 0; i < block->n; i++) {
        struct pt_query_row at = pt_query_row_at(block, i);
        struct pt_score_rule rule = pt_score_rule_of(room->shape, at.head);
        size_t row = i * room->score_stride;
        room->kernels->probabilities(
            &rule, at.end - at.begin, call->log_sums[at.row * room->shape->n_heads + at.head],
            near->scores + row + at.begin, near->cap_slopes ? near->cap_slopes + row + at.begin : NULL);
        pt_block_clear_unseen(block, i, near->scores + row);
    }
}

static void form_score_gradients(const struct call *call, const struct near *near,
                                 const struct pt_query_block *block)
{
    const struct pt_attention_room *room = &call->room;
    for (size_t i = 0; i < block->n; i++) {
        struct pt_query_row at = pt_query_row_at(block, i);
        size_t row = i * room->score_stride, first = row + at.begin;
        room->kernels->score_gradients(at.end - at.begin, room->shape->scale,
                                       near->cap_slopes ? near->cap_slopes + first : NULL,
                                       near->scores + first, near->dscores + first);
        pt_block_clear_unseen(block, i, near->dscores + row);
    }
}

static void run_block(const struct call *call, struct near *near, const struct pt_query_block *block)
{
    const size_t stride = call->room.row_stride, dim = call->room.shape->head_dim;
    pt_gather_rows(block, call->q, near->queries);
    pt_gather_rows(block, call->dout, near->dout);
    pt_block_scores(block, &near->ahead, near->queries, near->keys.k_columns, near->scores);
    form_probabilities(call, near, block);
    pt_block_spread(block, &near->ahead, near->scores, near->dout, near->dv);
    pt_block_scores(block, &near->ahead, near->dout, near->keys.v_columns, near->dscores);
    form_score_gradients(call, near, block);
    pt_block_spread(block, &near->ahead, near->dscores, near->queries, near->dk);
    pt_block_sums(block, &near->ahead, near->dscores, near->keys.k_rows, near->dqueries);
    for (size_t i = 0; i < block->n; i++) {
        struct pt_query_row at = pt_query_row_at(block, i);
        memcpy(pt_head(&call->dq, at.row, at.head), near->dqueries + i * stride, dim * sizeof(float));
    }
}

/* Adds gradients of the keys first .. end of a segment, [end, row_stride], to their blocks. */
static void add_to_blocks(const struct pt_attention_room *room, const struct pt_segment *segment,
                          size_t kv_head, size_t first, size_t end, const float *dk, const float *dv)
{
    size_t start = 0;
    for (size_t b = 0; b < segment->n_blocks; start += segment->blocks[b++].n_rows) {
        const struct pt_key_block *block = &segment->blocks[b];
        for (size_t r = first > start ? first - start : 0; r < block->n_rows && start + r < end; r++) {
            const size_t at = (start + r) * room->row_stride;
            if (block->dk.data)
                room->kernels->add_scaled(room->shape->head_dim, 1.0f, dk + at,
                                          pt_head(&block->dk, r, kv_head));
            if (block->dv.data)
                room->kernels->add_scaled(room->shape->head_dim, 1.0f, dv + at,
                                          pt_head(&block->dv, r, kv_head));
        }
    }
}

/* Rows first .. end of a segment's key head; gradients of keys are added in near->dk and near->dv. `next` is
 * the block that comes behind them. */
static void run_rows(const struct call *call, struct near *near, const struct pt_segment *segment,
                     size_t kv_head, size_t first, size_t end, const struct pt_query_block *next)
{
    struct pt_query_block block = pt_query_block_at(&call->room, segment, kv_head, first, end), after;
    for (; first < end; first += block.n, block = after) {
        const size_t last = first + block.n;
        after = last < end ? pt_query_block_at(&call->room, segment, kv_head, last, end) : *next;
        pt_bring_keys(&call->room, &near->keys, segment, kv_head, block.end);
        pt_ahead_turn(&near->ahead, &after, &near->keys);
        run_block(call, near, &block);
    }
}

static void clear_rows(const struct call *call, const struct near *near, size_t first, size_t end)
{
    const size_t stride = call->room.row_stride, bytes = (end - first) * stride * sizeof(float);
    memset(near->dk + first * stride, 0, bytes);
    memset(near->dv + first * stride, 0, bytes);
}

/* Where a unit's gradients of a key head are stored: those of k, behind them those of v. */
static float *store_at(const struct call *call, const struct unit *unit, size_t kv_head)
{
    return call->store + (kv_head * call->n_stored + unit->at) * 2 * call->room.row_stride;
}

static void run_part(const struct call *call, struct near *near, const struct unit *unit, size_t kv_head,
                     const struct pt_query_block *next)
{
    float *const dk = near->dk, *const dv = near->dv;
    near->dk = store_at(call, unit, kv_head);
    near->dv = near->dk + unit->n_stored * call->room.row_stride;
    run_rows(call, near, unit->segments, kv_head, unit->first, unit->first + unit->n, next);
    near->dk = dk;
    near->dv = dv;
}

/* The block of queries that a segment's key head begins with. */
static struct pt_query_block first_block(const struct call *call, const struct pt_segment *segment,
                                         size_t kv_head)
{
    return pt_query_block_at(&call->room, segment, kv_head, 0, segment->n_queries * call->room.group);
}

static void run_segments(const struct call *call, struct near *near, const struct unit *unit, size_t kv_head,
                         const struct pt_query_block *next)
{
    const size_t stored = unit->n_stored * call->room.row_stride;
    float *store = store_at(call, unit, kv_head);
    clear_rows(call, near, 0, unit->n_stored);
    for (size_t s = 0; s < unit->n_segments; s++) {
        const struct pt_segment *segment = &unit->segments[s];
        const size_t n_keys = pt_segment_keys(segment);
        clear_rows(call, near, unit->n_stored, n_keys);
        struct pt_query_block after =
            s + 1 < unit->n_segments ? first_block(call, segment + 1, kv_head) : *next;
        run_rows(call, near, segment, kv_head, 0, segment->n_queries * call->room.group, &after);
        add_to_blocks(&call->room, segment, kv_head, unit->n_stored, n_keys, near->dk, near->dv);
    }
    memcpy(store, near->dk, stored * sizeof *store);
    memcpy(store + stored, near->dv, stored * sizeof *store);
}

static void add_stores(const struct call *call)
{
#pragma omp parallel for schedule(static)
    for (size_t h = 0; h < call->room.shape->n_kv_heads; h++)
        for (size_t u = 0; u < call->n_units; u++) {
            const struct unit *unit = &call->units[u];
            const float *store = store_at(call, unit, h);
            add_to_blocks(&call->room, unit->segments, h, 0, unit->n_stored, store,
                          store + unit->n_stored * call->room.row_stride);
        }
}

/* How many segments from `segments` on, at most `most`, have the same keys in front of their own. */
static size_t alike(const struct pt_segment *segments, size_t most)
{
    size_t n = 1, leading = pt_leading_keys(segments);
    while (n < most && pt_leading_keys(&segments[n]) == leading &&
           pt_common_keys(segments, &segments[n]) >= leading)
        n++;
    return n;
}

static void add_unit(struct call *call, struct unit unit)
{
    unit.at = call->n_stored;
    call->n_stored += unit.n_stored + PT_TILE_LINES; /* room behind the last */
    if (call->units)
        call->units[call->n_units] = unit;
    call->n_units++;
}

/* Cuts the work; with `units` NULL it only counts. */
static void cut(struct call *call, const struct pt_segment *segments, size_t n_segments)
{
    const size_t wanted = (TASKS - 1) / call->room.shape->n_kv_heads + 1;
    const size_t together = n_segments / wanted ? n_segments / wanted : 1,
                 parts = (wanted - 1) / n_segments + 1;
    call->n_units = call->n_stored = 0;
    for (size_t s = 0, n; s < n_segments; s += n) {
        const struct pt_segment *segment = &segments[s];
        size_t rows = segment->n_queries * call->room.group, part = (rows - 1) / parts + 1;
        part = (part - 1) / PT_BLOCK_QUERIES * PT_BLOCK_QUERIES + PT_BLOCK_QUERIES;
        part = part < LEAST_ROWS ? LEAST_ROWS : part;
        n = part < rows ? 1 : alike(segment, n_segments - s < together ? n_segments - s : together);
        if (part >= rows)
            add_unit(call, (struct unit){segment, n, 0, 0, pt_leading_keys(segment), 0});
        for (size_t i = 0, n_rows; part < rows && i < rows; i += n_rows) {
            n_rows = rows - i < part ? rows - i : part;
            struct pt_query_block all =
                pt_query_block_at(&call->room, segment, 0, i + n_rows - 1, i + n_rows);
            add_unit(call, (struct unit){segment, 1, i, n_rows, all.end, 0});
        }
    }
}

/* Task t is a unit and a key head; `next` is probably this thread's next one. */
static void run_task(const struct call *call, struct near *near, size_t t, size_t next)
{
    const size_t n_heads = call->room.shape->n_kv_heads;
    struct pt_query_block after = {0};
    if (next < call->n_units * n_heads) {
        const struct unit *unit = &call->units[next / n_heads];
        after =
            pt_query_block_at(&call->room, unit->segments, next % n_heads, unit->first,
                              unit->n ? unit->first + unit->n : unit->segments->n_queries * call->room.group);
    }
    const struct unit *unit = &call->units[t / n_heads];
    if (unit->n)
        run_part(call, near, unit, t % n_heads, &after);
    else
        run_segments(call, near, unit, t % n_heads, &after);
}

/* Places the scratch of one thread; returns how many floats it takes, also where `from` is NULL. */
static size_t place(const struct pt_attention_room *room, struct near *near, float *from, size_t n_keys)
{
    const size_t rows = pt_near_rows_floats(room, n_keys), columns = pt_near_columns_floats(room, n_keys),
                 queries = PT_BLOCK_QUERIES * room->row_stride,
                 scores = PT_BLOCK_QUERIES * room->score_stride;
    const struct {
        float **part;
        size_t n;
    } parts[] = {{&near->keys.k_rows, rows},
                 {&near->keys.k_columns, columns},
                 {&near->keys.v_columns, columns},
                 {&near->dk, rows},
                 {&near->dv, rows},
                 {&near->queries, queries},
                 {&near->dqueries, queries},
                 {&near->dout, queries},
                 {&near->scores, scores},
                 {&near->dscores, scores},
                 {&near->cap_slopes, room->shape->soft_cap != 0.0f ? scores : 0}};
    size_t total = 0;
    *near = (struct near){0};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        *parts[i].part = from && parts[i].n ? from + total : NULL;
        total += parts[i].n;
    }
    return total;
}

static int run(const struct call *call, size_t n_keys, struct pt_error *err)
{
    struct near nothing;
    const size_t each = place(&call->room, &nothing, NULL, n_keys);
    const size_t threads = pt_attention_threads(&call->room);
    float *scratch = pt_new_floats(threads * each, err);
    if (!scratch)
        return (int)err->status;
#pragma omp parallel num_threads((int)threads)
    {
        struct near near;
        place(&call->room, &near, scratch + (size_t)omp_get_thread_num() * each, n_keys);
        pt_tiled_start(&call->room);
        near.ahead = (struct pt_ahead){.queries = {&call->q, &call->dout, &call->dq}, .gradients = true};
#pragma omp for schedule(dynamic)
        for (size_t t = 0; t < call->n_units * call->room.shape->n_kv_heads; t++)
            run_task(call, &near, t, t + threads);
        pt_tiled_stop(&call->room);
    }
    add_stores(call);
    free(scratch);
    return PT_OK;
}

int pt_attention_backward(const struct pt_math *math, const struct pt_attention_shape *shape,
                          const struct pt_segment *segments, size_t n_segments, struct pt_heads q,
                          struct pt_heads dout, const float *log_sums, struct pt_heads dq,
                          struct pt_error *err)
{
    PT_PROFILED(PT_PART_ATTENTION, PT_BACKWARD, 5 * pt_attention_work(shape, segments, n_segments));
    const size_t n_keys = pt_most_keys(segments, n_segments);
    struct call call = {.room = pt_attention_room_for(math, shape, n_keys),
                        .q = q,
                        .dout = dout,
                        .dq = dq,
                        .log_sums = log_sums};
    if (!n_segments)
        return PT_OK;
    cut(&call, segments, n_segments);
    call.units = pt_new_array(call.n_units, sizeof *call.units, err);
    call.store = pt_new_floats(call.n_stored * shape->n_kv_heads * 2 * call.room.row_stride, err);
    if (call.units && call.store) {
        cut(&call, segments, n_segments);
        run(&call, n_keys, err);
    }
    free(call.units);
    free(call.store);
    return (int)err->status;
}
