/*
 * Updates of an engine on the demo model, with rows in front: what tests of its memory share.
 */
#ifndef PT_TESTS_UNIT_ENGINE_BENCH_H
#define PT_TESTS_UNIT_ENGINE_BENCH_H

#include "support.h"

#include "base/memory.h"
#include "fmt/stream.h"
#include "model/plan.h"

#include <stdlib.h>

#define DEMO_MODEL "examples/demo-model"

enum { FRONT = 8, EXAMPLES = 4, LENGTH = 128 };

static struct pt_error err;

/* An engine with rows in front that are trained, or without. */
struct bench {
    struct pt_model *model;
    struct pt_math *math;
    struct pt_engine *engine;
    struct pt_plugs plugs;
};

static inline void open_bench(struct bench *bench, const char *math, bool trained,
                              const struct pt_engine_options *options)
{
    *bench = (struct bench){0};
    err = (struct pt_error){0};
    assert_int_equal(pt_model_open(&bench->model, DEMO_MODEL, &err), 0);
    const size_t hidden = pt_model_config(bench->model)->hidden_size;
    float *values = pt_new_floats(FRONT * hidden, &err), *gradient = pt_new_floats(FRONT * hidden, &err);
    assert_true(values && gradient);
    if (trained)
        bench->plugs.rows = (struct pt_plug_rows){FRONT, values, gradient};
    assert_int_equal(pt_math_open(&bench->math, math, PT_F32, &err), 0);
    assert_int_equal(pt_engine_open(&bench->engine, bench->model, bench->math, &bench->plugs, options, &err),
                     0);
    if (!trained) {
        free(values);
        free(gradient);
    }
}

static inline void close_bench(struct bench *bench)
{
    free((void *)bench->plugs.rows.values);
    free(bench->plugs.rows.gradient);
    pt_engine_close(bench->engine);
    pt_math_close(bench->math);
    pt_model_close(bench->model);
}

static inline void make_sequences(struct pt_sequence sequences[EXAMPLES])
{
    static uint32_t words[LENGTH];
    for (uint32_t i = 0; i < LENGTH; i++)
        words[i] = (5 + i) | PT_COUNTED;
    for (size_t i = 0; i < EXAMPLES; i++)
        sequences[i] = (struct pt_sequence){words, LENGTH, 1.0 / (EXAMPLES * LENGTH)};
}

static inline void run_evaluation(struct bench *bench)
{
    struct pt_sequence sequences[EXAMPLES];
    struct pt_sequence_loss each[EXAMPLES];
    make_sequences(sequences);
    assert_int_equal(pt_engine_evaluate(bench->engine, sequences, EXAMPLES, each, &err), 0);
}

/* Returns the loss; gradients are added to. */
static inline double run_update(struct bench *bench)
{
    struct pt_sequence sequences[EXAMPLES];
    double loss;
    make_sequences(sequences);
    assert_int_equal(pt_engine_update(bench->engine, sequences, EXAMPLES, &loss, NULL, &err), 0);
    return loss;
}

#endif
