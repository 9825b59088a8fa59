/*
 * A query's keys are cut into chunks of fixed length, whatever the number of threads. A task takes one chunk:
 * it goes along the rows of keys, all heads at a time as they lie in a row, and then along those of the
 * values. It leaves sums relative to the chunk's largest score, which are put together at the end.
 */
#include "math/attention_decode.h"

#include "base/memory.h"
#include "base/threads.h"
#include "math/attention_blocks.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEW_QUERIES = 4,
    FEW_ROWS = 16,          /* of queries and their heads that share a key head */
    CHUNK_FLOATS = 1 << 18, /* keys and values of a chunk, together: half a second-level cache or less */
    LEAST_CHUNK = 64,
    MOST_CHUNK = 1024
};

bool pt_attention_is_decoding(const struct pt_attention_shape *shape, const struct pt_segment *segment)
{
    return segment->n_queries <= FEW_QUERIES &&
           segment->n_queries * (shape->n_heads / shape->n_kv_heads) <= FEW_ROWS;
}

/* Keys begin .. end of one query: those of its chunk, of the `visible` up to its own. */
struct chunk {
    const struct pt_segment *segment;
    size_t query, begin, end, visible;
    float *
        partial; /* [n_heads, head_dim] sums of values, [n_heads] sums of weights, [n_heads] largest scores */
};

struct call {
    const struct pt_kernels *kernels;
    const struct pt_attention_shape *shape;
    struct pt_heads q, out;
    float *log_sums;
    size_t chunk_keys, score_stride, partial_floats;
    struct chunk *chunks; /* of one query after another */
    size_t n_chunks;
    float *partials, *scores; /* [n_chunks, partial_floats]; [threads, n_heads, score_stride] */
};

/* What a block holds of the keys begin .. end: `n` rows from `row` on. */
struct piece {
    size_t row, n;
};

static struct piece piece_of(const struct pt_key_block *block, size_t start, size_t begin, size_t end)
{
    size_t first = begin > start ? begin - start : 0, last = end > start ? end - start : 0;
    first = first < block->n_rows ? first : block->n_rows;
    last = last < block->n_rows ? last : block->n_rows;
    return (struct piece){first, last - first};
}

static struct pt_heads rows_from(struct pt_heads heads, size_t row)
{
    heads.data += row * heads.row_stride;
    return heads;
}

static void run_chunk(const struct call *call, const struct chunk *chunk, float *scores)
{
    const struct pt_attention_shape *shape = call->shape;
    const struct pt_segment *segment = chunk->segment;
    const float *query = pt_head(&call->q, segment->first_query + chunk->query, 0);
    float *sums = chunk->partial + shape->n_heads * shape->head_dim, *tops = sums + shape->n_heads;
    size_t done = 0, start = 0;
    for (size_t b = 0; b < segment->n_blocks; start += segment->blocks[b++].n_rows) {
        struct piece piece = piece_of(&segment->blocks[b], start, chunk->begin, chunk->end);
        call->kernels->key_scores(shape, piece.n, query, call->q.head_stride,
                                  rows_from(segment->blocks[b].k, piece.row), scores + done,
                                  call->score_stride);
        done += piece.n;
    }
    for (size_t h = 0; h < shape->n_heads; h++) {
        struct pt_score_rule rule = pt_score_rule_of(shape, h);
        sums[h] = call->kernels->soften(&rule, done, scores + h * call->score_stride, &tops[h]);
        tops[h] -=
            rule.slope * (float)(chunk->visible - chunk->end); /* the chunk's last key is not the query's */
    }
    memset(chunk->partial, 0, shape->n_heads * shape->head_dim * sizeof(float));
    done = start = 0;
    for (size_t b = 0; b < segment->n_blocks; start += segment->blocks[b++].n_rows) {
        struct piece piece = piece_of(&segment->blocks[b], start, chunk->begin, chunk->end);
        call->kernels->value_sums(shape, piece.n, scores + done, call->score_stride,
                                  rows_from(segment->blocks[b].v, piece.row), chunk->partial);
        done += piece.n;
    }
}

