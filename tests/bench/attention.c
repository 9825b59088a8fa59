/*
 * What an update does between its matrix products, at sizes of real models: attention, norms, activations,
 * rotary embedding, loss. Prints one line a case: name, best milliseconds, rate, its unit, kernels (or mode
 * and path), threads. Rates count needed work only: products of queries with the keys that they see, each
 * byte once.
 *
 *     attention [-c] [-j THREADS] [-k portable|avx2|avx512] [-m MODE:PATH] [PART OF A NAME]
 *
 * -c takes the CPU time of the process instead of the wall clock's: for one thread on a busy machine. -m is
 * what --math is to pt-train, for attention.
 */
#include "math/attention.h"
#include "base/memory.h"
#include "base/threads.h"
#include "math/activation.h"
#include "math/kernels.h"
#include "math/loss.h"
#include "math/norm.h"
#include "math/rotary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { REPETITIONS = 7, MOST_SEGMENTS = 16, LARGE_PAGE = 2 << 20 };

static const char *filter = "";
static struct pt_math *math; /* NULL: f32 by the kernels */
static struct pt_error err;

static bool cpu_time;

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(cpu_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Where a workspace's rows would lie, too. */
static float *new_values(size_t n)
{
    static uint32_t seed = 1;
    const size_t bytes = (n * sizeof(float) / LARGE_PAGE + 1) * LARGE_PAGE;
    float *values = aligned_alloc(LARGE_PAGE, bytes);
    if (!values) {
        fprintf(stderr, "attention: out of memory\n");
        exit(1);
    }
    pt_memory_use_large_pages(values, bytes);
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) * 0x1p-23f - 1.0f;
    }
    return values;
}

/* Best time of `run`; `work` is its operations or bytes. */
static void measure(const char *name, const char *unit, double work, void (*run)(void *), void *data)
{
    double best = INFINITY;
    for (int i = 0; i < REPETITIONS; i++) {
        double start = seconds_now();
        run(data);
        double seconds = seconds_now() - start;
        best = seconds < best ? seconds : best;
    }
    printf("%s\t%.3f\t%.1f\t%s\t%s\t%d\n", name, best * 1e3, work / best * 1e-9, unit,
           math ? pt_math_name(math) : pt_kernels()->name, pt_threads());
    fflush(stdout);
}

static bool wanted(const char *name)
{
    return strstr(name, filter);
}

/* ------------------------------------------------------------------------------------ attention */

struct attention_case {
    const char *name;
    size_t n_heads, n_kv_heads, dim, n_prompt, n_examples, length, window;
    bool alibi;
    float soft_cap;
};

static const struct attention_case attention_cases[] = {
    {"1.4B: 8 x (8 + 128)", 16, 16, 128, 8, 8, 128, 0, true, 0},
    {"1.4B: 8 x (100 + 128)", 16, 16, 128, 100, 8, 128, 0, true, 0},
    {"1.4B: 8 x (8 + 256)", 16, 16, 128, 8, 8, 256, 0, true, 0},
    {"1.4B: 1 x 2048", 16, 16, 128, 0, 1, 2048, 0, true, 0},
    {"4 of 32 heads of 64: 8 x (8 + 128)", 32, 4, 64, 8, 8, 128, 0, false, 0},
    {"1 of 71 heads of 64: 8 x (8 + 128)", 71, 1, 64, 8, 8, 128, 0, false, 0},
    {"cap, window 1024, 4 of 8 heads of 256: 1 x 2048", 8, 4, 256, 0, 1, 2048, 1024, false, 50.0f},
};

struct attention_run {
    struct pt_attention_shape shape;
    struct pt_segment segments[MOST_SEGMENTS];
    size_t n_segments, row;
    float *rows, *drows, *out, *dout, *log_sums;
};

static void run_attention_forward(void *data)
{
    struct attention_run *run = data;
    const size_t dim = run->shape.head_dim, width = run->shape.n_heads * dim;
    if (pt_attention_forward(math, &run->shape, run->segments, run->n_segments,
                             (struct pt_heads){run->rows, run->row, dim},
                             (struct pt_heads){run->out, width, dim}, run->log_sums, &err))
        exit(1);
}

