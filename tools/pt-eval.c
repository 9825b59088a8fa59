/*
 * pt-eval: examples to the loss on them.
 */
#include "cli/progress.h"
#include "cli/tool.h"
#include "fmt/json.h"
#include "tune/evaluate.h"
#include "tune/evaluate_logits.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    OPTION_JSON = PT_OPTION_KEYS,
    OPTION_PER_EXAMPLE,
    OPTION_LOGITS,
};

struct settings {
    const char *model, *prompt, *logits;
    bool json, per_example;
};

static const struct argp_option option_table[] = {
    {"model", 'm', "MODEL", 0, "Folder of the model (required)", 0},
    {"prompt", 'p', "PROMPT", 0, "Tuned prompt: a tensor file or a PEFT adapter", 0},
    {"json", OPTION_JSON, NULL, 0, "Write a JSON object", 0},
    {"per-example", OPTION_PER_EXAMPLE, NULL, 0, "Write a JSON line for each example", 0},
    {"logits", OPTION_LOGITS, "FILE", 0, "Write the logits of each example as safetensors", 0},
    {0},
};

static int set(void *context, int key, const char *argument, struct pt_error *err)
{
    struct settings *settings = context;
    (void)err;
    switch (key) {
    case 'm':
        settings->model = argument;
        break;
    case 'p':
        settings->prompt = argument;
        break;
    case OPTION_JSON:
        settings->json = true;
        break;
    case OPTION_PER_EXAMPLE:
        settings->per_example = true;
        break;
    case OPTION_LOGITS:
        settings->logits = argument;
        break;
    }
    return PT_OK;
}

/* Everything that a run opens, in the order of opening. */
struct run {
    const struct settings *settings;
    const struct pt_common *common;
    const char *stream_path;
    struct pt_sink *sink, *logits_sink;
    struct pt_tuned_model model;
    struct pt_source *source;
    struct pt_stream_reader *reader;
    struct pt_logits_file *logits;
    struct pt_evaluation sums;
    struct pt_progress progress;
};

static void close_run(struct run *run)
{
    pt_logits_close(run->logits);
    pt_stream_reader_free(run->reader);
    pt_source_close(run->source);
    pt_tuned_model_close(&run->model);
    pt_sink_discard(run->logits_sink);
    pt_sink_discard(run->sink);
}

static int open_outputs(struct run *run, struct pt_error *err)
{
    const char *logits = run->settings->logits;
    const char *const inputs[] = {run->stream_path, run->settings->prompt, run->settings->model};
    const struct pt_output_name outputs[] = {{run->common->output, NULL}, {logits, NULL}};
    if (logits && !*logits)
        return pt_fail(err, PT_USAGE, "--logits: the name is empty");
    if (logits && !strcmp(logits, "-"))
        return pt_fail(err, PT_USAGE, "--logits needs a file: standard output is for the losses");
    if (pt_check_outputs(outputs, 2, inputs, sizeof inputs / sizeof *inputs, err) ||
        pt_sink_open(&run->sink, run->common->output, err))
        return (int)err->status;
    return logits && (pt_sink_open(&run->logits_sink, logits, err) || pt_logits_open(&run->logits, err))
               ? (int)err->status
               : PT_OK;
}

static int open_inputs(struct run *run, struct pt_error *err)
{
    const struct pt_common *common = run->common;
    const char *path = run->stream_path;
    const struct pt_tuned_model_options options = {
        .model = run->settings->model,
        .prompt = run->settings->prompt,
        .math = common->math,
        .engine = {.memory = common->memory, .forward_only = true},
        .ignore_fingerprint = common->ignore_fingerprint,
    };
    if (pt_check_binary_input(path, err) || pt_tuned_model_open(&run->model, &options, err))
        return (int)err->status;
    return pt_tuned_model_open_stream(&run->model, path, &run->source, &run->reader, err);
}

/* A JSON value as a line of the output; the value is released. */
static int write_json(struct run *run, json_t *value, struct pt_error *err)
{
    struct pt_buffer line = {0};
    if (!value)
        pt_fail(err, PT_FAILED, "out of memory");
    else if (!pt_json_append(&line, value, 0, err) && !pt_buffer_append(&line, "\n", 1, err))
        (void)!pt_sink_write(run->sink, line.data, line.size, err);
    pt_buffer_free(&line);
    json_decref(value);
    return (int)err->status;
}

