/*
 * Settings carry the names of their options, so that one list serves the comparison of runs and the history.
 * The prompt is known by the bytes that it would be written as, the stream by the checksum of its head.
 */
#include "tune/run_identity.h"

#include "base/memory.h"
#include "base/number.h"
#include "fmt/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char KEY_MATH[] = "math", KEY_SLICE_ROWS[] = "slice rows", KEY_ACTIVATIONS[] = "activations",
                  KEPT[] = "kept", RECOMPUTED[] = "recomputed";

static int set(json_t *identity, const char *key, const char *value, struct pt_error *err)
{
    if (json_object_set_new(identity, key, json_string(value)))
        return pt_fail(err, PT_FAILED, "out of memory");
    return PT_OK;
}

static int set_count(json_t *identity, const char *key, uint64_t value, struct pt_error *err)
{
    char text[PT_NUMBER_TEXT];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return set(identity, key, text, err);
}

static int set_real(json_t *identity, const char *key, double value, struct pt_error *err)
{
    char text[PT_NUMBER_TEXT];
    return set(identity, key, pt_format_double(value, text), err);
}

static int set_prompt(json_t *identity, const struct pt_tuned *tuned, struct pt_error *err)
{
    struct pt_sink *sink;
    if (pt_sink_open_memory(&sink, err))
        return (int)err->status;
    if (!pt_tuned_write(tuned, sink, err)) {
        size_t n;
        const void *bytes = pt_sink_memory(sink, &n);
        (void)!set(identity, "prompt", pt_fingerprint_of(bytes, n).text, err);
    }
    pt_sink_discard(sink);
    return (int)err->status;
}

static int set_inputs(json_t *identity, const struct pt_training *training, struct pt_error *err)
{
    char head[PT_NUMBER_TEXT];
    snprintf(head, sizeof head, "%016" PRIx64, pt_stream_reader_chain(training->stream));
    if (set(identity, "model", pt_model_fingerprint(training->model->base).text, err) ||
        set_prompt(identity, training->model->tuned, err))
        return (int)err->status;
    return set(identity, "stream", head, err);
}

static int set_arithmetic(json_t *identity, const struct pt_tuned_model *model, struct pt_error *err)
{
    if (set(identity, KEY_MATH, pt_math_name(model->math), err) ||
        set(identity, "kernels", pt_math_describe(model->math), err) ||
        set(identity, KEY_ACTIVATIONS, pt_engine_recomputes(model->engine) ? RECOMPUTED : KEPT, err))
        return (int)err->status;
    return set_count(identity, KEY_SLICE_ROWS, pt_engine_slice_rows(model->engine), err);
}

static int set_settings(json_t *object, const struct pt_training_settings *settings, struct pt_error *err)
{
    if (set_real(object, "learning-rate", settings->schedule.learning_rate, err) ||
        set(object, "schedule", pt_schedule_names[settings->schedule.kind], err) ||
        set_count(object, "warmup-steps", settings->schedule.n_warmup, err) ||
        set(object, "optimizer", pt_optimizer_names[settings->optimizer.kind], err) ||
        set_real(object, "weight-decay", settings->optimizer.weight_decay, err) ||
        set_real(object, "max-grad-norm", settings->max_grad_norm, err))
        return (int)err->status;
    return set(object, "loss", pt_loss_rule_names[settings->loss_rule], err);
}

static json_t *new_object(struct pt_error *err)
{
    json_t *object = json_object();
    if (!object)
        pt_fail(err, PT_FAILED, "out of memory");
    return object;
}

json_t *pt_run_identity(const struct pt_training *training, struct pt_error *err)
{
    json_t *identity = new_object(err);
    if (identity && !set_inputs(identity, training, err) && !set_arithmetic(identity, training->model, err) &&
        !set_settings(identity, &training->settings, err))
        return identity;
    json_decref(identity);
    return NULL;
}

int pt_run_follow(const struct pt_state *state, struct pt_tuned_model_options *options, struct pt_error *err)
{
    const char *math = pt_state_identity(state, KEY_MATH), *rows = pt_state_identity(state, KEY_SLICE_ROWS),
               *activations = pt_state_identity(state, KEY_ACTIVATIONS);
    uint64_t slice_rows;
    if (!math || !pt_math_is_setting(math))
        return pt_fail(err, PT_BAD_INPUT, "%s: arithmetic '%s' of no known mode and path",
                       pt_state_name(state), math ? math : "");
    if (!rows || !pt_parse_u64(rows, 1, PT_MOST_SLICE_ROWS, &slice_rows))
        return pt_fail(err, PT_BAD_INPUT, "%s: slices of '%s' rows, not of 1 to %d", pt_state_name(state),
                       rows ? rows : "", PT_MOST_SLICE_ROWS);
    if (!activations || (strcmp(activations, KEPT) != 0 && strcmp(activations, RECOMPUTED) != 0))
        return pt_fail(err, PT_BAD_INPUT, "%s: activations '%s', neither %s nor %s", pt_state_name(state),
                       activations ? activations : "", KEPT, RECOMPUTED);
    if (!strcmp(options->math, "auto"))
        options->math = math;
    options->engine.slice_rows = (size_t)slice_rows;
    options->engine.recompute = !strcmp(activations, RECOMPUTED);
    return PT_OK;
}

/* The settings as a command line, as an entry of a history. */
static int add_entry(json_t **history, const json_t *settings, struct pt_error *err)
{
    const char *key;
    json_t *value, *words = json_array();
    json_object_foreach((json_t *)(uintptr_t)settings, key, value) {
        char *option = pt_new_format(err, "--%s", key);
        if (option && !pt_history_add_word(words, option, err))
            (void)!pt_history_add_word(words, json_string_value(value), err);
        free(option);
    }
    if (!err->status)
        (void)!pt_history_add(history, "pt-train", words, err);
    json_decref(words);
    return (int)err->status;
}

int pt_run_record(const struct pt_training *training, const struct pt_position *position,
                  struct pt_error *err)
{
    const struct pt_stream_head *head = pt_stream_reader_head(training->stream);
    struct pt_tuned *tuned = training->model->tuned;
    json_t *history = NULL, *settings = new_object(err);
    if (settings && !set_settings(settings, &training->settings, err) &&
        (position->done.updates == head->n_updates ||
         !set_count(settings, "max-steps", position->done.updates, err)) &&
        !add_entry(&history, settings, err) && !pt_tuned_take_stream(tuned, head, err))
        (void)!pt_tuned_add_history(tuned, history, err);
    json_decref(history);
    json_decref(settings);
    return (int)err->status;
}
