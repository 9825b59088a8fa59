/*
 * Opening goes from left to right through the layers, and whatever was opened before a failure is closed by
 * the caller.
 */
#include "tune/tuned_model.h"

#include "base/log.h"
#include "model/plan.h"
#include "text/tokenizer.h"

#include <inttypes.h>
#include <string.h>

int pt_tuned_model_open(struct pt_tuned_model *model, const struct pt_tuned_model_options *options,
                        struct pt_error *err)
{
    const struct pt_plugs *plugs = NULL;
    model->ignore_fingerprint = options->ignore_fingerprint;
    if (pt_model_open(&model->base, options->model, err))
        return (int)err->status;
    if (options->prompt &&
        (pt_tuned_open(&model->tuned, options->prompt, model->base, options->ignore_fingerprint, err) ||
         pt_tuned_forward(model->tuned, &plugs, err)))
        return (int)err->status;
    if (pt_math_open(&model->math, options->math, pt_model_dtype(model->base), err) ||
        pt_engine_open(&model->engine, model->base, model->math, plugs, &options->engine, err))
        return (int)err->status;
    pt_log(PT_LOG_VERBOSE, "arithmetic: %s; slices of %zu rows", pt_math_describe(model->math),
           pt_engine_slice_rows(model->engine));
    const struct pt_memory_plan plan = pt_engine_plan(model->engine);
    pt_memory_plan_log(&plan, options->engine.memory);
    return PT_OK;
}

void pt_tuned_model_close(struct pt_tuned_model *model)
{
    pt_engine_close(model->engine);
    pt_math_close(model->math);
    pt_tuned_free(model->tuned);
    pt_model_close(model->base);
    *model = (struct pt_tuned_model){0};
}

static int check_folder(const struct pt_model *base, const struct pt_stream_head *head,
                        const char *stream_name, struct pt_error *err)
{
    struct pt_fingerprint expected;
    const char *file;
    if (pt_tokenizer_find(pt_model_name(base), &file, &expected, err))
        return (int)err->status;
    const char *name = pt_model_name(base);
    return file ? pt_tokenizer_match(stream_name, head->tokenizer.text, name, expected.text, err) : PT_OK;
}

int pt_tuned_model_check_stream(const struct pt_tuned_model *model, const struct pt_stream_head *head,
                                const char *stream_name, struct pt_error *err)
{
    if (!head->tokenizer.text[0] || model->ignore_fingerprint)
        return PT_OK;
    if (check_folder(model->base, head, stream_name, err))
        return (int)err->status;
    if (!model->tuned)
        return PT_OK;
    return pt_tokenizer_match(pt_tuned_name(model->tuned),
                              pt_tuned_metadata(model->tuned, PT_KEY_TOKENIZER_FINGERPRINT), stream_name,
                              head->tokenizer.text, err);
}

int pt_tuned_model_check_example(const struct pt_tuned_model *model, const struct pt_example *example,
                                 uint64_t number, struct pt_error *err)
{
    uint64_t vocab_size = pt_model_config(model->base)->vocab_size;
    for (uint64_t i = 0; i < example->n_words; i++)
        if (PT_TOKEN_ID(example->words[i]) >= vocab_size)
            return pt_fail(err, PT_MISMATCH,
                           "example %" PRIu64 ": token %" PRIu32 " is not one of the %" PRIu64 " of %s",
                           number, PT_TOKEN_ID(example->words[i]), vocab_size, pt_model_name(model->base));
    const struct pt_sequence sequence = {.words = example->words, .n = (size_t)example->n_words};
    return pt_engine_check_length(model->engine, &sequence, err)
               ? pt_error_in(err, "example %" PRIu64, number)
               : PT_OK;
}

int pt_tuned_model_open_stream(const struct pt_tuned_model *model, const char *path,
                               struct pt_source **source, struct pt_stream_reader **stream,
                               struct pt_error *err)
{
    if (pt_source_open(source, path, err) || pt_stream_reader_open(stream, *source, err))
        return (int)err->status;
    return pt_tuned_model_check_stream(model, pt_stream_reader_head(*stream), pt_source_name(*source), err);
}