static int take_example(void *context, const struct pt_sequence *sequence,
                        const struct pt_sequence_loss *loss, struct pt_error *err)
{
    struct run *run = context;
    if (run->logits && pt_logits_add(run->logits, &run->model, sequence->words, sequence->n, err))
        return (int)err->status;
    pt_progress_field(&run->progress, "examples", "%" PRIu64, run->sums.examples);
    if (run->sums.targets)
        pt_progress_field(&run->progress, "loss", "%.4f", pt_evaluation_loss(&run->sums));
    pt_progress_show(&run->progress, false);
    if (!run->settings->per_example)
        return PT_OK;
    json_t *mean = loss->targets ? json_real(loss->loss / (double)loss->targets) : json_null();
    return write_json(run, json_pack("{s:o, s:I}", "loss", mean, "targets", (json_int_t)loss->targets), err);
}

static int write_text(struct run *run, double loss, double accuracy, struct pt_error *err)
{
    struct pt_buffer text = {0};
    if (!pt_buffer_append_format(&text, err,
                                 "loss        %.6f\nperplexity  %.6g\naccuracy    %.6f\n"
                                 "targets     %" PRIu64 "\nexamples    %" PRIu64 "\n",
                                 loss, exp(loss), accuracy, run->sums.targets, run->sums.examples))
        (void)!pt_sink_write(run->sink, text.data, text.size, err);
    pt_buffer_free(&text);
    return (int)err->status;
}

static int write_result(struct run *run, struct pt_error *err)
{
    if (!run->sums.targets)
        return pt_fail(err, PT_BAD_INPUT, "%s: no token counts in the loss of %" PRIu64 " examples",
                       pt_source_name(run->source), run->sums.examples);
    double loss = pt_evaluation_loss(&run->sums), accuracy = pt_evaluation_accuracy(&run->sums);
    if (run->settings->json)
        return write_json(run,
                          json_pack("{s:f, s:o, s:f, s:I, s:I}", "loss", loss, "perplexity",
                                    isfinite(exp(loss)) ? json_real(exp(loss)) : json_null(), "accuracy",
                                    accuracy, "targets", (json_int_t)run->sums.targets, "examples",
                                    (json_int_t)run->sums.examples),
                          err);
    return run->settings->per_example ? PT_OK : write_text(run, loss, accuracy, err);
}

static int commit(struct run *run, struct pt_error *err)
{
    struct pt_sink *logits = run->logits_sink, *sink = run->sink;
    if (logits && pt_logits_write(run->logits, logits, err))
        return (int)err->status;
    run->logits_sink = NULL;
    if (logits && pt_sink_commit(logits, err))
        return (int)err->status;
    run->sink = NULL;
    return pt_sink_commit(sink, err);
}

static int do_run(struct run *run, struct pt_error *err)
{
    if (open_outputs(run, err) || open_inputs(run, err))
        return (int)err->status;
    pt_progress_start(&run->progress, run->common);
    int status = pt_evaluate_stream(&run->model, run->reader, take_example, run, &run->sums, err);
    pt_progress_finish();
    return status || write_result(run, err) ? (int)err->status : commit(run, err);
}

static int run(void *context, const struct pt_common *common, struct pt_error *err)
{
    struct run run = {
        .settings = context,
        .common = common,
        .stream_path = common->n_arguments ? common->arguments[0] : "-",
    };
    if (!run.settings->model)
        return pt_fail(err, PT_USAGE, "no model: -m MODEL is needed");
    int status = do_run(&run, err);
    close_run(&run);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    const struct pt_tool tool = {
        .name = "pt-eval",
        .synopsis = "[FILE]",
        .most_arguments = 1,
        .summary =
            "Measure a model, with or without a tuned prompt, on a token stream of examples or updates.\v"
            "Examples:\n"
            "  pt-tokenize -m MODEL test.json | pt-eval -m MODEL -p prompt.safetensors\n"
            "  pt-eval -m MODEL -p prompt.safetensors --per-example test.stream | jq -s 'max_by(.loss)'",
        .uses = PT_USES_THREADS | PT_USES_MATH | PT_USES_MEMORY | PT_USES_FINGERPRINT,
        .options = option_table,
        .settings = &settings,
        .set = set,
        .run = run,
    };
    return pt_tool_main(&tool, argc, argv);
}
