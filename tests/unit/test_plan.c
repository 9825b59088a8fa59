/* What an engine says that it will take of memory, compared with what it takes. */
#include "engine_bench.h"

#include "base/threads.h"

#include <malloc.h>

static uint64_t allocated(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

enum { LARGE_PAGE = 2 << 20 /* of which packed weights take whole ones */ };

static void compare(bool trained, const struct pt_engine_options *options)
{
    struct bench bench;
    pt_threads_set(1);
    const uint64_t before = allocated();
    open_bench(&bench, "f32:portable", trained, options); /* packs on every machine */
    if (!allocated()) {
        close_bench(&bench);
        skip(); /* a sanitizer's allocator keeps no such books */
    }
    const struct pt_memory_plan plan = pt_engine_plan(bench.engine);
    if (options && options->forward_only)
        run_evaluation(&bench);
    else
        run_update(&bench);
    const double taken = (double)(allocated() - before);
    /* Beside the plan: the model's table of tensors and its configuration, the list of rows, the prompt. */
    assert_true((double)plan.total <= taken);
    assert_true(taken <= 1.02 * (double)plan.total + (256 << 10) + (plan.panels ? 2 * LARGE_PAGE : 0));
    assert_int_equal(plan.total, plan.kept + plan.scratch + plan.logits + plan.front + plan.vectors +
                                     plan.kernels + plan.panels);
    assert_int_equal(plan.kept > 0, trained && !(options && options->forward_only));
    assert_int_equal(plan.front > 0, trained);
    assert_int_equal(plan.panels > 0, options && options->pack);
    assert_int_equal(plan.recomputes, options && options->recompute);
    close_bench(&bench);
}

static void plan_of_training_is_what_is_allocated(void **state)
{
    (void)state;
    compare(true, NULL);
}

static void plan_of_packed_weights_is_what_is_allocated(void **state)
{
    (void)state;
    compare(true, &(struct pt_engine_options){.pack = true});
}

static void plan_of_layers_computed_again_is_what_is_allocated(void **state)
{
    (void)state;
    compare(true, &(struct pt_engine_options){.slice_rows = LENGTH, .recompute = true});
}

static void plan_of_evaluation_is_what_is_allocated(void **state)
{
    (void)state;
    compare(false, NULL);
    compare(true, &(struct pt_engine_options){.slice_rows = EXAMPLES * LENGTH, .forward_only = true});
}

static void less_memory_makes_smaller_slices(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, "f32", true, NULL);
    const struct pt_memory_plan usual = pt_engine_plan(bench.engine);
    close_bench(&bench);
    const struct pt_engine_options options = {.memory = usual.total / 2};
    open_bench(&bench, "f32", true, &options);
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
        cmocka_unit_test(plan_of_packed_weights_is_what_is_allocated),
        cmocka_unit_test(plan_of_layers_computed_again_is_what_is_allocated),
        cmocka_unit_test(plan_of_evaluation_is_what_is_allocated),
        cmocka_unit_test(less_memory_makes_smaller_slices),
        cmocka_unit_test(mapped_bytes_are_those_of_the_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
