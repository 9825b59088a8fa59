/*
 * Products in bf16 tiles. A block of activations, some rows by some of the contraction, is rounded to bf16 or
 * split into terms once for all threads, small enough to stay in each core's second-level cache. Each thread
 * then takes lines of the weight, 32 at a time, a piece of the contraction after the other: packed in pairs,
 * a piece stays in the first-level cache while all those rows pass over it. The tile unit multiplies on its
 * own, so between its steps the vector units pack the next piece, and write the results of the lines before.
 *
 * The weight's rows lie along the contraction forward and are transposed; backward they run along its lines,
 * and two neighbours are interleaved. What is cut off at an edge is zero. Every element of c is a sum in an
 * order that depends on nothing but k.
 */
#include "math/paths.h"

#include <omp.h>
#include <stdatomic.h>
#include <string.h>

enum {
    DEPTH = 2048,                               /* of the contraction in a block, all terms together */
    STEP_WORDS = PT_TILE_LINES * PT_TILE_WORDS, /* of 32 lines */
    BLOCK = DEPTH / PT_TILE_STEP * STEP_WORDS,
    MOST_BLOCKS = 17, /* of activations: as much as a second-level cache holds */
    PIECE_STEPS = 16, /* that fill most of a first-level cache, all terms of them */
    PIECE = PIECE_STEPS * STEP_WORDS,
    PANELS = 4, /* of 32 lines that a thread takes at a time: rows of the weight and of c are met for all of
                   them */
    HALF = PT_TILE_LINES / 2,
    PACKED_ROWS = 4, /* backward, in one go */
    C_BLOCK = PT_TILE_LINES * PT_TILE_LINES,
    C_PANEL = MOST_BLOCKS * C_BLOCK,
    ROWS_AHEAD = 16, /* of the weight and of c, that are fetched before their turn */
    FEW_ROWS = 64,
};
_Static_assert(MOST_BLOCKS *BLOCK <= PT_SHARED, "activations fit into what is shared");

struct job {
    const struct pt_math *math;
    const struct pt_product *product;
    size_t *taken; /* groups of panels that threads have taken so far */
    int n_terms, weight_terms;
    bool forward, in_place;
    size_t bytes; /* of an element of the weight */
    size_t most_rows, most_depth, piece_steps;
    /* the block at hand */
    size_t first_row, n_rows, start, depth, n_steps;
};

/* Work in n goes that is spread evenly over so many calls. */
struct share {
    size_t n, n_calls, done, due;
};

/* A group of panels over some steps. */
struct piece {
    size_t group, step;
};

/* A thread's way through its panels. */
struct line {
    const struct job *job;
    struct piece at, next; /* multiplied, packed */
    float *packed[2];      /* these two */
    float *c[2];           /* of the group at hand, and of the one before */
    size_t before;         /* that group, or n_groups */
    struct share packing, writing;
};

