/*
 * Products in bf16 tiles. A block of activations is rounded to bf16 or split into terms once for all threads,
 * small enough to stay in each core's second-level cache. Each thread then takes lines of the weight, 32 at a
 * time, a piece of the contraction after the other: packed in pairs, a piece stays in the first-level cache
 * while all those rows pass over it. The tile unit multiplies on its own, so between its steps the vector
 * units pack the next piece, and write the results of the lines before.
 *
 * For few rows packing would be all there is to do: then a weight in bf16 is multiplied where it lies.
 *
 * What is cut off at an edge is zero. Every element of c is a sum in an order that depends on nothing but k.
 */
#include "math/tiles_job.h"

#include <omp.h>
#include <stdatomic.h>
#include <string.h>

enum {
    C_BLOCK = PT_TILE_LINES * PT_TILE_LINES,
    C_PANEL = PT_TILE_MOST_BLOCKS * C_BLOCK,
    FEW_ROWS = 64,
    GROUPS_A_THREAD = 4, /* at least, where the weight has so many lines */
};

/* Work in n portions that is spread evenly over so many calls. */
struct share {
    size_t n, n_calls, done, due;
};

/* A thread's way through its panels. */
struct way {
    const struct pt_tile_job *job;
    struct pt_tile_piece at, next; /* multiplied, packed */
    float *packed[2];              /* these two */
    float *c[2];                   /* results of the group at hand, and of the one before */
    size_t before;                 /* that group, or as many as there are where there is none */
    struct share packing, writing;
};

size_t pt_tiles_scratch(void)
{
    return 2 * (size_t)PT_TILE_MOST_PANELS * (PT_TILE_PIECE + C_PANEL);
}

static void pack_portion(const struct way *way, size_t portion)
{
    pt_tile_pack_portion(way->job, &way->next, way->packed[1], portion);
}

/* That a group's results are written in: a row of a panel each. */
static size_t portions_of_results(const struct pt_tile_job *job, size_t group)
{
    return group < pt_tile_groups(job) ? pt_tile_panels(job, group) * job->n_rows : 0;
}

static void write_portion(const struct way *way, size_t portion)
{
    const struct pt_tile_job *job = way->job;
    const struct pt_product *product = job->product;
    const size_t n = pt_tile_panels(job, way->before), panel = portion % n, row = portion / n,
                 first = pt_tile_first_line(job, way->before, panel);
    const float *from = way->c[1] + panel * C_PANEL + row * PT_TILE_LINES;
    float *to = product->c + (job->first_row + row) * product->ldc + first;
    const float *start = product->add || job->start ? to : product->bias ? product->bias + first : NULL;
    if (start == to) {
        __builtin_prefetch(to + PT_TILE_ROWS_AHEAD * product->ldc, 1);
        __builtin_prefetch(to + PT_TILE_ROWS_AHEAD * product->ldc + PT_TILE_LINES / 2, 1);
    }
    job->math->kernels->write_sum(pt_tile_least(product->n - first, PT_TILE_LINES), from, start, to);
}

static bool is_due(struct share *share)
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
    struct way *way = context;
    way->packing.due += way->packing.n;
    while (is_due(&way->packing))
        pack_portion(way, way->packing.done - 1);
    way->writing.due += way->writing.n;
    while (is_due(&way->writing))
        write_portion(way, way->writing.done - 1);
}

static void finish(struct way *way, struct share *share,
                   void (*portion)(const struct way *way, size_t portion))
{
    for (; share->done < share->n; share->done++)
        portion(way, share->done);
}

static size_t take_group(const struct pt_tile_job *job)
{
    size_t group;
#pragma omp atomic capture
    group = (*job->taken)++;
    return group;
}

static struct pt_tile_piece piece_behind(const struct pt_tile_job *job, struct pt_tile_piece piece)
{
    piece.step += job->piece_steps;
    return piece.step < job->n_steps ? piece : (struct pt_tile_piece){take_group(job), 0};
}

static bool exists(const struct pt_tile_job *job, const struct pt_tile_piece *piece)
{
    return piece->group < pt_tile_groups(job);
}

