/*
 * The reference models and their numbers, for the tests of the engine.
 */
#ifndef PT_TESTS_UNIT_REFERENCE_H
#define PT_TESTS_UNIT_REFERENCE_H

#include "reference_folders.h"
#include "support.h"

#include "fmt/safetensors.h"
#include "fmt/stream.h"
#include "model/engine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_EXAMPLES = 4, N_VIRTUAL = 5, MOST_ROWS = 64 };

/* What one folder of reference numbers says, and the words of its examples. */
struct reference {
    struct pt_tensors cases;
    struct pt_model *model;
    struct pt_math *math;
    uint32_t words[N_EXAMPLES][MOST_ROWS];
    struct pt_sequence sequences[N_EXAMPLES];
    size_t hidden, vocab, n_targets;
};

static inline const struct pt_tensor *case_tensor(const struct reference *r, const char *name, int i)
{
    char full[64];
    snprintf(full, sizeof full, i < 0 ? "%s" : "%s.%d", name, i);
    const struct pt_tensor *tensor = pt_tensors_find(&r->cases, full);
    assert_non_null(tensor);
    return tensor;
}

static inline int32_t int_at(const struct pt_tensor *tensor, size_t i)
{
    int32_t value;
    memcpy(&value, (const char *)tensor->data + i * sizeof value, sizeof value);
    return value;
}

static inline void open_reference(struct reference *r, const char *folder, const char *math)
{
    struct pt_error err = {0};
    char path[128];
    *r = (struct reference){0};
    snprintf(path, sizeof path, "tests/data/reference/%s/cases.safetensors", folder);
    assert_int_equal(pt_safetensors_open(&r->cases, path, &err), 0);
    snprintf(path, sizeof path, "tests/data/reference/%s/model", folder);
    assert_int_equal(pt_model_open(&r->model, path, &err), 0);
    assert_int_equal(pt_math_open(&r->math, math, pt_model_dtype(r->model), &err), 0);
    r->hidden = pt_model_config(r->model)->hidden_size;
    r->vocab = pt_model_config(r->model)->vocab_size;
    for (int e = 0; e < N_EXAMPLES; e++) {
        const struct pt_tensor *ids = case_tensor(r, "ids", e), *labels = case_tensor(r, "labels", e);
        r->sequences[e] = (struct pt_sequence){.words = r->words[e], .n = ids->n_elements};
        for (size_t i = 0; i < ids->n_elements; i++) {
            bool counted = int_at(labels, i) >= 0;
            r->words[e][i] = (uint32_t)int_at(ids, i) | (counted ? PT_COUNTED : 0);
            r->n_targets += counted;
        }
    }
    for (int e = 0; e < N_EXAMPLES; e++)
        r->sequences[e].weight = 1.0 / (double)r->n_targets;
}

static inline void close_reference(struct reference *r)
{
    pt_tensors_free(&r->cases);
    pt_math_close(r->math);
    pt_model_close(r->model);
}

static inline struct pt_engine *open_engine(const struct reference *r, const struct pt_plugs *plugs,
                                            size_t slice_rows)
{
    struct pt_error err = {0};
    struct pt_engine *engine;
    struct pt_engine_options options = {.slice_rows = slice_rows};
    if (pt_engine_open(&engine, r->model, r->math, plugs, &options, &err))
        fail_msg("%s", err.message);
    return engine;
}

static inline struct pt_plugs prompt_plugs(const struct reference *r, float *gradient)
{
    return (struct pt_plugs){.rows = {N_VIRTUAL, case_tensor(r, "prompt", -1)->data, gradient}};
}

/* The largest deviation over the largest value that is expected. */
static inline double deviation(const float *found, const void *expected, enum pt_dtype dtype, size_t n)
{
    double worst = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double value;
        if (dtype == PT_F64)
            value = ((const double *)expected)[i];
        else
            value = (double)((const float *)expected)[i];
        largest = fmax(largest, fabs(value));
        worst = fmax(worst, fabs((double)found[i] - value));
        if (isnan(found[i]))
            return INFINITY;
    }
    return worst / largest;
}

#endif