size_t pt_tiles_scratch(void)
{
    return 2 * (size_t)PANELS * (PIECE + C_PANEL);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t parts(size_t n, size_t size)
{
    return (n + size - 1) / size;
}

static size_t n_groups(const struct job *job)
{
    return parts(job->product->n, PANELS * PT_TILE_LINES);
}

static size_t first_line(size_t group, size_t panel)
{
    return (group * PANELS + panel) * PT_TILE_LINES;
}

/* That a group has: the last may have fewer. */
static size_t n_panels(const struct job *job, size_t group)
{
    return least(parts(job->product->n - first_line(group, 0), PT_TILE_LINES), PANELS);
}

static float *activation_block(const struct job *job, size_t block)
{
    return job->math->shared + block * BLOCK;
}

/* Words from term to term of a block of activations. */
static size_t block_term(const struct job *job)
{
    return job->most_depth / PT_TILE_STEP * STEP_WORDS;
}

/* 32 rows of activations in the right-hand form, for a weight in place. */
static void pack_columns(const struct job *job, size_t block)
{
    const struct pt_left *a = &job->product->a;
    const size_t first = block * PT_TILE_LINES;
    float *to = activation_block(job, block);
    memset(to, 0, BLOCK * sizeof *to);
    job->math->kernels->pair_columns(to, PT_TILE_LINES, block_term(job), job->n_terms,
                                     a->data + (job->first_row + first) * a->row + job->start, a->row, PT_F32,
                                     least(job->n_rows - first, PT_TILE_LINES), job->depth);
}

/* The same in the left-hand form: row by row into words, which are then dealt out to the steps. */
static void pack_rows(const struct job *job, size_t block)
{
    const struct pt_left *a = &job->product->a;
    const size_t first = block * PT_TILE_LINES, n_words = job->n_steps * PT_TILE_WORDS;
    float words[DEPTH / 2] = {0}, *to = activation_block(job, block);
    for (size_t row = 0; row < PT_TILE_LINES; row++, to += PT_TILE_WORDS) {
        if (first + row < job->n_rows)
            job->math->kernels->pair_row(words, job->most_depth / 2, job->n_terms,
                                         a->data + (job->first_row + first + row) * a->row + job->start,
                                         PT_F32, job->depth);
        else
            memset(words, 0, sizeof words);
        for (size_t t = 0; t < (size_t)job->n_terms; t++)
            for (size_t word = 0; word < n_words; word += PT_TILE_WORDS)
                memcpy(to + t * block_term(job) + word * PT_TILE_LINES,
                       words + t * job->most_depth / 2 + word, PT_TILE_WORDS * sizeof *to);
    }
}

/* ------------------------------------------------------------------------------ packing the weight */

static size_t piece_term(const struct job *job)
{
    return job->piece_steps * STEP_WORDS;
}

static size_t piece_depth(const struct job *job, const struct piece *piece)
{
    return least(job->depth - piece->step * PT_TILE_STEP, job->piece_steps * PT_TILE_STEP);
}

/* Goes that packing a piece takes: forward 16 lines of a step each, backward some rows of a panel. */
static size_t goes(const struct job *job, const struct piece *piece)
{
    const size_t depth = piece_depth(job, piece);
    if (job->in_place)
        return 0;
    return n_panels(job, piece->group) *
           (job->forward ? 2 * parts(depth, PT_TILE_STEP) : parts(depth, PACKED_ROWS));
}

static const char *weight_at(const struct job *job, size_t k, size_t line)
{
    const struct pt_product *product = job->product;
    return (const char *)product->b +
           (job->forward ? line * product->ldb + k : k * product->ldb + line) * job->bytes;
}

static void pack_lines(const struct job *job, const struct piece *piece, float *to, size_t go)
{
    const struct pt_product *product = job->product;
    const size_t depth = piece_depth(job, piece), n_steps = parts(depth, PT_TILE_STEP),
                 k = go % n_steps * PT_TILE_STEP, half = go / n_steps % 2 * HALF, panel = go / n_steps / 2,
                 line = first_line(piece->group, panel) + half;
    if (line < product->n)
        job->math->kernels->pair_columns(
            to + panel * PIECE + k / 2 * PT_TILE_LINES + half, PT_TILE_LINES, piece_term(job),
            job->weight_terms, weight_at(job, job->start + piece->step * PT_TILE_STEP + k, line),
            product->ldb, product->dtype, least(product->n - line, HALF), least(depth - k, PT_TILE_STEP));
}

static void pack_some_rows(const struct job *job, const struct piece *piece, float *to, size_t go)
{
    const struct pt_product *product = job->product;
    const size_t n = n_panels(job, piece->group), panel = go % n, k = go / n * PACKED_ROWS,
                 row = product->ldb * job->bytes, line = first_line(piece->group, panel);
    const char *from = weight_at(job, job->start + piece->step * PT_TILE_STEP + k, line);
    for (size_t i = 0; i < PACKED_ROWS; i++)
        __builtin_prefetch(from + (ROWS_AHEAD + i) * row, 0, 2);
    job->math->kernels->pair_rows(to + panel * PIECE + k / 2 * PT_TILE_LINES, PT_TILE_LINES, piece_term(job),
                                  job->weight_terms, from, product->ldb, product->dtype,
                                  least(piece_depth(job, piece) - k, PACKED_ROWS),
                                  least(product->n - line, PT_TILE_LINES));
}

static void pack_go(const struct line *line, size_t go)
{
    if (line->job->forward)
        pack_lines(line->job, &line->next, line->packed[1], go);
    else
        pack_some_rows(line->job, &line->next, line->packed[1], go);
}

/* ------------------------------------------------------------------------------ writing the results */

/* Goes that writing a group's results takes: a row of a panel each. */
static size_t goes_of_writing(const struct job *job, size_t group)
{
    return group < n_groups(job) ? n_panels(job, group) * job->n_rows : 0;
}

static void write_go(const struct line *line, size_t go)
{
    const struct job *job = line->job;
    const struct pt_product *product = job->product;
    const size_t n = n_panels(job, line->before), panel = go % n, row = go / n,
                 first = first_line(line->before, panel);
    const float *from = line->c[1] + panel * C_PANEL + row * PT_TILE_LINES;
    float *to = product->c + (job->first_row + row) * product->ldc + first;
    const float *start = product->add || job->start ? to : product->bias ? product->bias + first : NULL;
    if (start == to) {
        __builtin_prefetch(to + ROWS_AHEAD * product->ldc, 1);
        __builtin_prefetch(to + ROWS_AHEAD * product->ldc + HALF, 1);
    }
    job->math->kernels->write_sum(least(product->n - first, PT_TILE_LINES), from, start, to);
}

/* ------------------------------------------------------------------------------ a thread's way */

static bool goes_on(struct share *share)
{
    if (share->due < share->n_calls || share->done == share->n)
        return false;
    share->due -= share->n_calls;
    share->done++;
    return true;
}

static void start_share(struct share *share, size_t n, size_t n_calls)
{
    *share = (struct share){.n = n, .n_calls = n_calls};
}

/* What is done between the steps of the tile unit. */
static void meanwhile(void *context)
{
    struct line *line = context;
    line->packing.due += line->packing.n;
    while (goes_on(&line->packing))
        pack_go(line, line->packing.done - 1);
    line->writing.due += line->writing.n;
    while (goes_on(&line->writing))
        write_go(line, line->writing.done - 1);
}

static void finish(struct line *line, struct share *share, void (*go)(const struct line *line, size_t go))
{
    for (; share->done < share->n; share->done++)
        go(line, share->done);
}

static size_t take_group(const struct job *job)
{
    size_t group;
#pragma omp atomic capture
    group = (*job->taken)++;
    return group;
}

static struct piece piece_behind(const struct job *job, struct piece piece)
{
    piece.step += job->piece_steps;
    return piece.step < job->n_steps ? piece : (struct piece){take_group(job), 0};
}

static bool exists(const struct job *job, const struct piece *piece)
{
    return piece->group < n_groups(job);
}

static void start_packing(struct line *line, size_t n_calls)
{
    const struct job *job = line->job;
    const struct piece *next = &line->next;
    start_share(&line->packing, exists(job, next) ? goes(job, next) : 0, n_calls);
    if (exists(job, next) &&
        (first_line(next->group, PANELS) > job->product->n || piece_depth(job, next) % PT_TILE_STEP))
        memset(line->packed[1], 0, (size_t)PANELS * PIECE * sizeof(float));
}

static void swap(float *two[2])
{
    float *first = two[0];
    two[0] = two[1];
    two[1] = first;
}

/* A panel's part of the piece. */
static struct pt_tile_operand packed_weight(const struct line *line, size_t panel)
{
    const struct job *job = line->job;
    return (struct pt_tile_operand){(const char *)(line->packed[0] + panel * PIECE),
                                    PT_TILE_LINES * sizeof(float),
                                    STEP_WORDS * sizeof(float),
                                    piece_term(job) * sizeof(float),
                                    job->weight_terms,
                                    false};
}

/* The same where it lies; what reaches past the end of the matrix is copied. */
static struct pt_tile_operand weight_in_place(const struct line *line, size_t panel, size_t n_steps)
{
    const struct job *job = line->job;
    const size_t first = first_line(line->at.group, panel),
                 n_lines = least(job->product->n - first, PT_TILE_LINES),
                 row = PT_TILE_STEP * job->bytes * n_steps;
    const char *from = weight_at(job, job->start + line->at.step * PT_TILE_STEP, first);
    if (n_lines == PT_TILE_LINES)
        return (struct pt_tile_operand){from, job->product->ldb * job->bytes, PT_TILE_STEP * job->bytes, 0, 1,
                                        true};
    char *copy = (char *)line->packed[0];
    memset(copy, 0, PT_TILE_LINES * row);
    for (size_t i = 0; i < n_lines; i++)
        memcpy(copy + i * row, from + i * job->product->ldb * job->bytes, row);
    return (struct pt_tile_operand){copy, row, PT_TILE_STEP * job->bytes, 0, 1, true};
}

static struct pt_tile_operand activations(const struct line *line, size_t block)
{
    const struct job *job = line->job;
    const size_t row = job->in_place ? PT_TILE_LINES : PT_TILE_WORDS;
    return (struct pt_tile_operand){(const char *)(activation_block(job, block) + line->at.step * STEP_WORDS),
                                    row * sizeof(float),
                                    STEP_WORDS * sizeof(float),
                                    block_term(job) * sizeof(float),
                                    job->n_terms,
                                    !job->in_place};
}

/* All rows at hand times a panel's part of the piece. */
static void multiply_panel(struct line *line, size_t panel, size_t n_steps)
{
    const struct job *job = line->job;
    const size_t n_blocks = parts(job->n_rows, PT_TILE_LINES);
    const struct pt_tile_operand weight =
        job->in_place ? weight_in_place(line, panel, n_steps) : packed_weight(line, panel);
    for (size_t block = 0; block < n_blocks; block++) {
        const struct pt_tile_operand rows = activations(line, block);
        job->math->tiles->multiply(
            n_steps, job->n_terms, job->in_place ? &weight : &rows, job->in_place ? &rows : &weight,
            line->c[0] + panel * C_PANEL + block * C_BLOCK, line->at.step > 0, meanwhile, line);
    }
}

/* A weight in place stands on the left, and its lines along the rows of c. */
static void turn_results(const struct line *line, size_t group)
{
    const struct job *job = line->job;
    float turned[C_BLOCK];
    for (size_t panel = 0; panel < n_panels(job, group); panel++)
        for (size_t block = 0; block < parts(job->n_rows, PT_TILE_LINES); block++) {
            float *c = line->c[0] + panel * C_PANEL + block * C_BLOCK;
            job->math->kernels->transpose(turned, PT_TILE_LINES, c, PT_TILE_LINES, PT_TILE_LINES,
                                          PT_TILE_LINES);
            memcpy(c, turned, sizeof turned);
        }
}

static void multiply_piece(struct line *line)
{
    const struct job *job = line->job;
    const size_t n_steps = least(job->n_steps - line->at.step, job->piece_steps),
                 n = n_panels(job, line->at.group);
    start_packing(line, n * n_steps * parts(job->n_rows, PT_TILE_LINES));
    for (size_t panel = 0; panel < n; panel++)
        multiply_panel(line, panel, n_steps);
    finish(line, &line->packing, pack_go);
}

static void run_group(struct line *line)
{
    const struct job *job = line->job;
    const size_t group = line->at.group;
    start_share(&line->writing, goes_of_writing(job, line->before),
                n_panels(job, group) * job->n_steps * parts(job->n_rows, PT_TILE_LINES));
    do {
        line->next = piece_behind(job, line->at);
        multiply_piece(line);
        line->at = line->next;
        swap(line->packed);
    } while (line->at.group == group);
    finish(line, &line->writing, write_go);
    if (job->in_place)
        turn_results(line, group);
    line->before = group;
    swap(line->c);
}

static void run_groups(const struct job *job)
{
    float *scratch = job->math->scratch + (size_t)omp_get_thread_num() * job->math->scratch_size,
          *c = scratch + 2 * (size_t)PANELS * PIECE;
    struct line line = {.job = job,
                        .packed = {scratch + PANELS * PIECE, scratch},
                        .c = {c, c + PANELS * C_PANEL},
                        .next = {take_group(job), 0},
                        .before = n_groups(job)};
    start_packing(&line, 0);
    finish(&line, &line.packing, pack_go);
    swap(line.packed);
    for (line.at = line.next; exists(job, &line.at);)
        run_group(&line);
    start_share(&line.writing, goes_of_writing(job, line.before), 0);
    finish(&line, &line.writing, write_go);
    atomic_thread_fence(memory_order_seq_cst); /* behind what was written past the caches */
}

/* By all threads of the region together. */
static void run_block(const struct job *job)
{
    const size_t n_blocks = parts(job->n_rows, PT_TILE_LINES);
#pragma omp single nowait
    *job->taken = 0;
#pragma omp for schedule(static)
    for (size_t block = 0; block < n_blocks; block++)
        if (job->in_place)
            pack_columns(job, block);
        else
            pack_rows(job, block);
    run_groups(job);
#pragma omp barrier
}

/* Of sizes, for a matrix in so many terms: a power of two, that pieces fit into blocks. */
static size_t divisor(int n_terms)
{
    return n_terms > 2 ? 4 : (size_t)n_terms;
}

static struct job plan(const struct pt_math *math, const struct pt_product *product)
{
    struct job job = {.math = math,
                      .product = product,
                      .n_terms = math->n_terms,
                      .forward = !product->b_is_rows,
                      .bytes = product->dtype == PT_F32 ? 4 : 2};
    /* The sum of two bf16 holds every f16. */
    job.weight_terms = product->dtype == PT_BF16                       ? 1
                       : product->dtype == PT_F16 && math->n_terms > 2 ? 2
                                                                       : math->n_terms;
    job.in_place =
        job.forward && product->dtype == PT_BF16 && product->m <= FEW_ROWS && product->k % PT_TILE_STEP == 0;
    job.most_depth = DEPTH / divisor(job.n_terms);
    job.piece_steps = job.in_place ? job.most_depth / PT_TILE_STEP : PIECE_STEPS / divisor(job.weight_terms);
    const size_t n_blocks = parts(product->m, PT_TILE_LINES), n_parts = parts(n_blocks, MOST_BLOCKS);
    job.most_rows = parts(n_blocks, n_parts) * PT_TILE_LINES; /* as even as can be */
    return job;
}

void pt_tiles_product(const struct pt_math *math, const struct pt_product *product)
{
    struct job whole = plan(math, product);
    size_t taken;
    whole.taken = &taken;
#pragma omp parallel num_threads(pt_math_threads(math))
    {
        struct job job = whole;
        math->tiles->start();
        for (size_t row = 0; row < product->m; row += job.most_rows)
            for (size_t k = 0; k < product->k; k += job.most_depth) {
                job.first_row = row;
                job.n_rows = least(product->m - row, job.most_rows);
                job.start = k;
                job.depth = least(product->k - k, job.most_depth);
                job.n_steps = parts(job.depth, PT_TILE_STEP);
                run_block(&job);
            }
        math->tiles->stop();
    }
}
