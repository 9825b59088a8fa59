/*
 * Sequences that grow through the cache give what the engine gives for the whole of them, and greedy decoding
 * gives transformers' ids.
 */
#include "reference.h"

#include "base/rng.h"
#include "model/cache.h"

#include <math.h>

enum { CAPACITY = 64 };

static uint32_t largest(const float *logits, size_t n)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

static struct pt_cache *open_cache(struct pt_engine *engine, size_t n_sequences)
{
    struct pt_error err = {0};
    struct pt_cache *cache;
    if (pt_cache_open(&cache, engine, n_sequences, CAPACITY, &err))
        fail_msg("%s", err.message);
    return cache;
}

static void append(struct pt_cache *cache, const struct pt_cache_input *inputs, size_t n, float *logits)
{
    struct pt_error err = {0};
    if (pt_cache_append(cache, inputs, n, logits, &err))
        fail_msg("%s", err.message);
}

static void append_one(struct pt_cache *cache, size_t sequence, const uint32_t *ids, size_t n, float *logits)
{
    append(cache, &(struct pt_cache_input){sequence, ids, n}, 1, logits);
}

/* The row of logits equals the expected one but for rounding. */
static void expect_same(const float *found, const float *expected, size_t vocab)
{
    double scale = 0;
    for (size_t i = 0; i < vocab; i++)
        scale = fmax(scale, fabs((double)expected[i]));
    for (size_t i = 0; i < vocab; i++)
        assert_true(fabs((double)found[i] - (double)expected[i]) < 5e-6 * scale);
}

/* Logits of all rows of an example by the engine alone; owned by the caller. */
static float *whole(struct pt_engine *engine, const struct reference *r, int example)
{
    struct pt_error err = {0};
    size_t n = r->sequences[example].n;
    float *logits = malloc(n * r->vocab * sizeof *logits);
    assert_int_equal(pt_engine_logits(engine, r->words[example], n, logits, &err), 0);
    return logits;
}

static void greedy_ids_equal_those_of_transformers(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct reference r;
        open_reference(&r, reference_folders[f], "f32");
        struct pt_plugs plugs = prompt_plugs(&r, NULL);
        struct pt_engine *engine = open_engine(&r, &plugs, 0);
        struct pt_cache *cache = open_cache(engine, 1);
        const struct pt_tensor *greedy = case_tensor(&r, "greedy", 0), *given = case_tensor(&r, "ids", 0);
        float *logits = malloc(r.vocab * sizeof *logits);
        append_one(cache, 0, r.words[0], given->n_elements, logits);
        for (size_t i = given->n_elements; i < greedy->n_elements; i++) {
            uint32_t id = largest(logits, r.vocab);
            assert_int_equal(id, int_at(greedy, i));
            append_one(cache, 0, &id, 1, logits);
        }
        free(logits);
        pt_cache_close(cache);
        pt_engine_close(engine);
        close_reference(&r);
    }
}

/* Four sequences, each cut in its own way, so that long and short inputs meet in one call. */
static void sequences_grow_together_as_they_would_alone(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct reference r;
        open_reference(&r, reference_folders[f], "f32");
        struct pt_plugs plugs = prompt_plugs(&r, NULL);
        struct pt_engine *engine = open_engine(&r, &plugs, 0);
        struct pt_cache *cache = open_cache(engine, N_EXAMPLES);
        float *expected[N_EXAMPLES], *logits = malloc(N_EXAMPLES * r.vocab * sizeof *logits);
        for (int e = 0; e < N_EXAMPLES; e++)
            expected[e] = whole(engine, &r, e);
        size_t lengths[N_EXAMPLES] = {0};
        for (size_t call = 0; call < MOST_ROWS; call++) {
            struct pt_cache_input inputs[N_EXAMPLES];
            size_t n = 0;
            for (size_t e = 0; e < N_EXAMPLES; e++) {
                size_t left = r.sequences[e].n - lengths[e], piece = 1 + (call + 3 * e) % 5;
                if (left && (call + e) % 3)
                    inputs[n++] =
                        (struct pt_cache_input){e, r.words[e] + lengths[e], piece < left ? piece : left};
            }
            append(cache, inputs, n, logits);
            for (size_t i = 0; i < n; i++) {
                size_t e = inputs[i].sequence;
                lengths[e] += inputs[i].n;
                expect_same(logits + i * r.vocab, expected[e] + (lengths[e] - 1) * r.vocab, r.vocab);
            }
        }
        for (size_t e = 0; e < N_EXAMPLES; e++) {
            assert_int_equal(lengths[e], r.sequences[e].n);
            free(expected[e]);
        }
        free(logits);
        pt_cache_close(cache);
        pt_engine_close(engine);
        close_reference(&r);
    }
}

