/*
 * Products in bf16 tiles. Activations are rounded to bf16 or split into terms once for all threads. Each
 * thread takes lines of the weight, some panels of 32 at a time, and packs them in pairs, for all rows at
 * once. A pass of so many rows as a second-level cache holds then goes piece by piece: a piece of a panel
 * stays in the first-level cache while those rows go over it.
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
    PASS_BLOCKS = 9,
    C_PANEL = PASS_BLOCKS * C_BLOCK,
    PIECE_STEPS = 16, /* of a panel, all terms together, they fill most of a first-level cache */
    FEW_ROWS = 64,
    MOST_BLOCKS = PT_SHARED / PT_TILE_BLOCK, /* of activations */
    ROWS_AHEAD = 16,                         /* of c, that are fetched before their turn */
};

/* The panels that a thread has taken, and the rows that pass over them. */
struct pass {
    const struct pt_tile_job *job;
    size_t first_panel, n_panels, first_block, n_blocks;
    const float *packed; /* [panel] */
    float *scratch, *c;  /* room for the same, and [panel] results */
};

size_t pt_tiles_scratch(void)
{
    return (size_t)PT_TILE_MOST_PANELS * (PT_TILE_BLOCK + C_PANEL);
}

static size_t first_line(const struct pass *pass, size_t panel)
{
    return (pass->first_panel + panel) * PT_TILE_LINES;
}

static struct pt_tile_operand packed_weight(const struct pass *pass, size_t panel, size_t step)
{
    const struct pt_tile_job *job = pass->job;
    return (struct pt_tile_operand){
        .data = (const char *)(pass->packed + panel * pt_tile_panel(job) + step * PT_TILE_STEP_WORDS),
        .row = PT_TILE_LINES * sizeof(float),
        .step = PT_TILE_STEP_WORDS * sizeof(float),
        .term = pt_tile_term(job) * sizeof(float),
        .n_terms = job->weight_terms};
}

/* The same where it lies; what reaches past the end of the matrix is copied. */
static struct pt_tile_operand weight_in_place(const struct pass *pass, size_t panel)
{
    const struct pt_tile_job *job = pass->job;
    const size_t first = first_line(pass, panel), n_lines = pt_least(job->product->n - first, PT_TILE_LINES),
                 row = job->depth * job->bytes;
    struct pt_tile_operand weight = {.data = pt_tile_weight(job, job->start, first),
                                     .row = job->product->ldb * job->bytes,
                                     .step = PT_TILE_STEP * job->bytes,
                                     .n_terms = 1,
                                     .streamed = true};
    if (n_lines == PT_TILE_LINES)
        return weight;
    char *copy = (char *)pass->scratch;
    memset(copy, 0, PT_TILE_LINES * row);
    for (size_t i = 0; i < n_lines; i++)
        memcpy(copy + i * row, weight.data + i * weight.row, row);
    weight.data = copy;
    weight.row = row;
    return weight;
}

static struct pt_tile_operand activations(const struct pt_tile_job *job, size_t block, size_t step)
{
    const size_t row = job->in_place ? PT_TILE_LINES : PT_TILE_WORDS;
    return (struct pt_tile_operand){
        .data = (const char *)(pt_tile_activations(job, block) + step * PT_TILE_STEP_WORDS),
        .row = row * sizeof(float),
        .step = PT_TILE_STEP_WORDS * sizeof(float),
        .term = pt_tile_term(job) * sizeof(float),
        .n_terms = job->n_terms,
        .streamed = !job->in_place,
        .half = job->in_place && job->n_rows - block * PT_TILE_LINES <= PT_TILE_LINES / 2};
}

