/*
 * One table says which metadata key holds which field of a position, for writing and reading.
 */
#include "tune/state.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "fmt/json.h"
#include "fmt/safetensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pt_state {
    struct pt_tensors set;
    struct pt_position position;
};

enum field_type { COUNT, REAL, FLAG };

static const struct {
    const char *key;
    size_t offset;
    enum field_type type;
} fields[] = {
#define FIELD(name) offsetof(struct pt_position, name)
    {"updates", FIELD(done.updates), COUNT},
    {"examples", FIELD(done.examples), COUNT},
    {"tokens", FIELD(done.tokens), COUNT},
    {"targets", FIELD(done.targets), COUNT},
    {"chain", FIELD(chain), COUNT},
    {"epoch", FIELD(epoch), REAL},
    {"loss_sum", FIELD(loss_sum), REAL},
    {"window_loss_sum", FIELD(window_loss_sum), REAL},
    {"window_updates", FIELD(window_updates), COUNT},
    {"evaluated", FIELD(evaluated), FLAG},
    {"eval_updates", FIELD(eval_updates), COUNT},
    {"eval_loss", FIELD(eval_loss), REAL},
#undef FIELD
};
enum { FIELDS = sizeof fields / sizeof *fields };

static int write_position(json_t *metadata, const struct pt_position *position, struct pt_error *err)
{
    for (size_t i = 0; i < FIELDS; i++) {
        const void *field = (const char *)position + fields[i].offset;
        char text[PT_NUMBER_TEXT];
        if (fields[i].type == REAL)
            pt_format_double(*(const double *)field, text);
        else
            snprintf(text, sizeof text, "%" PRIu64,
                     fields[i].type == FLAG ? *(const bool *)field : *(const uint64_t *)field);
        if (pt_json_set(metadata, fields[i].key, json_string(text), err))
            return (int)err->status;
    }
    return PT_OK;
}

static int read_position(const struct pt_tensors *set, struct pt_position *position, struct pt_error *err)
{
    for (size_t i = 0; i < FIELDS; i++) {
        const char *text = pt_tensors_metadata(set, fields[i].key);
        void *field = (char *)position + fields[i].offset;
        uint64_t count = 0;
        bool good = text && (fields[i].type == REAL
                                 ? pt_parse_double(text, -HUGE_VAL, HUGE_VAL, field)
                                 : pt_parse_u64(text, 0, fields[i].type == FLAG ? 1 : UINT64_MAX, &count));
        if (!good)
            return pt_fail(err, PT_BAD_INPUT, "%s: metadata '%s' is %s%s, not a number", set->name,
                           fields[i].key, text ? "" : "missing", text ? text : "");
        if (fields[i].type == COUNT)
            *(uint64_t *)field = count;
        else if (fields[i].type == FLAG)
            *(bool *)field = count;
    }
    return PT_OK;
}

static json_t *new_metadata(const struct pt_position *position, const json_t *identity, struct pt_error *err)
{
    json_t *metadata = json_object();
    if (!metadata) {
        pt_fail(err, PT_FAILED, "out of memory");
        return NULL;
    }
    int status = pt_json_set(metadata, PT_KEY_KIND, json_string(PT_STATE_KIND), err);
    if (!status)
        status = write_position(metadata, position, err);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)identity, key, value) {
        char *full = status ? NULL : pt_new_format(err, "run.%s", key);
        status = full ? pt_json_set(metadata, full, json_incref(value), err) : (int)err->status;
        free(full);
    }
    if (!status)
        return metadata;
    json_decref(metadata);
    return NULL;
}

static int add_tensors(struct pt_tensors *set, const struct pt_parameters *parameters,
                       const struct pt_optimizer *optimizer, struct pt_error *err)
{
    for (size_t i = 0; i < parameters->n; i++) {
        const struct pt_parameter *parameter = &parameters->list[i];
        if (pt_tensors_add(set, parameter->name, PT_F32, parameter->rank, parameter->shape, parameter->value,
                           err))
            return (int)err->status;
        for (size_t which = 0; which < pt_optimizer_n_moments(optimizer); which++) {
            char *name = pt_new_format(err, "%s.%s", parameter->name, pt_optimizer_moment_name(which));
            if (!name)
                return (int)err->status;
            int status = pt_tensors_add(set, name, PT_F32, parameter->rank, parameter->shape,
                                        pt_optimizer_moment(optimizer, i, which), err);
            free(name);
            if (status)
                return status;
        }
    }
    return PT_OK;
}

