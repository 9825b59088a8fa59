/*
 * How fast the matrix products are, beside what the machine allows. Prints TSV: case, path, GF/s, GB/s of
 * weights, the limit in GF/s and our share of it. The limit of a case is the least of two that are measured
 * first: the best product of the path, and loops that only read memory.
 *
 *     products [THREADS [PART-OF-A-CASE]...]
 *
 * Weights are random and come from memory, as in training: each repetition takes others of WEIGHT_BYTES. The
 * best repetition counts, since a busy machine only ever adds time. Cases are named
 * SETTING/DTYPE/DIRECTION/ROWS/SHAPE.
 */
#include "base/error.h"
#include "base/memory.h"
#include "base/threads.h"
#include "math/limits.h"
#include "math/product.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define WEIGHT_BYTES ((size_t)256 << 20)
static const double seconds_a_case = 0.3, seconds_a_limit = 1;

static const char *const settings[] = {"f32:portable",    "f32:openblas", "f32:avx2",   "f32:avx512",
                                       "bf16:avx512bf16", "bf16:amx",     "bf16x2:amx", "bf16x3:amx"};
static const struct {
    const char *name;
    enum pt_dtype dtype;
} dtypes[] = {{"f32", PT_F32}, {"bf16", PT_BF16}, {"f16", PT_F16}};
static const struct {
    size_t n_out, n_in;
} shapes[] = {{6144, 2048}, {2048, 8192}, {46145, 2048}};
static const size_t rows[] = {1, 2, 4, 8, 16, 32, 64, 136, 1088};
enum { MOST_ROWS = 1088, MOST_COLUMNS = 46145 };
#define N_OF(array) (sizeof(array) / sizeof *(array))

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct bench {
    char *weights;
    float *x, *y;
    int n_parts;
    char **parts;
};

static bool is_asked_for(const struct bench *bench, const char *name)
{
    for (int i = 0; i < bench->n_parts; i++)
        if (!strstr(name, bench->parts[i]))
            return false;
    return true;
}

enum { NAME_BYTES = 96 };

static void name_case(char name[NAME_BYTES], const char *setting, bool forward, size_t m, size_t dtype,
                      size_t shape)
{
    snprintf(name, NAME_BYTES, "%s/%s/%s/%zu/%zux%zu", setting, dtypes[dtype].name,
             forward ? "forward" : "backward", m, shapes[shape].n_out, shapes[shape].n_in);
}

/* Whether any case is: limits are measured for those only. */
static bool some_are_asked_for(const struct bench *bench, const char *setting, size_t dtype)
{
    char name[NAME_BYTES];
    for (size_t i = 0; i < N_OF(shapes) * N_OF(rows) * 2; i++) {
        name_case(name, setting, i % 2, rows[i / 2 % N_OF(rows)], dtype, i / 2 / N_OF(rows));
        if (is_asked_for(bench, name))
            return true;
    }
    return false;
}

static double best_time(const struct bench *bench, const struct pt_math *math, bool forward, size_t m,
                        struct pt_matrix w)
{
    const size_t bytes = w.n_out * w.n_in * pt_dtype_bytes(w.dtype), n_slots = WEIGHT_BYTES / bytes;
    double best = 1e9, end = now() + seconds_a_case;
    for (size_t i = 0; i < 8 || now() < end; i++) {
        w.data = bench->weights + i % n_slots * bytes;
        double start = now();
        if (forward)
            pt_product_forward(math, m, bench->x, w.n_in, &w, NULL, bench->y, w.n_out);
        else
            pt_product_backward(math, m, bench->x, w.n_out, &w, false, bench->y, w.n_in);
        double time = now() - start;
        best = time < best ? time : best;
    }
    return best;
}

static void run_case(const struct bench *bench, const struct pt_math *math, const struct pt_limits *limits,
                     bool forward, size_t m, size_t dtype, size_t shape)
{
    const struct pt_matrix w = {NULL, dtypes[dtype].dtype, shapes[shape].n_out, shapes[shape].n_in, false,
                                {0}};
    char name[NAME_BYTES];
    name_case(name, pt_math_name(math), forward, m, dtype, shape);
    if (!is_asked_for(bench, name))
        return;
    double elements = (double)w.n_out * (double)w.n_in, operations = 2 * elements * (double)m,
           bytes = elements * (double)pt_dtype_bytes(w.dtype);
    double time = best_time(bench, math, forward, m, w);
    double of_memory = limits->bandwidth * operations / bytes,
           limit = limits->product < of_memory ? limits->product : of_memory;
    printf("%s\t%s\t%.1f\t%.1f\t%.1f\t%.0f%%\n", name, pt_math_name(math), operations / time * 1e-9,
           bytes / time * 1e-9, limit * 1e-9, 100 * operations / time / limit);
    fflush(stdout);
}

/* Numbers below 1 in size with random bits, in any dtype. */
static void fill_weights(char *weights)
{
    uint32_t seed = 1;
    for (size_t i = 0; i < WEIGHT_BYTES; i += 4) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t word = (seed & 0x8fff8fffu) | 0x30003000u;
        memcpy(weights + i, &word, sizeof word);
    }
}

static int run_setting(const struct bench *bench, const char *setting, size_t dtype)
{
    struct pt_error err = {0};
    struct pt_math *math;
    if (!some_are_asked_for(bench, setting, dtype))
        return 0;
    if (pt_math_open(&math, setting, dtypes[dtype].dtype, &err)) {
        fprintf(stderr, "# %s\n", err.message);
        return err.status == PT_MISMATCH ? 0 : 1; /* another machine's path */
    }
    struct pt_limits limits;
    if (pt_limits_measure(&limits, math, dtypes[dtype].dtype, seconds_a_limit, &err)) {
        fprintf(stderr, "products: %s\n", err.message);
        return 1;
    }
    printf("# %s, %d threads: products %.1f GF/s, memory %.1f GB/s\n", pt_math_name(math), pt_threads(),
           limits.product * 1e-9, limits.bandwidth * 1e-9);
    for (size_t shape = 0; shape < N_OF(shapes); shape++)
        for (size_t m = 0; m < N_OF(rows); m++)
            for (int forward = 1; forward >= 0; forward--)
                run_case(bench, math, &limits, forward, rows[m], dtype, shape);
    pt_math_close(math);
    return 0;
}

int main(int argc, char **argv)
{
    struct pt_error err = {0};
    struct bench bench = {.n_parts = argc > 2 ? argc - 2 : 0, .parts = argv + 2};
    pt_threads_set(argc > 1 ? atoi(argv[1]) : 0);
    bench.weights = mmap(NULL, WEIGHT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench.x = pt_new_floats((size_t)MOST_ROWS * MOST_COLUMNS, &err);
    bench.y = pt_new_floats((size_t)MOST_ROWS * MOST_COLUMNS, &err);
    if (bench.weights == MAP_FAILED || !bench.x || !bench.y) {
        fprintf(stderr, "products: out of memory\n");
        return 1;
    }
    madvise(bench.weights, WEIGHT_BYTES, MADV_HUGEPAGE);
    fill_weights(bench.weights);
    for (size_t i = 0; i < (size_t)MOST_ROWS * MOST_COLUMNS; i++)
        bench.x[i] = (float)(i % 127) / 64.0f - 1.0f;
    printf("case\tpath\tGF/s\tGB/s\tlimit\tshare\n");
    for (size_t s = 0; s < N_OF(settings); s++)
        for (size_t d = 0; d < N_OF(dtypes); d++)
            if (run_setting(&bench, settings[s], d))
                return 1;
    return 0;
}
