/*
 * Operands are packed in the scratch of the products, which rest meanwhile. What is cut off at an edge is
 * zero in the packed operands.
 */
#include "math/attention_tiles.h"

#include "base/integer.h"
#include "base/threads.h"
#include "math/attention_ahead.h"

#include <omp.h>
#include <string.h>

enum {
    LINES = PT_TILE_LINES,
    STEP = PT_TILE_STEP,
    STEP_WORDS = PT_TILE_LINES * PT_TILE_WORDS, /* of a panel */
    KEY_CHUNK = 256,                            /* keys that a sum goes over at a time */
    MOST_DIM = 1024,
    /* Words of a row on the left: no power of two, so that rows do not share their cache sets. */
    LEFT_ROW = MOST_DIM / 2 + PT_TILE_WORDS,
    LEFT = PT_BLOCK_QUERIES * LEFT_ROW,
    RIGHT = MOST_DIM / LINES * (PT_BLOCK_QUERIES / STEP) * STEP_WORDS,
};
_Static_assert((int)KEY_CHUNK <= (int)MOST_DIM, "a row on the left holds a chunk of keys");
_Static_assert((int)LEFT + (int)RIGHT <= (int)PT_SCRATCH, "operands fit into the scratch of products");

/* A thread's packed operands: rows along the contraction, and panels of 32 columns. */
struct sides {
    float *left, *right;
};

bool pt_attention_in_tiles(const struct pt_attention_room *room)
{
    return room->math && room->math->tiles && room->math->n_terms == 1 && room->shape->head_dim <= MOST_DIM;
}

size_t pt_attention_threads(const struct pt_attention_room *room)
{
    return (size_t)(pt_attention_in_tiles(room) ? pt_math_threads(room->math) : pt_threads());
}

void pt_tiled_start(const struct pt_attention_room *room)
{
    if (pt_attention_in_tiles(room))
        room->math->tiles->start();
}

void pt_tiled_stop(const struct pt_attention_room *room)
{
    if (pt_attention_in_tiles(room))
        room->math->tiles->stop();
}

static struct sides sides_of(const struct pt_attention_room *room)
{
    float *scratch = room->math->scratch + (size_t)omp_get_thread_num() * room->math->scratch_size;
    return (struct sides){scratch, scratch + LEFT};
}

static size_t steps(size_t n)
{
    return (n + STEP - 1) / STEP;
}

/* n_rows rows of n elements. */
static void pack_left(const struct pt_attention_room *room, size_t n_rows, size_t n, const float *from,
                      size_t ldf, float *to)
{
    const size_t n_words = steps(n) * PT_TILE_WORDS;
    for (size_t row = 0; row < steps(n_rows) * LINES; row++, to += LEFT_ROW) {
        if (n % STEP || row >= n_rows)
            memset(to, 0, n_words * sizeof *to);
        if (row < n_rows)
            room->kernels->pair_row(to, 0, 1, from + row * ldf, PT_F32, n);
    }
}

/* n rows of n_columns elements, at most a panel's. */
static void pack_right(const struct pt_attention_room *room, size_t n, size_t n_columns, const float *from,
                       size_t ldf, float *to)
{
    if (n % STEP || n_columns < LINES)
        memset(to, 0, steps(n) * STEP_WORDS * sizeof *to);
    room->kernels->pair_rows(to, LINES, 0, 1, from, ldf, PT_F32, n, n_columns);
}

/* The transposed of n rows of n_columns elements as left-hand rows, by way of `turned`. */
static void pack_left_turned(const struct pt_attention_room *room, size_t n, size_t n_columns,
                             const float *from, size_t ldf, float *to)
{
    float turned[PT_BLOCK_QUERIES / STEP * STEP_WORDS];
    pack_right(room, n, n_columns, from, ldf, turned);
    room->kernels->transpose(to, LEFT_ROW, turned, LINES, steps(n) * PT_TILE_WORDS, LINES);
}