static void start_packing(struct way *way, size_t n_calls)
{
    const struct pt_tile_job *job = way->job;
    const struct pt_tile_piece *next = &way->next;
    start_share(&way->packing, exists(job, next) ? pt_tile_portions(job, next) : 0, n_calls);
    if (exists(job, next) && (pt_tile_first_line(job, next->group, job->panels) > job->product->n ||
                              pt_tile_piece_depth(job, next) % PT_TILE_STEP))
        memset(way->packed[1], 0, (size_t)PT_TILE_MOST_PANELS * PT_TILE_PIECE * sizeof(float));
}

static void swap(float *two[2])
{
    float *first = two[0];
    two[0] = two[1];
    two[1] = first;
}

/* A panel's part of the piece. */
static struct pt_tile_operand packed_weight(const struct way *way, size_t panel)
{
    const struct pt_tile_job *job = way->job;
    return (struct pt_tile_operand){(const char *)(way->packed[0] + panel * PT_TILE_PIECE),
                                    PT_TILE_LINES * sizeof(float),
                                    PT_TILE_STEP_WORDS * sizeof(float),
                                    pt_tile_piece_term(job) * sizeof(float),
                                    job->weight_terms,
                                    false};
}

/* The same where it lies; what reaches past the end of the matrix is copied. */
static struct pt_tile_operand weight_in_place(const struct way *way, size_t panel, size_t n_steps)
{
    const struct pt_tile_job *job = way->job;
    const size_t first = pt_tile_first_line(job, way->at.group, panel),
                 n_lines = pt_tile_least(job->product->n - first, PT_TILE_LINES),
                 row = PT_TILE_STEP * job->bytes * n_steps;
    const char *from = pt_tile_weight(job, job->start + way->at.step * PT_TILE_STEP, first);
    if (n_lines == PT_TILE_LINES)
        return (struct pt_tile_operand){from, job->product->ldb * job->bytes, PT_TILE_STEP * job->bytes, 0, 1,
                                        true};
    char *copy = (char *)way->packed[0];
    memset(copy, 0, PT_TILE_LINES * row);
    for (size_t i = 0; i < n_lines; i++)
        memcpy(copy + i * row, from + i * job->product->ldb * job->bytes, row);
    return (struct pt_tile_operand){copy, row, PT_TILE_STEP * job->bytes, 0, 1, true};
}

static struct pt_tile_operand activations(const struct way *way, size_t block)
{
    const struct pt_tile_job *job = way->job;
    const size_t row = job->in_place ? PT_TILE_LINES : PT_TILE_WORDS;
    return (struct pt_tile_operand){
        (const char *)(pt_tile_activations(job, block) + way->at.step * PT_TILE_STEP_WORDS),
        row * sizeof(float),
        PT_TILE_STEP_WORDS * sizeof(float),
        pt_tile_activation_term(job) * sizeof(float),
        job->n_terms,
        !job->in_place};
}

/* All rows at hand times a panel's part of the piece. */
static void multiply_panel(struct way *way, size_t panel, size_t n_steps)
{
    const struct pt_tile_job *job = way->job;
    const size_t n_blocks = pt_tile_parts(job->n_rows, PT_TILE_LINES);
    const struct pt_tile_operand weight =
        job->in_place ? weight_in_place(way, panel, n_steps) : packed_weight(way, panel);
    for (size_t block = 0; block < n_blocks; block++) {
        const struct pt_tile_operand rows = activations(way, block);
        job->math->tiles->multiply(
            n_steps, job->n_terms, job->in_place ? &weight : &rows, job->in_place ? &rows : &weight,
            way->c[0] + panel * C_PANEL + block * C_BLOCK, way->at.step > 0, meanwhile, way);
    }
}

/* A weight in place stands on the left, and its lines along the rows of c. */
static void turn_results(const struct way *way, size_t group)
{
    const struct pt_tile_job *job = way->job;
    float turned[C_BLOCK];
    for (size_t panel = 0; panel < pt_tile_panels(job, group); panel++)
        for (size_t block = 0; block < pt_tile_parts(job->n_rows, PT_TILE_LINES); block++) {
            float *c = way->c[0] + panel * C_PANEL + block * C_BLOCK;
            job->math->kernels->transpose(turned, PT_TILE_LINES, c, PT_TILE_LINES, PT_TILE_LINES,
                                          PT_TILE_LINES);
            memcpy(c, turned, sizeof turned);
        }
}

