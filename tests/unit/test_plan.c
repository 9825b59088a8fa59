/* What an engine says that it will take of memory, compared with what it takes. */
#include "support.h"

#include "base/memory.h"
#include "base/threads.h"
#include "fmt/stream.h"
#include "model/plan.h"

#include <malloc.h>
#include <stdlib.h>

#define DEMO_MODEL "examples/demo-model"

enum { FRONT = 8, EXAMPLES = 4, LENGTH = 128 };

static struct pt_error err;

static uint64_t allocated(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* An engine with rows in front that are trained, or without. */
struct bench {
    struct pt_model *model;
    struct pt_math *math;
    struct pt_engine *engine;
    struct pt_plugs plugs;
};

static void open_bench(struct bench *bench, bool trained, const struct pt_engine_options *options)
{
    *bench = (struct bench){0};
    err = (struct pt_error){0};
    assert_int_equal(pt_model_open(&bench->model, DEMO_MODEL, &err), 0);
    const size_t hidden = pt_model_config(bench->model)->hidden_size;
    float *values = pt_new_floats(FRONT * hidden, &err), *gradient = pt_new_floats(FRONT * hidden, &err);
    assert_true(values && gradient);
    if (trained)
        bench->plugs.rows = (struct pt_plug_rows){FRONT, values, gradient};
    assert_int_equal(pt_math_open(&bench->math, "f32", PT_F32, &err), 0);
    assert_int_equal(pt_engine_open(&bench->engine, bench->model, bench->math, &bench->plugs, options, &err),
                     0);
    if (!trained) {
        free(values);
        free(gradient);
    }
}

static void close_bench(struct bench *bench)
{
    free((void *)bench->plugs.rows.values);
    free(bench->plugs.rows.gradient);
    pt_engine_close(bench->engine);
    pt_math_close(bench->math);
    pt_model_close(bench->model);
}

static void run_update(struct bench *bench)
{
    static uint32_t words[LENGTH];
    struct pt_sequence sequences[EXAMPLES];
    double loss;
    for (uint32_t i = 0; i < LENGTH; i++)
        words[i] = (5 + i) | PT_COUNTED;
    for (size_t i = 0; i < EXAMPLES; i++)
        sequences[i] = (struct pt_sequence){words, LENGTH, 1.0 / (EXAMPLES * LENGTH)};
    assert_int_equal(pt_engine_update(bench->engine, sequences, EXAMPLES, &loss, NULL, &err), 0);
}

static void compare(bool trained)
{
    struct bench bench;
    pt_threads_set(1);
    const uint64_t before = allocated();
    open_bench(&bench, trained, NULL);
    if (!allocated()) {
        close_bench(&bench);
        skip(); /* a sanitizer's allocator keeps no such books */
    }
    const struct pt_memory_plan plan = pt_engine_plan(bench.engine);
    run_update(&bench);
    const double taken = (double)(allocated() - before);
    /* Beside the plan: the model's table of tensors and its configuration, the list of rows, the prompt. */
    assert_true((double)plan.total <= taken);
    assert_true(taken <= 1.02 * (double)plan.total + (256 << 10));
    assert_int_equal(plan.total,
                     plan.kept + plan.scratch + plan.logits + plan.front + plan.vectors + plan.kernels);
    assert_int_equal(plan.kept > 0, trained);
    assert_int_equal(plan.front > 0, trained);
    close_bench(&bench);
}

static void plan_of_training_is_what_is_allocated(void **state)
{
    (void)state;
    compare(true);
}

static void plan_of_evaluation_is_what_is_allocated(void **state)
{
    (void)state;
    compare(false);
}

static void less_memory_makes_smaller_slices(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, true, NULL);
    const struct pt_memory_plan usual = pt_engine_plan(bench.engine);
    close_bench(&bench);
    const struct pt_engine_options options = {.memory = usual.total / 2};
    open_bench(&bench, true, &options);
    const struct pt_memory_plan half = pt_engine_plan(bench.engine);
    assert_true(half.n_rows < usual.n_rows);
    assert_true(half.total - half.kernels - half.vectors <= options.memory);
    assert_int_equal(half.mapped, usual.mapped);
    close_bench(&bench);
}

static void mapped_bytes_are_those_of_the_tensors(void **state)
{
    (void)state;
    struct pt_model *model;
    assert_int_equal(pt_model_open(&model, DEMO_MODEL, &err), 0);
    assert_int_equal(pt_model_bytes(model),
                     pt_model_parameters(model) * pt_dtype_bytes(pt_model_dtype(model)));
    pt_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_of_training_is_what_is_allocated),
        cmocka_unit_test(plan_of_evaluation_is_what_is_allocated),
        cmocka_unit_test(less_memory_makes_smaller_slices),
        cmocka_unit_test(mapped_bytes_are_those_of_the_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