/* One head of the n chunks of a query, from `first` on. */
static void put_together(const struct call *call, const struct chunk *first, size_t n, size_t head)
{
    const size_t dim = call->shape->head_dim, n_heads = call->shape->n_heads,
                 row = first->segment->first_query + first->query;
    float *out = pt_head(&call->out, row, head), top = -INFINITY, sum = 0.0f;
    const size_t sum_at = n_heads * dim + head, top_at = sum_at + n_heads;
    for (size_t c = 0; c < n; c++)
        top = first[c].partial[top_at] > top ? first[c].partial[top_at] : top;
    memset(out, 0, dim * sizeof *out);
    for (size_t c = 0; c < n; c++) {
        float share = expf(first[c].partial[top_at] - top);
        sum += first[c].partial[sum_at] * share;
        call->kernels->add_scaled(dim, share, first[c].partial + head * dim, out);
    }
    call->kernels->scale(dim, 1.0f / sum, out, out);
    if (call->log_sums)
        call->log_sums[row * n_heads + head] = top + logf(sum);
}

/* Cuts the keys of all queries; with `chunks` NULL it only counts. */
static size_t cut(const struct call *call, const struct pt_segment *segments, size_t n_segments,
                  struct chunk *chunks)
{
    size_t n = 0;
    for (size_t s = 0; s < n_segments; s++) {
        if (!pt_attention_is_decoding(call->shape, &segments[s]))
            continue;
        const size_t first = pt_segment_keys(&segments[s]) - segments[s].n_queries;
        for (size_t i = 0; i < segments[s].n_queries; i++) {
            const size_t visible = first + i + 1;
            for (size_t begin = pt_first_key(call->shape, visible); begin < visible;
                 begin += call->chunk_keys, n++)
                if (chunks)
                    chunks[n] = (struct chunk){
                        .segment = &segments[s],
                        .query = i,
                        .begin = begin,
                        .end = visible - begin < call->chunk_keys ? visible : begin + call->chunk_keys,
                        .visible = visible,
                        .partial = call->partials + n * call->partial_floats};
        }
    }
    return n;
}

static void run(const struct call *call)
{
    const size_t scores = call->shape->n_heads * call->score_stride;
#pragma omp parallel for schedule(dynamic)
    for (size_t c = 0; c < call->n_chunks; c++)
        run_chunk(call, &call->chunks[c], call->scores + (size_t)omp_get_thread_num() * scores);
#pragma omp parallel for schedule(static) if (call->n_chunks > 1)
    for (size_t h = 0; h < call->shape->n_heads; h++)
        for (size_t c = 0, n; c < call->n_chunks; c += n) {
            const struct chunk *first = &call->chunks[c];
            for (n = 1; first[n - 1].end < first->visible;)
                n++;
            put_together(call, first, n, h);
        }
}

int pt_attention_decode(const struct pt_attention_shape *shape, const struct pt_segment *segments,
                        size_t n_segments, struct pt_heads q, struct pt_heads out, float *log_sums,
                        struct pt_error *err)
{
    struct call call = {.kernels = pt_kernels(), .shape = shape, .q = q, .out = out, .log_sums = log_sums};
    size_t keys = CHUNK_FLOATS / (2 * shape->n_kv_heads * shape->head_dim);
    call.chunk_keys = keys < LEAST_CHUNK ? LEAST_CHUNK : keys > MOST_CHUNK ? MOST_CHUNK : keys;
    call.score_stride = call.chunk_keys + 16; /* whole vectors, and no power of two */
    call.partial_floats = shape->n_heads * (shape->head_dim + 2);
    call.n_chunks = cut(&call, segments, n_segments, NULL);
    if (!call.n_chunks)
        return PT_OK;
    call.chunks = pt_new_array(call.n_chunks, sizeof *call.chunks, err);
    call.partials = pt_new_floats(call.n_chunks * call.partial_floats, err);
    call.scores = pt_new_floats((size_t)pt_threads() * shape->n_heads * call.score_stride, err);
    if (call.chunks && call.partials && call.scores) {
        cut(&call, segments, n_segments, call.chunks);
        run(&call);
    }
    free(call.chunks);
    free(call.partials);
    free(call.scores);
    return (int)err->status;
}