static void multiply_piece(struct way *way)
{
    const struct pt_tile_job *job = way->job;
    const size_t n_steps = pt_tile_least(job->n_steps - way->at.step, job->piece_steps),
                 n = pt_tile_panels(job, way->at.group);
    start_packing(way, n * n_steps * pt_tile_parts(job->n_rows, PT_TILE_LINES));
    for (size_t panel = 0; panel < n; panel++)
        multiply_panel(way, panel, n_steps);
    finish(way, &way->packing, pack_portion);
}

static void run_group(struct way *way)
{
    const struct pt_tile_job *job = way->job;
    const size_t group = way->at.group;
    start_share(&way->writing, portions_of_results(job, way->before),
                pt_tile_panels(job, group) * job->n_steps * pt_tile_parts(job->n_rows, PT_TILE_LINES));
    do {
        way->next = piece_behind(job, way->at);
        multiply_piece(way);
        way->at = way->next;
        swap(way->packed);
    } while (way->at.group == group);
    finish(way, &way->writing, write_portion);
    if (job->in_place)
        turn_results(way, group);
    way->before = group;
    swap(way->c);
}

static void run_groups(const struct pt_tile_job *job)
{
    float *scratch = job->math->scratch + (size_t)omp_get_thread_num() * job->math->scratch_size,
          *c = scratch + 2 * (size_t)PT_TILE_MOST_PANELS * PT_TILE_PIECE;
    struct way way = {.job = job,
                      .packed = {scratch + PT_TILE_MOST_PANELS * PT_TILE_PIECE, scratch},
                      .c = {c, c + PT_TILE_MOST_PANELS * C_PANEL},
                      .next = {take_group(job), 0},
                      .before = pt_tile_groups(job)};
    start_packing(&way, 0);
    finish(&way, &way.packing, pack_portion);
    swap(way.packed);
    for (way.at = way.next; exists(job, &way.at);)
        run_group(&way);
    start_share(&way.writing, portions_of_results(job, way.before), 0);
    finish(&way, &way.writing, write_portion);
    atomic_thread_fence(memory_order_seq_cst); /* behind what was written past the caches */
}

/* By all threads of the region together. */
static void run_block(const struct pt_tile_job *job)
{
    const size_t n_blocks = pt_tile_parts(job->n_rows, PT_TILE_LINES);
#pragma omp single nowait
    *job->taken = 0;
#pragma omp for schedule(static)
    for (size_t block = 0; block < n_blocks; block++)
        pt_tile_pack_activations(job, block);
    run_groups(job);
#pragma omp barrier
}

/* Of sizes, for a matrix in so many terms: a power of two, that pieces fit into blocks. */
static size_t divisor(int n_terms)
{
    return n_terms > 2 ? 4 : (size_t)n_terms;
}

static struct pt_tile_job plan(const struct pt_math *math, const struct pt_product *product)
{
    struct pt_tile_job job = {.math = math,
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
    job.most_depth = PT_TILE_DEPTH / divisor(job.n_terms);
    job.piece_steps =
        job.in_place ? job.most_depth / PT_TILE_STEP : PT_TILE_PIECE_STEPS / divisor(job.weight_terms);
    job.panels = PT_TILE_MOST_PANELS;
    while (job.panels > 1 && pt_tile_groups(&job) < GROUPS_A_THREAD * (size_t)pt_math_threads(math))
        job.panels /= 2;
    const size_t n_blocks = pt_tile_parts(product->m, PT_TILE_LINES),
                 n_parts = pt_tile_parts(n_blocks, PT_TILE_MOST_BLOCKS);
    job.most_rows = pt_tile_parts(n_blocks, n_parts) * PT_TILE_LINES; /* as even as can be */
    return job;
}

void pt_tiles_product(const struct pt_math *math, const struct pt_product *product)
{
    if (!product->m)
        return;
    struct pt_tile_job whole = plan(math, product);
    size_t taken;
    whole.taken = &taken;
#pragma omp parallel num_threads(pt_math_threads(math))
    {
        struct pt_tile_job job = whole;
        math->tiles->start();
        for (size_t row = 0; row < product->m; row += job.most_rows)
            for (size_t k = 0; k < product->k; k += job.most_depth) {
                job.first_row = row;
                job.n_rows = pt_tile_least(product->m - row, job.most_rows);
                job.start = k;
                job.depth = pt_tile_least(product->k - k, job.most_depth);
                job.n_steps = pt_tile_parts(job.depth, PT_TILE_STEP);
                run_block(&job);
            }
        math->tiles->stop();
    }
}