static void multiply(const struct pt_attention_room *room, size_t n_steps, const float *left,
                     const float *right, float *c, size_t ldc, bool add)
{
    const struct pt_tile_operand a = {.data = (const char *)left,
                                      .row = LEFT_ROW * sizeof *left,
                                      .step = PT_TILE_WORDS * sizeof *left,
                                      .n_terms = 1},
                                 b = {.data = (const char *)right,
                                      .row = LINES * sizeof *right,
                                      .step = STEP_WORDS * sizeof *right,
                                      .n_terms = 1};
    room->math->tiles->multiply(n_steps, 1, &a, &b, c, ldc, add);
}

void pt_tiled_scores(const struct pt_query_block *block, struct pt_ahead *ahead, const float *near,
                     const float *columns, float *scores)
{
    const struct pt_attention_room *room = block->room;
    const size_t dim = room->shape->head_dim;
    const struct sides sides = sides_of(room);
    pack_left(room, block->n, dim, near, room->row_stride, sides.left);
    for (size_t key = block->begin / LINES * LINES; key < block->end; key += LINES) {
        const size_t within = key % PT_KEY_PANEL;
        pack_right(room, dim, pt_least(LINES, block->end - key), columns + (key - within) * dim + within,
                   PT_KEY_PANEL, sides.right);
        for (size_t i = 0; i < block->n; i += LINES)
            if (key < pt_query_rows_end(block, i, LINES)) {
                multiply(room, steps(dim), sides.left + i * LEFT_ROW, sides.right,
                         scores + i * room->score_stride + key, room->score_stride, false);
                pt_ahead_step(ahead);
            }
    }
}

void pt_tiled_sums(const struct pt_query_block *block, struct pt_ahead *ahead, const float *scores,
                   const float *rows, float *near)
{
    const struct pt_attention_room *room = block->room;
    const size_t dim = room->shape->head_dim, stride = room->row_stride;
    const struct sides sides = sides_of(room);
    for (size_t key = block->begin; key < block->end; key += KEY_CHUNK) {
        const size_t n = pt_least(KEY_CHUNK, block->end - key);
        pack_left(room, block->n, n, scores + key, room->score_stride, sides.left);
        for (size_t j = 0; j < dim; j += LINES) {
            pack_right(room, n, pt_least(LINES, dim - j), rows + key * stride + j, stride, sides.right);
            for (size_t i = 0; i < block->n; i += LINES) {
                const size_t end = pt_query_rows_end(block, i, LINES);
                if (key < end)
                    multiply(room, steps(pt_least(n, end - key)), sides.left + i * LEFT_ROW, sides.right,
                             near + i * stride + j, stride, key != block->begin);
                pt_ahead_step(ahead);
            }
        }
    }
}

/* The first of the blocks of 32 rows that sees the key. */
static size_t first_lines(const struct pt_query_block *block, size_t key)
{
    size_t i = 0;
    while (key >= pt_query_rows_end(block, i, LINES))
        i += LINES;
    return i;
}

void pt_tiled_spread(const struct pt_query_block *block, struct pt_ahead *ahead, const float *scores,
                     const float *near, float *rows)
{
    const struct pt_attention_room *room = block->room;
    const size_t dim = room->shape->head_dim, stride = room->row_stride, n_steps = steps(block->n);
    const struct sides sides = sides_of(room);
    for (size_t j = 0; j < dim; j += LINES)
        pack_right(room, block->n, pt_least(LINES, dim - j), near + j, stride,
                   sides.right + j / LINES * n_steps * STEP_WORDS);
    for (size_t key = block->begin; key < block->end; key += LINES) {
        const size_t i = first_lines(block, key);
        pack_left_turned(room, block->n - i, pt_least(LINES, block->end - key),
                         scores + i * room->score_stride + key, room->score_stride, sides.left);
        for (size_t j = 0; j < dim; j += LINES) {
            multiply(room, n_steps - i / STEP, sides.left,
                     sides.right + (j / LINES * n_steps + i / STEP) * STEP_WORDS, rows + key * stride + j,
                     stride, true);
            pt_ahead_step(ahead);
        }
    }
}
