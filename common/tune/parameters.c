/*
 * A plain growing list: methods have a handful of parameters, or a few hundred, and look them up by name only
 * when files are read.
 */
#include "tune/parameters.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static int fill(struct pt_parameter *parameter, const char *name, unsigned rank, const uint64_t *shape,
                struct pt_error *err)
{
    uint64_t n = 1;
    for (unsigned i = 0; i < rank; i++)
        if (!pt_multiply(n, shape[i], &n))
            return pt_fail(err, PT_MISMATCH, "%s: the shape has too many elements", name);
    if (n > SIZE_MAX / sizeof(float))
        return pt_fail(err, PT_MISMATCH, "%s: the shape has too many elements", name);
    parameter->rank = rank;
    memcpy(parameter->shape, shape, rank * sizeof *shape);
    parameter->n = (size_t)n;
    parameter->name = pt_new_string(name, err);
    parameter->value = parameter->name ? pt_new_floats(parameter->n, err) : NULL;
    parameter->gradient = parameter->value ? pt_new_floats(parameter->n, err) : NULL;
    return parameter->gradient ? PT_OK : (int)err->status;
}

static void release(struct pt_parameter *parameter)
{
    free(parameter->name);
    free(parameter->value);
    free(parameter->gradient);
}

struct pt_parameter *pt_parameters_add(struct pt_parameters *parameters, const char *name, unsigned rank,
                                       const uint64_t *shape, bool decay, struct pt_error *err)
{
    if (rank > PT_MAX_RANK) {
        pt_fail(err, PT_MISMATCH, "%s: rank %u is above %d", name, rank, PT_MAX_RANK);
        return NULL;
    }
    struct pt_parameter added = {.decay = decay};
    size_t capacity = parameters->n;
    if (fill(&added, name, rank, shape, err) ||
        pt_reserve(&parameters->list, &capacity, parameters->n + 1, sizeof *parameters->list, err)) {
        release(&added);
        return NULL;
    }
    parameters->list[parameters->n] = added;
    return &parameters->list[parameters->n++];
}

struct pt_parameter *pt_parameters_find(const struct pt_parameters *parameters, const char *name)
{
    for (size_t i = 0; i < parameters->n; i++)
        if (!strcmp(parameters->list[i].name, name))
            return &parameters->list[i];
    return NULL;
}

void pt_parameters_zero_gradients(struct pt_parameters *parameters)
{
    for (size_t i = 0; i < parameters->n; i++)
        memset(parameters->list[i].gradient, 0, parameters->list[i].n * sizeof(float));
}

size_t pt_parameters_count(const struct pt_parameters *parameters)
{
    size_t n = 0;
    for (size_t i = 0; i < parameters->n; i++)
        n += parameters->list[i].n;
    return n;
}

void pt_parameters_free(struct pt_parameters *parameters)
{
    for (size_t i = 0; i < parameters->n; i++)
        release(&parameters->list[i]);
    free(parameters->list);
    *parameters = (struct pt_parameters){0};
}