int pt_state_write(const char *path, const struct pt_position *position, const json_t *identity,
                   const struct pt_parameters *parameters, const struct pt_optimizer *optimizer,
                   struct pt_error *err)
{
    struct pt_tensors set = {0};
    struct pt_sink *sink = NULL;
    set.metadata = new_metadata(position, identity, err);
    if (!set.metadata || add_tensors(&set, parameters, optimizer, err))
        goto out;
    if (pt_sink_open(&sink, path, err) || pt_safetensors_write(sink, &set, true, err))
        goto out;
    struct pt_sink *complete = sink;
    sink = NULL;
    if (pt_sink_commit(complete, err))
        goto out;
out:
    pt_sink_discard(sink);
    pt_tensors_free(&set);
    return (int)err->status;
}

int pt_state_open(struct pt_state **state, const char *path, struct pt_error *err)
{
    struct pt_state *new = pt_new_array(1, sizeof *new, err);
    if (!new)
        return (int)err->status;
    if (pt_safetensors_open(&new->set, path, err))
        goto fail;
    const char *kind = pt_tensors_metadata(&new->set, PT_KEY_KIND);
    if (!kind || strcmp(kind, PT_STATE_KIND)) {
        pt_fail(err, PT_MISMATCH, "%s: not the state of a run, as pt-train --save writes it", path);
        goto fail;
    }
    if (read_position(&new->set, &new->position, err))
        goto fail;
    *state = new;
    return PT_OK;
fail:
    pt_state_close(new);
    return (int)err->status;
}

void pt_state_close(struct pt_state *state)
{
    if (!state)
        return;
    pt_tensors_free(&state->set);
    free(state);
}

const char *pt_state_name(const struct pt_state *state)
{
    return state->set.name;
}

const struct pt_position *pt_state_position(const struct pt_state *state)
{
    return &state->position;
}

const char *pt_state_identity(const struct pt_state *state, const char *key)
{
    char full[64];
    snprintf(full, sizeof full, "run.%s", key);
    return pt_tensors_metadata(&state->set, full);
}

int pt_state_check(const struct pt_state *state, const json_t *identity, bool ignore_mismatch,
                   struct pt_error *err)
{
    struct pt_buffer differences = {0};
    const char *key;
    json_t *value;
    int status = PT_OK;
    json_object_foreach((json_t *)identity, key, value) {
        const char *was = pt_state_identity(state, key), *is = json_string_value(value);
        if (!status && (!was || strcmp(was, is)))
            status = pt_buffer_append_format(&differences, err, "%s%s was %s and is %s",
                                             differences.size ? ", " : "", key, was ? was : "not known", is);
    }
    if (!status && differences.size && ignore_mismatch)
        pt_log(PT_LOG_WARNING, "%s: the state of another run (%s), used all the same", state->set.name,
               differences.data);
    else if (!status && differences.size)
        pt_fail(err, PT_MISMATCH, "%s: the state of another run: %s", state->set.name, differences.data);
    pt_buffer_free(&differences);
    return (int)err->status;
}

static int restore_values(const struct pt_tensors *set, const char *name,
                          const struct pt_parameter *parameter, float *values, struct pt_error *err)
{
    const struct pt_tensor *tensor = pt_tensors_find(set, name);
    if (!tensor)
        return pt_fail(err, PT_MISMATCH, "%s: tensor '%s' is missing", set->name, name);
    if (tensor->dtype != PT_F32 || tensor->rank != parameter->rank ||
        (tensor->rank && memcmp(tensor->shape, parameter->shape, tensor->rank * sizeof *tensor->shape)))
        return pt_fail(err, PT_MISMATCH, "%s: tensor '%s' has another dtype or shape than the parameter",
                       set->name, name);
    memcpy(values, tensor->data, parameter->n * sizeof *values);
    return PT_OK;
}

int pt_state_restore(const struct pt_state *state, struct pt_parameters *parameters,
                     struct pt_optimizer *optimizer, struct pt_error *err)
{
    for (size_t i = 0; i < parameters->n; i++) {
        const struct pt_parameter *parameter = &parameters->list[i];
        if (restore_values(&state->set, parameter->name, parameter, parameter->value, err))
            return (int)err->status;
        for (size_t which = 0; which < pt_optimizer_n_moments(optimizer); which++) {
            char *name = pt_new_format(err, "%s.%s", parameter->name, pt_optimizer_moment_name(which));
            if (!name)
                return (int)err->status;
            int status =
                restore_values(&state->set, name, parameter, pt_optimizer_moment(optimizer, i, which), err);
            free(name);
            if (status)
                return status;
        }
    }
    pt_optimizer_set_updates(optimizer, state->position.done.updates);
    return PT_OK;
}
