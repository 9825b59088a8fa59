/*
 * Products in bf16 tiles. A block of activations, some rows by some of the contraction, is rounded to bf16 or
 * split into terms once for all threads; then each thread takes panels of the weight and passes all those
 * rows over them, 32 by 32. Forward the weight's rows stand on the left, cᵀ = W xᵀ, where bf16 is used as it
 * lies in the checkpoint; backward they stand on the right, two neighbouring rows interleaved. What is cut
 * off at an edge is zero. Every element of c is a sum in an order that depends on nothing but k.
 */
#include "math/paths.h"

#include <omp.h>
#include <string.h>

enum {
    DEPTH = 2048, /* of the contraction in a block */
    LEFT_STRIDE = DEPTH / 2 + 16,
    BLOCK = PT_TILE_LINES * LEFT_STRIDE, /* words of 32 lines in either form */
    ACTIVATION_BLOCKS = PT_SHARED / BLOCK,
    RAW_BLOCKS = 8, /* where nothing is gained by more: they stay in the second-level cache */
    PANEL_BLOCKS = 4,
    KEPT_STEPS = 16, /* 32 lines of so many steps stay in the first-level cache */
    PIECE = 512,     /* elements that are split at a time */
    PIECE_STRIDE = PIECE / 2 + 16,
    PIECE_ROWS = 32,
    WAY = PT_TILE_TERMS * PIECE_ROWS * PIECE_STRIDE,
};

struct job {
    const struct pt_math *math;
    const struct pt_product *product;
    int n_terms, weight_terms;
    bool forward, raw; /* raw: the weight is used where it lies */
    size_t most_rows, panel_lines;
    /* the block at hand */
    size_t first_row, n_rows, start, depth, n_steps;
};

/* A thread's share of the scratch. */
struct room {
    float *panel, *c, *way;
};

size_t pt_tiles_scratch(void)
{
    return (size_t)PANEL_BLOCKS * BLOCK + ACTIVATION_BLOCKS * PT_TILE_LINES * PT_TILE_LINES + WAY;
}