static void run_attention_backward(void *data)
{
    struct attention_run *run = data;
    const size_t dim = run->shape.head_dim, width = run->shape.n_heads * dim;
    if (pt_attention_backward(math, &run->shape, run->segments, run->n_segments,
                              (struct pt_heads){run->rows, run->row, dim},
                              (struct pt_heads){run->dout, width, dim}, run->log_sums,
                              (struct pt_heads){run->drows, run->row, dim}, &err))
        exit(1);
}

static struct pt_key_block key_block(const struct attention_run *run, size_t first, size_t n)
{
    const size_t dim = run->shape.head_dim, k = first * run->row + run->shape.n_heads * dim,
                 v = k + run->shape.n_kv_heads * dim;
    return (struct pt_key_block){{run->rows + k, run->row, dim},
                                 {run->rows + v, run->row, dim},
                                 {run->drows + k, run->row, dim},
                                 {run->drows + v, run->row, dim},
                                 n};
}

/* Returns how many pairs of a query and a key that it sees there are. */
static double make_segments(struct attention_run *run, const struct attention_case *c)
{
    double pairs = 0;
    size_t row = 0;
    for (size_t e = c->n_prompt ? 0 : 1; e <= c->n_examples; e++) {
        struct pt_segment *segment = &run->segments[run->n_segments++];
        size_t n = e ? c->length : c->n_prompt, before = e ? c->n_prompt : 0;
        *segment = (struct pt_segment){.first_query = row, .n_queries = n};
        if (before)
            segment->blocks[segment->n_blocks++] = key_block(run, 0, before);
        segment->blocks[segment->n_blocks++] = key_block(run, row, n);
        for (size_t i = 0; i < n; i++) {
            size_t seen = before + i + 1;
            pairs += (double)(c->window && seen > c->window ? c->window : seen);
        }
        row += n;
    }
    return pairs;
}