/* The rows of a pass times a panel's piece. */
static void multiply_piece(const struct pass *pass, size_t panel, size_t step)
{
    const struct pt_tile_job *job = pass->job;
    const size_t n_steps = pt_least(job->n_steps - step, job->piece_steps);
    const struct pt_tile_operand weight =
        job->in_place ? weight_in_place(pass, panel) : packed_weight(pass, panel, step);
    for (size_t block = 0; block < pass->n_blocks; block++) {
        const struct pt_tile_operand rows = activations(job, pass->first_block + block, step);
        job->math->tiles->multiply(n_steps, job->n_terms, job->in_place ? &weight : &rows,
                                   job->in_place ? &rows : &weight,
                                   pass->c + panel * C_PANEL + block * C_BLOCK, PT_TILE_LINES, step > 0);
    }
}

/* A weight in place stands on the left, and its lines along the rows of c. */
static void turn_results(const struct pass *pass)
{
    float turned[C_BLOCK];
    for (size_t panel = 0; panel < pass->n_panels; panel++)
        for (size_t block = 0; block < pass->n_blocks; block++) {
            float *c = pass->c + panel * C_PANEL + block * C_BLOCK;
            pass->job->math->kernels->transpose(turned, PT_TILE_LINES, c, PT_TILE_LINES, PT_TILE_LINES,
                                                PT_TILE_LINES);
            memcpy(c, turned, sizeof turned);
        }
}

static void write_row(const struct pass *pass, size_t panel, size_t row)
{
    const struct pt_tile_job *job = pass->job;
    const struct pt_product *product = job->product;
    const size_t first = first_line(pass, panel), own = row - pass->first_block * PT_TILE_LINES;
    float *to = product->c + (job->first_row + row) * product->ldc + first;
    const float *start = product->add || job->start ? to : product->bias ? product->bias + first : NULL;
    if (start == to) {
        __builtin_prefetch(to + ROWS_AHEAD * product->ldc, 1);
        __builtin_prefetch(to + ROWS_AHEAD * product->ldc + PT_TILE_LINES / 2, 1);
    }
    job->math->kernels->write_sum(pt_least(product->n - first, PT_TILE_LINES),
                                  pass->c + panel * C_PANEL + own * PT_TILE_LINES, start, to);
}

static void write_results(const struct pass *pass)
{
    const size_t first = pass->first_block * PT_TILE_LINES,
                 end = pt_least(first + pass->n_blocks * PT_TILE_LINES, pass->job->n_rows);
    for (size_t row = first; row < end; row++)
        for (size_t panel = 0; panel < pass->n_panels; panel++)
            write_row(pass, panel, row);
}

static void run_pass(const struct pass *pass)
{
    const struct pt_tile_job *job = pass->job;
    for (size_t step = 0; step < job->n_steps; step += job->piece_steps)
        for (size_t panel = 0; panel < pass->n_panels; panel++)
            multiply_piece(pass, panel, step);
    if (job->in_place)
        turn_results(pass);
    write_results(pass);
}

/* Where the panels of the block at hand begin among those of all blocks. */
static size_t panels_in_front(const struct pt_tile_job *job)
{
    return job->start / PT_TILE_STEP * PT_TILE_STEP_WORDS * (size_t)job->weight_terms *
           pt_tile_parts(job->product->n, PT_TILE_LINES);
}

/* The weight's part in the form of tiles, where it is not kept so. */
static void find_packed(struct pass *pass)
{
    const struct pt_tile_job *job = pass->job;
    pass->packed = pass->scratch;
    if (job->product->panels)
        pass->packed = job->product->panels + panels_in_front(job) + pass->first_panel * pt_tile_panel(job);
    else if (!job->in_place)
        pt_tile_pack_weight(job, pass->first_panel, pass->n_panels, pass->scratch);
}

/* Some panels for this thread, fewer towards the end, so that all threads end at once; false: none are left.
 */
