/*
 * Keeping the stream's bytes rather than its examples lets every evaluation go the way of pt-eval.
 */
#include "tune/held_out.h"

#include "base/memory.h"
#include "tune/evaluate.h"

#include <stdlib.h>

/* Reads the stream to its end, evaluating nothing. */
static int check_examples(const struct pt_tuned_model *model, struct pt_stream_reader *reader,
                          struct pt_error *err)
{
    struct pt_example example;
    uint64_t number = 0;
    for (bool end = false;;) {
        if (pt_stream_read_example(reader, &example, &end, err))
            return (int)err->status;
        if (end)
            break;
        if (pt_tuned_model_check_example(model, &example, ++number, err))
            return (int)err->status;
    }
    if (!pt_stream_reader_totals(reader).targets)
        return pt_fail(err, PT_BAD_INPUT, "no example has a token that counts in the loss");
    return PT_OK;
}

static int open_stream(const struct pt_held_out *held_out, struct pt_source **source,
                       struct pt_stream_reader **reader, struct pt_error *err)
{
    if (pt_source_open_memory(source, held_out->name, held_out->stream.data, held_out->stream.size, err))
        return (int)err->status;
    return pt_stream_reader_open(reader, *source, err);
}

static int load(struct pt_held_out *held_out, const char *path, struct pt_error *err)
{
    struct pt_source *source = NULL;
    held_out->name = pt_new_string(path, err);
    if (held_out->name && !pt_source_open(&source, path, err) &&
        !pt_source_read_all(source, UINT64_MAX, &held_out->stream, err)) {
        pt_source_close(source);
        return PT_OK;
    }
    pt_source_close(source);
    return (int)err->status;
}

int pt_held_out_read(struct pt_held_out *held_out, const char *path, const struct pt_tuned_model *model,
                     struct pt_error *err)
{
    struct pt_source *source = NULL;
    struct pt_stream_reader *reader = NULL;
    held_out->model = model;
    if (load(held_out, path, err) || open_stream(held_out, &source, &reader, err))
        goto out;
    if (pt_tuned_model_check_stream(model, pt_stream_reader_head(reader), path, err))
        goto out;
    if (check_examples(model, reader, err))
        pt_error_in(err, "%s", path);
out:
    pt_stream_reader_free(reader);
    pt_source_close(source);
    return (int)err->status;
}

void pt_held_out_free(struct pt_held_out *held_out)
{
    free(held_out->name);
    pt_buffer_free(&held_out->stream);
}

/* Who is asked whether to stop, and what they said. */
struct question {
    bool (*should_stop)(void *context);
    void *context;
    bool stopped;
};

/* The way out of an evaluation is a failure, which the caller takes back. */
static int ask(void *context, const struct pt_sequence *sequence, const struct pt_sequence_loss *loss,
               struct pt_error *err)
{
    struct question *question = context;
    (void)sequence;
    (void)loss;
    question->stopped = question->should_stop(question->context);
    return question->stopped ? pt_fail(err, PT_FAILED, "stopped") : PT_OK;
}

int pt_held_out_evaluate(const struct pt_held_out *held_out, bool (*should_stop)(void *context),
                         void *context, double *loss, uint64_t *targets, bool *complete, struct pt_error *err)
{
    struct pt_source *source = NULL;
    struct pt_stream_reader *reader = NULL;
    struct question question = {should_stop, context, false};
    struct pt_evaluation sums = {0};
    if (!open_stream(held_out, &source, &reader, err) &&
        !pt_evaluate_stream(held_out->model, reader, ask, &question, &sums, err)) {
        *loss = pt_evaluation_loss(&sums);
        *targets = sums.targets;
    }
    pt_stream_reader_free(reader);
    pt_source_close(source);
    *complete = !question.stopped;
    if (question.stopped)
        *err = (struct pt_error){0};
    return err->status ? pt_error_in(err, "%s", held_out->name) : PT_OK;
}