static void copies_and_cleared_sequences_start_where_they_should(void **state)
{
    (void)state;
    struct reference r;
    open_reference(&r, "bloom", "f32");
    struct pt_engine *engine = open_engine(&r, NULL, 0);
    struct pt_cache *cache = open_cache(engine, 3);
    float *expected = whole(engine, &r, 1), *logits = malloc(r.vocab * sizeof *logits);
    size_t n = r.sequences[1].n;
    append_one(cache, 0, r.words[0], 7, logits);
    append_one(cache, 2, r.words[1], 10, logits);
    pt_cache_copy(cache, 2, 0);
    append_one(cache, 0, r.words[1] + 10, n - 10, logits);
    expect_same(logits, expected + (n - 1) * r.vocab, r.vocab);
    append_one(cache, 2, r.words[1] + 10, 1, logits);
    expect_same(logits, expected + 10 * r.vocab, r.vocab);
    pt_cache_clear(cache, 2);
    append_one(cache, 2, r.words[1], 3, logits);
    expect_same(logits, expected + 2 * r.vocab, r.vocab);
    free(expected);
    free(logits);
    pt_cache_close(cache);
    pt_engine_close(engine);
    close_reference(&r);
}

static void keys_and_deltas_of_a_method_are_seen_in_the_cache_too(void **state)
{
    (void)state;
    struct reference r;
    struct pt_rng rng;
    open_reference(&r, "bloom", "f32");
    pt_rng_seed(&rng, 3);
    float *random = malloc(6 * 256 * sizeof *random);
    pt_rng_normal(&rng, 6 * 256, random);
    struct pt_plug_keys keys = {1, 3, random, random + 300, NULL, NULL};
    struct pt_plug_delta delta = {2, PT_QKV_WEIGHT, 1, 0.01f, random + 600, random + 700, NULL, NULL};
    struct pt_plugs bare = prompt_plugs(&r, NULL), plugs = bare;
    plugs.keys = &keys, plugs.n_keys = 1, plugs.deltas = &delta, plugs.n_deltas = 1;
    struct pt_engine *engine = open_engine(&r, &plugs, 0), *plain = open_engine(&r, &bare, 0);
    struct pt_cache *cache = open_cache(engine, 1);
    float *expected = whole(engine, &r, 0), *without = whole(plain, &r, 0),
          *logits = malloc(r.vocab * sizeof *logits);
    for (size_t i = 0; i < r.sequences[0].n; i++) {
        append_one(cache, 0, r.words[0] + i, 1, logits);
        expect_same(logits, expected + i * r.vocab, r.vocab);
        assert_true(fabs((double)expected[i * r.vocab] - (double)without[i * r.vocab]) > 1e-3);
    }
    free(expected);
    free(without);
    free(logits);
    free(random);
    pt_cache_close(cache);
    pt_engine_close(engine);
    pt_engine_close(plain);
    close_reference(&r);
}

static void what_does_not_fit_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    struct reference r;
    open_reference(&r, "bloom", "f32");
    struct pt_engine *engine = open_engine(&r, NULL, 0);
    struct pt_cache *cache = open_cache(engine, 2);
    float *logits = malloc(2 * r.vocab * sizeof *logits);
    uint32_t ids[CAPACITY + 1] = {0}, bad = 1024;
    struct pt_cache_input twice[2] = {{1, ids, 1}, {1, ids, 1}}, none = {0, ids, 0}, unknown = {0, &bad, 1},
                          absent = {2, ids, 1}, too_long = {0, ids, CAPACITY + 1}, full = {0, ids, CAPACITY};
    struct pt_error err = {0};
    assert_int_equal(pt_cache_append(cache, twice, 2, logits, &err), PT_FAILED);
    err = (struct pt_error){0};
    assert_int_equal(pt_cache_append(cache, &none, 1, logits, &err), PT_FAILED);
    err = (struct pt_error){0};
    assert_int_equal(pt_cache_append(cache, &absent, 1, logits, &err), PT_FAILED);
    err = (struct pt_error){0};
    assert_int_equal(pt_cache_append(cache, &unknown, 1, logits, &err), PT_MISMATCH);
    err = (struct pt_error){0};
    assert_int_equal(pt_cache_append(cache, &too_long, 1, logits, &err), PT_MISMATCH);
    append(cache, &full, 1, logits);
    free(logits);
    pt_cache_close(cache);
    pt_engine_close(engine);
    close_reference(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_ids_equal_those_of_transformers),
        cmocka_unit_test(sequences_grow_together_as_they_would_alone),
        cmocka_unit_test(copies_and_cleared_sequences_start_where_they_should),
        cmocka_unit_test(keys_and_deltas_of_a_method_are_seen_in_the_cache_too),
        cmocka_unit_test(what_does_not_fit_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, use_one_thread, NULL);
}