static void bench_attention(const struct attention_case *c)
{
    const size_t n = c->n_prompt + c->n_examples * c->length, row = (c->n_heads + 2 * c->n_kv_heads) * c->dim;
    float *slopes = new_values(c->n_heads);
    pt_alibi_slopes(c->n_heads, slopes);
    struct attention_run run = {.shape = {.n_heads = c->n_heads,
                                          .n_kv_heads = c->n_kv_heads,
                                          .head_dim = c->dim,
                                          .scale = 1.0f / sqrtf((float)c->dim),
                                          .alibi_slopes = c->alibi ? slopes : NULL,
                                          .soft_cap = c->soft_cap,
                                          .window = c->window},
                                .row = row,
                                .rows = new_values(n * row),
                                .drows = new_values(n * row),
                                .out = new_values(n * c->n_heads * c->dim),
                                .dout = new_values(n * c->n_heads * c->dim),
                                .log_sums = new_values(n * c->n_heads)};
    const double operations = make_segments(&run, c) * (double)(c->n_heads * c->dim * 4);
    char name[128];
    snprintf(name, sizeof name, "attention forward, %s", c->name);
    measure(name, "GF/s", operations, run_attention_forward, &run);
    snprintf(name, sizeof name, "attention backward, %s", c->name);
    measure(name, "GF/s", operations * 2.5, run_attention_backward, &run);
    float *all[] = {slopes, run.rows, run.drows, run.out, run.dout, run.log_sums};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

/* ------------------------------------------------------------------------------------ decoding */

static const struct {
    const char *name;
    size_t n_heads, n_kv_heads, dim, n_sequences, n_keys;
} decode_cases[] = {
    {"decode, 1.4B: 1 sequence of 300", 16, 16, 128, 1, 300},
    {"decode, 1.4B: 1 sequence of 4096", 16, 16, 128, 1, 4096},
    {"decode, 1.4B: 16 sequences of 1024", 16, 16, 128, 16, 1024},
    {"decode, 4 of 32 heads of 64: 16 sequences of 2048", 32, 4, 64, 16, 2048},
    {"decode, 1 of 71 heads of 64: 16 sequences of 2048", 71, 1, 64, 16, 2048},
};

/* Keys and values lie side by side, as in a cache; each layer has its own, so that they come from memory. */
enum { LAYERS = 4 };

struct decode_run {
    struct attention_run attention;
    float *cache;
    size_t layer_floats, sequence_floats;
    int layer;
};

static void run_decode(void *data)
{
    struct decode_run *run = data;
    struct attention_run *attention = &run->attention;
    const size_t dim = attention->shape.head_dim, kv = attention->shape.n_kv_heads * dim;
    run->layer = (run->layer + 1) % LAYERS;
    for (size_t s = 0; s < attention->n_segments; s++) {
        float *from = run->cache + (size_t)run->layer * run->layer_floats + s * run->sequence_floats;
        attention->segments[s].blocks[0].k = (struct pt_heads){from, 2 * kv, dim};
        attention->segments[s].blocks[0].v = (struct pt_heads){from + kv, 2 * kv, dim};
    }
    run_attention_forward(attention);
}

static void bench_decode(size_t index)
{
    const size_t n_heads = decode_cases[index].n_heads, n_kv_heads = decode_cases[index].n_kv_heads,
                 dim = decode_cases[index].dim, n = decode_cases[index].n_sequences,
                 n_keys = decode_cases[index].n_keys, width = n_heads * dim;
    struct decode_run run = {.attention = {.shape = {.n_heads = n_heads,
                                                     .n_kv_heads = n_kv_heads,
                                                     .head_dim = dim,
                                                     .scale = 1.0f / sqrtf((float)dim)},
                                           .n_segments = n,
                                           .row = width,
                                           .rows = new_values(n * width),
                                           .out = new_values(n * width)},
                             .sequence_floats = n_keys * 2 * n_kv_heads * dim};
    run.layer_floats = n * run.sequence_floats;
    run.cache = new_values(LAYERS * run.layer_floats);
    for (size_t s = 0; s < n; s++)
        run.attention.segments[s] = (struct pt_segment){s, 1, 1, {{.n_rows = n_keys}}};
    measure(decode_cases[index].name, "GB/s", (double)run.layer_floats * 4, run_decode, &run);
    free(run.attention.rows);
    free(run.attention.out);
    free(run.cache);
}

/* ------------------------------------------------------------------------------------ rows */

/* All operands of one elementwise case. */
struct rows_run {
    size_t m, n;
    int kind;
    float *x, *y, *z, *weight, *mean, *rstd;
    struct pt_target *targets;
    double *losses;
    uint8_t *correct;
    uint32_t *positions;
};

static struct rows_run new_rows(size_t m, size_t n, int kind)
{
    struct rows_run run = {m,
                           n,
                           kind,
                           new_values(m * n),
                           new_values(m * n),
                           new_values(m * n),
                           new_values(n),
                           new_values(m),
                           new_values(m),
                           calloc(m, sizeof *run.targets),
                           calloc(m, sizeof *run.losses),
                           calloc(m, 1),
                           calloc(m, sizeof *run.positions)};
    for (size_t i = 0; i < m && run.targets; i++)
        run.targets[i] = (struct pt_target){(uint32_t)(i * 7919 % n), 1.0f};
    return run;
}

static void free_rows(struct rows_run *run)
{
    void *all[] = {run->x,    run->y,       run->z,      run->weight,  run->mean,
                   run->rstd, run->targets, run->losses, run->correct, run->positions};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

static void run_norm_forward(void *data)
{
    struct rows_run *run = data;
    pt_norm_forward((enum pt_norm_kind)run->kind, run->m, run->n, run->x, run->weight, run->weight, 1e-5f,
                    run->y, run->mean, run->rstd);
}

static void run_norm_backward(void *data)
{
    struct rows_run *run = data;
    pt_norm_backward((enum pt_norm_kind)run->kind, run->m, run->n, run->x, run->mean, run->rstd, run->weight,
                     run->y, true, run->z);
}

static void run_activation_forward(void *data)
{
    struct rows_run *run = data;
    pt_activation_forward((enum pt_activation)run->kind, run->m * run->n, run->x, run->y);
}

static void run_activation_backward(void *data)
{
    struct rows_run *run = data;
    pt_activation_backward((enum pt_activation)run->kind, run->m * run->n, run->x, run->y, run->z);
}

static void run_gated_forward(void *data)
{
    struct rows_run *run = data;
    pt_gated_forward((enum pt_activation)run->kind, run->m, run->n, run->x, run->y, run->n, run->z, run->n);
}

static void run_gated_backward(void *data)
{
    struct rows_run *run = data;
    pt_gated_backward((enum pt_activation)run->kind, run->m, run->n, run->x, run->y, run->n, run->z, run->n,
                      run->x, run->y, run->n);
}

static void run_loss(void *data)
{
    struct rows_run *run = data;
    pt_cross_entropy(run->m, run->n, run->x, run->targets, run->kind, run->losses, run->correct);
}

static void run_add(void *data)
{
    struct rows_run *run = data;
    pt_add(run->m * run->n, run->x, run->y);
}

/* Heads of 128 elements. */
static void run_rotary(void *data)
{
    struct rows_run *run = data;
    const struct pt_rotary_table table = {128, run->y, run->z};
    pt_rotary_forward(&table, run->positions, run->m, run->n / 128, (struct pt_heads){run->x, run->n, 128});
}

/* `passes`: how often an element is read or written at the least. */
static const struct {
    const char *name;
    void (*run)(void *data);
    size_t m, n;
    int kind, passes;
} rows_cases[] = {
    {"layer norm forward, 1032 x 2048", run_norm_forward, 1032, 2048, PT_LAYER_NORM, 2},
    {"layer norm backward and add, 1032 x 2048", run_norm_backward, 1032, 2048, PT_LAYER_NORM, 4},
    {"RMS norm forward, 1032 x 2048", run_norm_forward, 1032, 2048, PT_RMS_NORM, 2},
    {"RMS norm backward and add, 1032 x 2048", run_norm_backward, 1032, 2048, PT_RMS_NORM, 4},
    {"tanh GELU forward, 1032 x 8192", run_activation_forward, 1032, 8192, PT_GELU_TANH, 2},
    {"tanh GELU backward, 1032 x 8192", run_activation_backward, 1032, 8192, PT_GELU_TANH, 3},
    {"erf GELU forward, 1032 x 8192", run_activation_forward, 1032, 8192, PT_GELU, 2},
    {"erf GELU backward, 1032 x 8192", run_activation_backward, 1032, 8192, PT_GELU, 3},
    {"gated SiLU forward, 1032 x 5632", run_gated_forward, 1032, 5632, PT_SILU, 3},
    {"gated SiLU backward, 1032 x 5632", run_gated_backward, 1032, 5632, PT_SILU, 5},
    {"add, 1032 x 2048", run_add, 1032, 2048, 0, 3},
    {"rotary, 1032 x 2048", run_rotary, 1032, 2048, 0, 2},
    {"loss alone, 128 x 46145", run_loss, 128, 46145, false, 1},
    {"loss and gradient, 128 x 46145", run_loss, 128, 46145, true, 2},
    {"loss and gradient, 64 x 250880", run_loss, 64, 250880, true, 2},
    {"loss and gradient, 1 x 250880", run_loss, 1, 250880, true, 2},
};

static void bench_rows(size_t index)
{
    struct rows_run run = new_rows(rows_cases[index].m, rows_cases[index].n, rows_cases[index].kind);
    measure(rows_cases[index].name, "GB/s", 4.0 * (double)(run.m * run.n) * rows_cases[index].passes,
            rows_cases[index].run, &run);
    free_rows(&run);
}

static void force(const char *name)
{
    const struct pt_kernels *const all[] = {&pt_kernels_portable, &pt_kernels_avx2, &pt_kernels_avx512};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!strcmp(all[i]->name, name) && pt_kernels_usable(all[i])) {
            pt_kernels_force(all[i]);
            return;
        }
    fprintf(stderr, "attention: %s: this CPU does not run such kernels\n", name);
    exit(2);
}

static void open_math(const char *setting)
{
    if (!pt_math_open(&math, setting, PT_BF16, &err))
        return;
    fprintf(stderr, "attention: %s\n", err.message);
    exit(2);
}

int main(int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "cj:k:m:")) != -1;) {
        if (option == 'j')
            pt_threads_set(atoi(optarg));
        else if (option == 'k')
            force(optarg);
        else if (option == 'm')
            open_math(optarg);
        else if (option == 'c')
            cpu_time = true;
        else
            return 2;
    }
    filter = optind < argc ? argv[optind] : "";
    for (size_t i = 0; i < sizeof attention_cases / sizeof attention_cases[0]; i++)
        if (wanted(attention_cases[i].name) || !strcmp(filter, "attention"))
            bench_attention(&attention_cases[i]);
    for (size_t i = 0; i < sizeof decode_cases / sizeof decode_cases[0]; i++)
        if (wanted(decode_cases[i].name))
            bench_decode(i);
    for (size_t i = 0; i < sizeof rows_cases / sizeof rows_cases[0]; i++)
        if (wanted(rows_cases[i].name))
            bench_rows(i);
    pt_math_close(math);
    return 0;
}
