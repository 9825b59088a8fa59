/*
 * The first input becomes the result, values and metadata: what only a later one knows is added, what they
 * disagree on (how they began, a template) is dropped, and their histories follow one another.
 */
#include "tune/merge.h"

#include "base/log.h"
#include "base/memory.h"
#include "tune/method.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* PT_MISMATCH where both know a value and the values differ. */
static int same(const struct pt_tuned *first, const struct pt_tuned *other, const char *key, const char *what,
                struct pt_error *err)
{
    const char *a = pt_tuned_metadata(first, key), *b = pt_tuned_metadata(other, key);
    if (!a || !b || !strcmp(a, b))
        return PT_OK;
    return pt_fail(err, PT_MISMATCH, "%s is for the %s %s, but %s for %s", first->name, what, a, other->name,
                   b);
}

/* Equal parameters: names, ranks, and shapes from dimension `from` on. */
static int same_shapes(const struct pt_tuned *first, const struct pt_tuned *other, unsigned from,
                       struct pt_error *err)
{
    char ours[PT_SHAPE_TEXT], theirs[PT_SHAPE_TEXT];
    if (first->parameters.n != other->parameters.n)
        return pt_fail(err, PT_MISMATCH, "%s has %zu tensors, but %s has %zu", first->name,
                       first->parameters.n, other->name, other->parameters.n);
    for (size_t i = 0; i < first->parameters.n; i++) {
        const struct pt_parameter *a = &first->parameters.list[i];
        const struct pt_parameter *b = pt_parameters_find(&other->parameters, a->name);
        if (!b)
            return pt_fail(err, PT_MISMATCH, "%s has a tensor '%s', but %s has none", first->name, a->name,
                           other->name);
        if (a->rank != b->rank ||
            memcmp(a->shape + from, b->shape + from, (a->rank - from) * sizeof *a->shape))
            return pt_fail(err, PT_MISMATCH, "%s: %s is %s, but in %s it is %s", first->name, a->name,
                           pt_shape_format(a->rank, a->shape, ours), other->name,
                           pt_shape_format(b->rank, b->shape, theirs));
    }
    return PT_OK;
}

static int check(struct pt_tuned *const *inputs, size_t n, unsigned from, struct pt_error *err)
{
    for (size_t i = 1; i < n; i++) {
        if (inputs[i]->method != inputs[0]->method)
            return pt_fail(err, PT_MISMATCH, "%s is of method %s, but %s of %s", inputs[0]->name,
                           inputs[0]->method->name, inputs[i]->name, inputs[i]->method->name);
        if (same_shapes(inputs[0], inputs[i], from, err))
            return (int)err->status;
        for (size_t j = 0; j < i; j++) /* any of them may not know */
            if (same(inputs[j], inputs[i], PT_KEY_BASE_FINGERPRINT, "model with fingerprint", err) ||
                same(inputs[j], inputs[i], PT_KEY_TOKENIZER_FINGERPRINT, "tokenizer with fingerprint", err))
                return (int)err->status;
    }
    return PT_OK;
}

static int merge_metadata(struct pt_tuned *first, const struct pt_tuned *other, struct pt_error *err)
{
    json_t *history;
    if (pt_tuned_history(other, &history, err))
        return (int)err->status;
    int status = pt_tuned_add_history(first, history, err);
    json_decref(history);
    if (status)
        return status;
    if (json_object_update_missing(first->metadata, other->metadata))
        return pt_fail(err, PT_FAILED, "out of memory");
    return PT_OK;
}

/* True where two inputs know their templates and these differ. */
static bool templates_differ(struct pt_tuned *const *inputs, size_t n)
{
    const char *known = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *template = pt_tuned_metadata(inputs[i], PT_KEY_TEMPLATE);
        if (known && template && strcmp(known, template))
            return true;
        known = known ? known : template;
    }
    return false;
}

static int merge_all_metadata(struct pt_tuned *const *inputs, size_t n, struct pt_error *err)
{
    bool drop_template = templates_differ(inputs, n);
    for (size_t i = 1; i < n; i++)
        if (merge_metadata(inputs[0], inputs[i], err))
            return (int)err->status;
    if (n > 1)
        json_object_del(inputs[0]->metadata, PT_KEY_INIT);
    if (drop_template) {
        pt_log(PT_LOG_WARNING, "the inputs have different templates: the result has none");
        json_object_del(inputs[0]->metadata, PT_KEY_TEMPLATE);
    }
    return PT_OK;
}

static int sum_parameter(struct pt_parameter *sum, struct pt_tuned *const *inputs, size_t n,
                         const double *weights, struct pt_error *err)
{
    const float **values = pt_new_array(n, sizeof *values, err);
    if (!values)
        return (int)err->status;
    for (size_t i = 0; i < n; i++)
        values[i] = pt_parameters_find(&inputs[i]->parameters, sum->name)->value;
    for (size_t j = 0; j < sum->n && !err->status; j++) {
        double total = 0;
        for (size_t i = 0; i < n; i++)
            total += weights ? weights[i] * (double)values[i][j] : (double)values[i][j];
        sum->value[j] = (float)(weights ? total : total / (double)n);
        if (!isfinite(sum->value[j]))
            pt_fail(err, PT_NUMERIC, "%s: element %zu of the sum is not finite", sum->name, j);
    }
    free(values);
    return (int)err->status;
}

int pt_merge_sum(struct pt_tuned *const *inputs, size_t n, const double *weights, struct pt_error *err)
{
    if (check(inputs, n, 0, err))
        return (int)err->status;
    for (size_t i = 0; i < inputs[0]->parameters.n; i++)
        if (sum_parameter(&inputs[0]->parameters.list[i], inputs, n, weights, err))
            return (int)err->status;
    return merge_all_metadata(inputs, n, err);
}

static int concat_parameter(struct pt_parameters *joined, const char *name, struct pt_tuned *const *inputs,
                            size_t n, struct pt_error *err)
{
    const struct pt_parameter *first = pt_parameters_find(&inputs[0]->parameters, name);
    uint64_t shape[PT_MAX_RANK];
    memcpy(shape, first->shape, sizeof shape);
    for (size_t i = 1; i < n; i++)
        shape[0] += pt_parameters_find(&inputs[i]->parameters, name)->shape[0];
    struct pt_parameter *all = pt_parameters_add(joined, name, first->rank, shape, first->decay, err);
    if (!all)
        return (int)err->status;
    float *to = all->value;
    for (size_t i = 0; i < n; i++) {
        const struct pt_parameter *part = pt_parameters_find(&inputs[i]->parameters, name);
        memcpy(to, part->value, part->n * sizeof *to);
        to += part->n;
    }
    return PT_OK;
}

int pt_merge_concat(struct pt_tuned *const *inputs, size_t n, struct pt_error *err)
{
    if (!inputs[0]->method->rows_are_tokens)
        return pt_fail(err, PT_MISMATCH, "%s: method %s has no virtual tokens to concatenate",
                       inputs[0]->name, inputs[0]->method->name);
    if (check(inputs, n, 1, err))
        return (int)err->status;
    struct pt_parameters joined = {0};
    for (size_t i = 0; i < inputs[0]->parameters.n; i++)
        if (concat_parameter(&joined, inputs[0]->parameters.list[i].name, inputs, n, err)) {
            pt_parameters_free(&joined);
            return (int)err->status;
        }
    pt_parameters_free(&inputs[0]->parameters);
    inputs[0]->parameters = joined;
    return merge_all_metadata(inputs, n, err);
}
