/* Weights that are kept packed change nothing but the time. */
#include "engine_bench.h"

#include "base/threads.h"

#include <string.h>

/* A path that packs in both directions on every machine. */
static const char *const packing = "f32:portable";

/* Of an update: the loss and the gradient of the rows in front. */
struct outcome {
    double loss;
    float *gradient;
    size_t n_bytes;
};

static struct outcome outcome_of(struct bench *bench)
{
    struct outcome outcome = {.n_bytes = FRONT * pt_model_config(bench->model)->hidden_size * sizeof(float)};
    memset(bench->plugs.rows.gradient, 0, outcome.n_bytes);
    outcome.loss = run_update(bench);
    outcome.gradient = malloc(outcome.n_bytes);
    assert_non_null(outcome.gradient);
    memcpy(outcome.gradient, bench->plugs.rows.gradient, outcome.n_bytes);
    return outcome;
}

static void assert_same(struct outcome *expected, struct outcome *found)
{
    assert_memory_equal(&expected->loss, &found->loss, sizeof found->loss);
    assert_memory_equal(expected->gradient, found->gradient, found->n_bytes);
    free(found->gradient);
}

/* Panels of an engine with these options; what an update gives is compared with `expected`. */
static uint64_t check(const char *math, struct outcome *expected, struct pt_engine_options options)
{
    struct bench bench;
    open_bench(&bench, math, true, &options);
    const struct pt_memory_plan plan = pt_engine_plan(bench.engine);
    assert_true(!options.memory || plan.total <= options.memory);
    struct outcome found = outcome_of(&bench);
    assert_same(expected, &found);
    close_bench(&bench);
    return plan.panels;
}

static struct outcome without_panels(const char *math, uint64_t *total)
{
    struct bench bench;
    open_bench(&bench, math, true, NULL);
    *total = pt_engine_plan(bench.engine).total;
    struct outcome outcome = outcome_of(&bench);
    close_bench(&bench);
    return outcome;
}

static void same_bytes_with_all_some_or_none(void **state)
{
    (void)state;
    uint64_t total;
    struct outcome expected = without_panels(packing, &total);
    const uint64_t all = check(packing, &expected, (struct pt_engine_options){.pack = true}),
                   some = check(packing, &expected,
                                (struct pt_engine_options){.pack = true, .memory = total + all / 3}),
                   none = check(packing, &expected, (struct pt_engine_options){.memory = total + all});
    assert_true(all > some && some > 0 && none == 0);
    free(expected.gradient);
}

static void same_bytes_in_tiles(void **state)
{
    (void)state;
    uint64_t total;
    struct outcome expected = without_panels("bf16:emulated", &total);
    assert_true(check("bf16:emulated", &expected, (struct pt_engine_options){.pack = true}) > 0);
    free(expected.gradient);
}

/* Rows that take more memory than the panels and the products' room, which grows with the threads. */
static size_t long_rows(void)
{
    return 4000 + 64 * (size_t)pt_threads_available();
}

/* The loss of one long sequence, whose last tokens count, in slices that are too short for it; whether there
 * are panels after it. */
static double run_long(const struct pt_engine_options *options, bool *panels)
{
    enum { COUNTED = 8 };
    const size_t n = long_rows();
    uint32_t *words = pt_new_array(n, sizeof *words, &err);
    assert_non_null(words);
    const struct pt_sequence sequence = {words, n, 1.0 / COUNTED};
    struct pt_sequence_loss loss;
    struct bench bench;
    for (size_t i = 0; i < n; i++)
        words[i] = (uint32_t)(5 + i % 4000) | (i + COUNTED < n ? 0 : PT_COUNTED);
    open_bench(&bench, packing, true, options);
    assert_int_equal(pt_engine_plan(bench.engine).panels > 0, options->pack);
    assert_int_equal(pt_engine_evaluate(bench.engine, &sequence, 1, &loss, &err), 0);
    assert_int_equal(loss.targets, COUNTED);
    *panels = pt_engine_plan(bench.engine).panels > 0;
    close_bench(&bench);
    free(words);
    return loss.loss;
}

/* Sequences that are longer than a slice need the room: it is given back for them. */
static void give_way_to_longer_sequences(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, packing, true, &(struct pt_engine_options){.slice_rows = long_rows()});
    const struct pt_memory_plan whole = pt_engine_plan(bench.engine);
    close_bench(&bench);
    bool panels;
    const double expected = run_long(&(struct pt_engine_options){.slice_rows = 512}, &panels);
    for (int tight = 0; tight < 2; tight++) {
        const struct pt_engine_options options = {
            .pack = true,
            .memory = tight ? whole.total - whole.kernels - whole.vectors : whole.total * 10,
            .slice_rows = 512};
        const double loss = run_long(&options, &panels);
        assert_int_equal(panels, !tight);
        assert_memory_equal(&expected, &loss, sizeof loss);
    }
}

/* What stands in a matrix's place is read anew for each update. */
static void replaced_matrices_are_not_kept(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, packing, true, NULL);
    const struct pt_config *config = pt_model_config(bench.model);
    const size_t n = config->hidden_size * config->intermediate_size;
    float *value = pt_new_floats(n, &err);
    const struct pt_plug_tensor tensor = {1, PT_MLP_DOWN_WEIGHT, value, NULL};
    const struct pt_engine_options options = {.pack = true};
    double loss[2];
    bench.plugs.tensors = &tensor;
    bench.plugs.n_tensors = 1;
    for (int kept = 0; kept < 2; kept++) {
        pt_engine_close(bench.engine);
        memset(value, 0, n * sizeof *value);
        assert_int_equal(pt_engine_open(&bench.engine, bench.model, bench.math, &bench.plugs,
                                        kept ? &options : NULL, &err),
                         0);
        run_update(&bench);
        for (size_t i = 0; i < n; i++)
            value[i] = (float)(i % 7) * 0.01f;
        loss[kept] = run_update(&bench);
    }
    assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);
    free(value);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_with_all_some_or_none),
        cmocka_unit_test(same_bytes_in_tiles),
        cmocka_unit_test(give_way_to_longer_sequences),
        cmocka_unit_test(replaced_matrices_are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
