/*
 * The best of many repetitions, since whatever else runs on the machine only makes them slower. The product
 * is one whose weight stays in the caches. Memory is read in several patterns, as none is the fastest on
 * every CPU: one or more streams a thread, with and without prefetching.
 */
#include "math/limits.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/threads.h"
#include "math/product.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    ROWS = 768,
    FEWER_ROWS = 192, /* by turns: a short product may find a busy machine idle */
    OUTPUTS = 1024,
    INPUTS = 2048,
    WINDOW_BYTES = 32 << 20,
    WINDOWS = 8,
    BUFFER_BYTES = WINDOWS * WINDOW_BYTES, /* more than caches hold */
    MOST_STREAMS = 4,
    VECTOR_BYTES = 64,
    UNROLLED = 4,
};

typedef long long vector __attribute__((vector_size(VECTOR_BYTES)));

static void random_elements(void *to, enum pt_dtype dtype, size_t n, uint64_t seed)
{
    enum { CHUNK = 4096 };
    struct pt_rng rng;
    float values[CHUNK];
    pt_rng_seed(&rng, seed);
    for (size_t at = 0; at < n; at += CHUNK) {
        size_t some = n - at < CHUNK ? n - at : CHUNK;
        pt_rng_normal(&rng, some, values);
        for (size_t i = 0; i < some; i++)
            if (dtype == PT_F32)
                ((float *)to)[at + i] = values[i];
            else
                ((uint16_t *)to)[at + i] =
                    dtype == PT_F16 ? pt_f16_from_f32(values[i]) : pt_bf16_from_f32(values[i]);
    }
}

static double best_product(const struct pt_math *math, enum pt_dtype dtype, double seconds,
                           struct pt_error *err)
{
    float *x = pt_new_floats(ROWS * INPUTS, err), *w = pt_new_floats(OUTPUTS * INPUTS, err),
          *y = pt_new_floats(ROWS * OUTPUTS, err);
    double best = 0;
    if (!err->status) {
        random_elements(x, PT_F32, ROWS * INPUTS, 1);
        random_elements(w, dtype, OUTPUTS * INPUTS, 2);
        const struct pt_matrix matrix = {w, dtype, OUTPUTS, INPUTS, false, {0}};
        double start = pt_clock_seconds(), before, after = start;
        size_t rows = ROWS;
        do {
            before = after;
            pt_product_forward(math, rows, x, INPUTS, &matrix, NULL, y, OUTPUTS);
            after = pt_clock_seconds();
            double rate = 2.0 * (double)rows * OUTPUTS * INPUTS / (after - before);
            best = rate > best ? rate : best;
            rows = rows == ROWS ? FEWER_ROWS : ROWS;
        } while (after - start < seconds);
    }
    free(x);
    free(w);
    free(y);
    return best;
}

/* The streams of one thread, side by side; returns something that depends on every byte. */
static inline __attribute__((always_inline)) long long read_streams(const vector *data, size_t n_vectors,
                                                                    size_t n_streams, size_t ahead)
{
    vector sums[MOST_STREAMS] = {0};
    size_t each = n_vectors / n_streams;
    for (size_t i = 0; i < each; i += UNROLLED)
        for (size_t s = 0; s < n_streams; s++)
            for (size_t u = 0; u < UNROLLED; u++) {
                const vector *at = data + s * each + i + u;
                if (ahead)
                    __builtin_prefetch((const char *)at + ahead);
                sums[s] ^= *at;
            }
    for (size_t s = 1; s < n_streams; s++)
        sums[0] ^= sums[s];
    return sums[0][0];
}

static long long read_pattern(unsigned pattern, const vector *data, size_t n_vectors)
{
    enum { AHEAD = 1024 };
    switch (pattern) {
    case 0:
        return read_streams(data, n_vectors, 1, 0);
    case 1:
        return read_streams(data, n_vectors, 2, 0);
    case 2:
        return read_streams(data, n_vectors, 4, 0);
    case 3:
        return read_streams(data, n_vectors, 2, AHEAD);
    default:
        return read_streams(data, n_vectors, 4, AHEAD);
    }
}

enum { PATTERNS = 5 };

/* One window of the buffer, the next one each time, so that none is in a cache. */
static double read_window(unsigned number, const char *buffer)
{
    volatile long long seen = 0;
    const size_t n_threads = (size_t)pt_threads();
    const char *window = buffer + (size_t)(number % WINDOWS) * WINDOW_BYTES;
    const size_t piece = WINDOW_BYTES / n_threads / (MOST_STREAMS * UNROLLED * VECTOR_BYTES) *
                         (MOST_STREAMS * UNROLLED * VECTOR_BYTES);
    double start = pt_clock_seconds();
#pragma omp parallel for schedule(static, 1)
    for (size_t i = 0; i < n_threads; i++) {
        long long sum =
            read_pattern(number / WINDOWS % PATTERNS, (const vector *)(const void *)(window + i * piece),
                         piece / VECTOR_BYTES);
#pragma omp atomic
        seen ^= sum;
    }
    return (double)(piece * n_threads) / (pt_clock_seconds() - start);
}

/* 0 where memory is too short for a buffer that no cache holds. */
static double best_bandwidth(double seconds, struct pt_error *err)
{
    if (pt_memory_available() < 2 * (uint64_t)BUFFER_BYTES)
        return 0;
    char *buffer = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) {
        pt_fail_errno(err, "%d bytes of memory", BUFFER_BYTES);
        return 0;
    }
    (void)madvise(buffer, BUFFER_BYTES, MADV_HUGEPAGE); /* where there are none, smaller pages do */
    memset(buffer, 1, BUFFER_BYTES);
    double best = 0, start = pt_clock_seconds();
    for (unsigned number = 0; number < WINDOWS * PATTERNS || pt_clock_seconds() - start < seconds; number++) {
        double rate = read_window(number, buffer);
        best = rate > best ? rate : best;
    }
    munmap(buffer, BUFFER_BYTES);
    return best;
}

int pt_limits_measure(struct pt_limits *limits, const struct pt_math *math, enum pt_dtype weights,
                      double seconds, struct pt_error *err)
{
    limits->product = best_product(math, weights, seconds / 2, err);
    limits->bandwidth = err->status ? 0 : best_bandwidth(seconds / 2, err);
    return (int)err->status;
}