static bool take_panels(struct pass *pass)
{
    const size_t n = pt_tile_parts(pass->job->product->n, PT_TILE_LINES),
                 n_threads = (size_t)pt_math_threads(pass->job->math);
#pragma omp critical(pt_tiles_take_panels)
    {
        const size_t left = n - *pass->job->taken;
        pass->first_panel = *pass->job->taken;
        pass->n_panels = pt_least(PT_TILE_MOST_PANELS, pt_tile_parts(left, n_threads));
        *pass->job->taken += pass->n_panels;
    }
    return pass->n_panels;
}

static void run_panels(const struct pt_tile_job *job)
{
    float *scratch = job->math->scratch + (size_t)omp_get_thread_num() * job->math->scratch_size;
    const size_t n_blocks = pt_tile_parts(job->n_rows, PT_TILE_LINES),
                 most = pt_tile_parts(n_blocks, pt_tile_parts(n_blocks, PASS_BLOCKS)); /* as even as can be */
    struct pass pass = {.job = job, .scratch = scratch, .c = scratch + PT_TILE_MOST_PANELS * PT_TILE_BLOCK};
    while (take_panels(&pass)) {
        find_packed(&pass);
        for (pass.first_block = 0; pass.first_block < n_blocks; pass.first_block += most) {
            pass.n_blocks = pt_least(n_blocks - pass.first_block, most);
            run_pass(&pass);
        }
    }
    atomic_thread_fence(memory_order_seq_cst); /* behind what was written past the caches */
}

/* By all threads of the region together. */
static void run_block(const struct pt_tile_job *job)
{
    const size_t n_blocks = pt_tile_parts(job->n_rows, PT_TILE_LINES);
#pragma omp single nowait
    *job->taken = 0;
#pragma omp for schedule(dynamic)
    for (size_t block = 0; block < n_blocks; block++)
        pt_tile_pack_activations(job, block);
    run_panels(job);
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
                              .bytes = pt_dtype_bytes(product->dtype)};
    /* The sum of two bf16 holds every f16. */
    job.weight_terms = product->dtype == PT_BF16                       ? 1
                       : product->dtype == PT_F16 && math->n_terms > 2 ? 2
                                                                       : math->n_terms;
    job.in_place =
        job.forward && product->dtype == PT_BF16 && product->m <= FEW_ROWS && product->k % PT_TILE_STEP == 0;
    job.most_rows = MOST_BLOCKS * PT_TILE_LINES;
    job.most_depth = PT_TILE_DEPTH / divisor(job.n_terms);
    job.piece_steps = job.in_place ? job.most_depth / PT_TILE_STEP : PIECE_STEPS / divisor(job.weight_terms);
    return job;
}

/* The block of the contraction that begins at k. */
static void set_depth(struct pt_tile_job *job, size_t k)
{
    job->start = k;
    job->depth = pt_least(job->product->k - k, job->most_depth);
    job->n_steps = pt_tile_parts(job->depth, PT_TILE_STEP);
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
                job.n_rows = pt_least(product->m - row, job.most_rows);
                set_depth(&job, k);
                run_block(&job);
            }
        math->tiles->stop();
    }
}

size_t pt_tiles_panels(const struct pt_math *math, const struct pt_product *product)
{
    struct pt_tile_job job = plan(math, product);
    job.start = pt_tile_parts(product->k, PT_TILE_STEP) * PT_TILE_STEP;
    return panels_in_front(&job);
}

void pt_tiles_fill(const struct pt_math *math, const struct pt_product *product, float *panels)
{
    struct pt_tile_job job = plan(math, product);
    for (size_t k = 0; k < product->k; k += job.most_depth) {
        set_depth(&job, k);
        float *to = panels + panels_in_front(&job);
        const size_t n = pt_tile_parts(product->n, PT_TILE_LINES);
#pragma omp parallel for schedule(dynamic) num_threads(pt_math_threads(math))
        for (size_t panel = 0; panel < n; panel += PT_TILE_MOST_PANELS)
            pt_tile_pack_weight(&job, panel, pt_least(n - panel, PT_TILE_MOST_PANELS),
                                to + panel * pt_tile_panel(&job));
    }
}