static struct room room_of_thread(const struct pt_math *math)
{
    float *scratch = math->scratch + (size_t)omp_get_thread_num() * math->scratch_size;
    float *c = scratch + (size_t)PANEL_BLOCKS * BLOCK;
    return (struct room){scratch, c, c + ACTIVATION_BLOCKS * PT_TILE_LINES * PT_TILE_LINES};
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t blocks_of(size_t lines)
{
    return (lines + PT_TILE_LINES - 1) / PT_TILE_LINES;
}

/* n elements as terms, `term` words apart: each is the bf16 next to what is left. Words from the last
 * element's on to n_words are zero. */
static void split(const struct pt_kernels *kernels, int n_terms, float *to, size_t term, const char *from,
                  enum pt_dtype dtype, size_t n, size_t n_words)
{
    float rest[PIECE];
    const size_t bytes = dtype == PT_F32 ? 4 : 2;
    for (size_t i = 0; i < n; i += PIECE) {
        size_t part = least(n - i, PIECE);
        float *words = to + i / 2;
        kernels->pair_row(words, from + i * bytes, dtype, part);
        if (n_terms > 1)
            kernels->widen(rest, from + i * bytes, dtype, part);
        for (int t = 1; t < n_terms; t++, words += term) {
            kernels->subtract_bf16(part, words, rest);
            kernels->pair_row(words + term, rest, PT_F32, part);
        }
    }
    for (int t = 0; t < n_terms; t++)
        memset(to + (size_t)t * term + (n + 1) / 2, 0, (n_words - (n + 1) / 2) * sizeof *to);
}

/* Lines that run along the contraction, `ld` bytes apart, in the left-hand form. */
static void pack_left(const struct job *job, int n_terms, float *to, const char *from, enum pt_dtype dtype,
                      size_t ld, size_t n_lines)
{
    for (size_t line = 0; line < PT_TILE_LINES; line++)
        split(job->math->kernels, n_terms, to + line * LEFT_STRIDE, BLOCK, from + line * ld, dtype,
              line < n_lines ? job->depth : 0, job->n_steps * PT_TILE_WORDS);
}

/* The same in the right-hand form: 16 lines are transposed at a time. */
static void pack_right(const struct job *job, int n_terms, float *to, const float *from, size_t ld,
                       size_t n_lines, float *way)
{
    const struct pt_kernels *kernels = job->math->kernels;
    enum { HALF = PT_TILE_LINES / 2, TERM = HALF * PIECE_STRIDE };
    for (size_t first = 0; first < PT_TILE_LINES; first += HALF)
        for (size_t i = 0; i < job->depth; i += PIECE) {
            size_t part = least(job->depth - i, PIECE),
                   n_words = (part + PT_TILE_STEP - 1) / PT_TILE_STEP * PT_TILE_WORDS;
            for (size_t r = 0; r < HALF; r++)
                split(kernels, n_terms, way + r * PIECE_STRIDE, TERM,
                      (const char *)(from + (first + r) * ld + i), PT_F32, first + r < n_lines ? part : 0,
                      n_words);
            for (int t = 0; t < n_terms; t++)
                kernels->transpose(to + t * BLOCK + i / 2 * PT_TILE_LINES + first, PT_TILE_LINES,
                                   way + t * TERM, PIECE_STRIDE, HALF, n_words);
        }
}

/* Rows of the weight that run along the lines of a panel, in the right-hand form: some rows at a time, so
 * that their pages are not met again for every 32 columns. */
static void pack_panel(const struct job *job, float *to, size_t first_line, size_t n_lines, float *way)
{
    const struct pt_product *product = job->product;
    const struct pt_kernels *kernels = job->math->kernels;
    const size_t bytes = product->dtype == PT_F32 ? 4 : 2, n_blocks = blocks_of(n_lines);
    enum { TERM = PIECE_ROWS * PIECE_STRIDE };
    if (n_lines % PT_TILE_LINES || job->depth % PT_TILE_STEP)
        memset(to, 0, n_blocks * (size_t)job->weight_terms * BLOCK * sizeof *to);
    for (size_t row = 0; row < job->depth; row += PIECE_ROWS) {
        size_t n_rows = least(job->depth - row, PIECE_ROWS);
        const char *from =
            (const char *)product->b + ((job->start + row) * product->ldb + first_line) * bytes;
        if (job->weight_terms > 1)
            for (size_t r = 0; r < n_rows; r++)
                split(kernels, job->weight_terms, way + r * PIECE_STRIDE, TERM,
                      from + r * product->ldb * bytes, product->dtype, n_lines, (n_lines + 1) / 2);
        for (size_t block = 0; block < n_blocks; block++)
            for (size_t t = 0; t < (size_t)job->weight_terms; t++) {
                size_t column = block * PT_TILE_LINES, n = least(n_lines - column, PT_TILE_LINES);
                float *words = to + (block * (size_t)job->weight_terms + t) * BLOCK + row / 2 * PT_TILE_LINES;
                if (job->weight_terms > 1)
                    kernels->pair_rows(words, PT_TILE_LINES, way + t * TERM + column / 2, 2 * PIECE_STRIDE,
                                       PT_BF16, n_rows, n);
                else
                    kernels->pair_rows(words, PT_TILE_LINES, from + column * bytes, product->ldb,
                                       product->dtype, n_rows, n);
            }
    }
}

static struct pt_tile_operand operand(const float *words, bool left, int n_terms, bool streamed)
{
    const size_t row = (left ? (size_t)LEFT_STRIDE : PT_TILE_LINES) * sizeof *words;
    return (struct pt_tile_operand){
        (const char *)words,   row,     left ? PT_TILE_WORDS * sizeof *words : PT_TILE_WORDS * row,
        BLOCK * sizeof *words, n_terms, streamed};
}

static float *activation_block(const struct job *job, size_t block)
{
    return job->math->shared + block * (size_t)job->n_terms * BLOCK;
}

/* By all threads of the region together. */
static void pack_activations(const struct job *job)
{
    const struct pt_left *a = &job->product->a;
    const size_t n_blocks = blocks_of(job->n_rows);
    struct room room = room_of_thread(job->math);
#pragma omp for schedule(static)
    for (size_t block = 0; block < n_blocks; block++) {
        size_t line = block * PT_TILE_LINES, n_lines = least(job->n_rows - line, PT_TILE_LINES);
        const float *from = a->data + (job->first_row + line) * a->row + job->start;
        if (job->forward)
            pack_right(job, job->n_terms, activation_block(job, block), from, a->row, n_lines, room.way);
        else
            pack_left(job, job->n_terms, activation_block(job, block), (const char *)from, PT_F32,
                      a->row * sizeof *from, n_lines);
    }
}

/* The weight's lines from `line` on: packed in the panel's first blocks, or where they lie. */
static struct pt_tile_operand weight_operand(const struct job *job, size_t line, size_t n_lines, float *panel)
{
    const struct pt_product *product = job->product;
    const size_t bytes = product->dtype == PT_F32 ? 4 : 2, ld = product->ldb * bytes;
    const char *from = (const char *)product->b + line * ld + job->start * bytes;
    if (job->raw && n_lines == PT_TILE_LINES)
        return (struct pt_tile_operand){from, ld, PT_TILE_STEP * bytes, 0, 1, false};
    pack_left(job, job->weight_terms, panel, from, product->dtype, ld, n_lines);
    return operand(panel, true, job->weight_terms, false);
}

static struct pt_tile_operand from_step(struct pt_tile_operand operand, size_t step)
{
    operand.data += step * operand.step;
    return operand;
}

/* A block of results into c. */
static void add_block(const struct job *job, const float *block, size_t row, size_t line, size_t n_lines,
                      bool add)
{
    const struct pt_product *product = job->product;
    const size_t n_rows = least(job->n_rows - row, PT_TILE_LINES);
    float straight[PT_TILE_LINES * PT_TILE_LINES];
    if (job->forward) {
        job->math->kernels->transpose(straight, PT_TILE_LINES, block, PT_TILE_LINES, PT_TILE_LINES,
                                      PT_TILE_LINES);
        block = straight;
    }
    for (size_t i = 0; i < n_rows; i++) {
        float *c = product->c + (job->first_row + row + i) * product->ldc + line;
        for (size_t j = 0; j < n_lines; j++)
            c[j] = (add ? c[j] : 0.0f) + block[i * PT_TILE_LINES + j];
    }
}

/* All rows at hand times 32 lines of the weight. */
static void multiply_lines(const struct job *job, const struct pt_tile_operand *weight, size_t line,
                           size_t n_lines, float *c)
{
    const struct pt_tiles *tiles = job->math->tiles;
    const size_t n_blocks = blocks_of(job->n_rows);
    for (size_t step = 0; step < job->n_steps; step += KEPT_STEPS) {
        const struct pt_tile_operand kept = from_step(*weight, step);
        for (size_t block = 0; block < n_blocks; block++) {
            struct pt_tile_operand passing =
                from_step(operand(activation_block(job, block), !job->forward, job->n_terms, true), step);
            tiles->multiply(least(job->n_steps - step, KEPT_STEPS), job->n_terms,
                            job->forward ? &kept : &passing, job->forward ? &passing : &kept,
                            c + block * PT_TILE_LINES * PT_TILE_LINES, step > 0);
        }
    }
    const bool add = job->product->add || job->product->bias || job->start > 0;
    for (size_t block = 0; block < n_blocks; block++)
        add_block(job, c + block * PT_TILE_LINES * PT_TILE_LINES, block * PT_TILE_LINES, line, n_lines, add);
}

/* By all threads of the region together. */
static void multiply_panels(const struct job *job)
{
    const size_t n = job->product->n, n_panels = (n + job->panel_lines - 1) / job->panel_lines;
    struct room room = room_of_thread(job->math);
#pragma omp for schedule(dynamic)
    for (size_t panel = 0; panel < n_panels; panel++) {
        size_t first = panel * job->panel_lines, end = least(n, first + job->panel_lines);
        if (!job->start)
            pt_product_start(job->product, job->first_row, job->n_rows, first, end - first);
        if (!job->forward)
            pack_panel(job, room.panel, first, end - first, room.way);
        for (size_t line = first; line < end; line += PT_TILE_LINES) {
            size_t n_lines = least(end - line, PT_TILE_LINES);
            float *packed = room.panel + (line - first) / PT_TILE_LINES * (size_t)job->weight_terms * BLOCK;
            struct pt_tile_operand weight = job->forward ? weight_operand(job, line, n_lines, room.panel)
                                                         : operand(packed, false, job->weight_terms, false);
            multiply_lines(job, &weight, line, n_lines, room.c);
        }
    }
}

static struct job plan(const struct pt_math *math, const struct pt_product *product)
{
    struct job job = {
        .math = math, .product = product, .n_terms = math->n_terms, .forward = !product->b_is_rows};
    /* The sum of two bf16 holds every f16. */
    job.weight_terms = product->dtype == PT_BF16                       ? 1
                       : product->dtype == PT_F16 && math->n_terms > 2 ? 2
                                                                       : math->n_terms;
    job.raw = job.forward && product->dtype == PT_BF16 && product->k % PT_TILE_STEP == 0;
    size_t blocks = (size_t)((job.raw ? RAW_BLOCKS : ACTIVATION_BLOCKS) / job.n_terms);
    job.most_rows = blocks * PT_TILE_LINES;
    size_t panel_blocks = (size_t)(PANEL_BLOCKS / job.weight_terms);
    while (panel_blocks > 1 && blocks_of(product->n) < 4 * panel_blocks * (size_t)pt_math_threads(math))
        panel_blocks--;
    job.panel_lines = panel_blocks * PT_TILE_LINES;
    return job;
}

void pt_tiles_product(const struct pt_math *math, const struct pt_product *product)
{
    const struct job whole = plan(math, product);
#pragma omp parallel num_threads(pt_math_threads(math))
    {
        struct job job = whole;
        math->tiles->start();
        for (size_t row = 0; row < product->m; row += job.most_rows)
            for (size_t p = 0; p < product->k; p += DEPTH) {
                job.first_row = row;
                job.n_rows = least(product->m - row, job.most_rows);
                job.start = p;
                job.depth = least(product->k - p, DEPTH);
                job.n_steps = (job.depth + PT_TILE_STEP - 1) / PT_TILE_STEP;
                pack_activations(&job);
                multiply_panels(&job);
            }
        math->tiles->stop();
    }
}
