/*
 * pt-merge: prompts become one, or a PEFT adapter.
 */
#include "base/memory.h"
#include "cli/tool.h"
#include "tune/merge.h"
#include "tune/peft_writer.h"

#include <stdlib.h>
#include <string.h>

enum {
    OPTION_TO = PT_OPTION_KEYS,
    OPTION_WEIGHT,
    OPTION_CONCAT,
    OPTION_BASE_NAME,
};

struct settings {
    const char *model, *base_name;
    bool to_peft, concat;
    double *weights; /* [n_weights], owned */
    size_t n_weights, capacity;
};

static const struct argp_option option_table[] = {
    {"to", OPTION_TO, "KIND", 0, "Write a tensor file (tensor, default) or a PEFT adapter (peft)", 0},
    {"weight", OPTION_WEIGHT, "W[,W...]", 0, "Weight of each input in a sum (repeatable; default: the mean)",
     0},
    {"concat", OPTION_CONCAT, NULL, 0, "Join the virtual tokens of all inputs in their order", 0},
    {"model", 'm', "MODEL", PT_OPTION_PATH, "Folder of the model that the inputs must fit", 0},
    {"base-name", OPTION_BASE_NAME, "NAME", 0, "What adapter_config.json calls the base model", 0},
    {0},
};

static int set_kind(struct settings *settings, const char *kind, struct pt_error *err)
{
    settings->to_peft = !strcmp(kind, "peft");
    if (settings->to_peft || !strcmp(kind, "tensor"))
        return PT_OK;
    if (!strcmp(kind, "model"))
        return pt_fail(err, PT_MISMATCH, "--to model is not supported");
    return pt_fail(err, PT_USAGE, "--to: '%s' is neither tensor nor peft", kind);
}

/* "0.25,0.75", or one of several options. */
static int add_weights(struct settings *settings, const char *list, struct pt_error *err)
{
    char *copy = pt_new_string(list, err), *rest = copy;
    while (rest && !err->status) {
        const char *word = strsep(&rest, ",");
        if (!pt_reserve(&settings->weights, &settings->capacity, settings->n_weights + 1,
                        sizeof *settings->weights, err) &&
            !pt_option_double("--weight", word, -1e300, 1e300, &settings->weights[settings->n_weights], err))
            settings->n_weights++;
    }
    free(copy);
    return (int)err->status;
}

static int set(void *context, int key, const char *argument, struct pt_error *err)
{
    struct settings *settings = context;
    switch (key) {
    case OPTION_TO:
        return set_kind(settings, argument, err);
    case OPTION_WEIGHT:
        return add_weights(settings, argument, err);
    case OPTION_CONCAT:
        settings->concat = true;
        return PT_OK;
    case 'm':
        settings->model = argument;
        return PT_OK;
    case OPTION_BASE_NAME:
        settings->base_name = argument;
        return PT_OK;
    }
    return PT_OK;
}

static int check_usage(const struct settings *settings, const struct pt_common *common, struct pt_error *err)
{
    if (settings->n_weights && settings->concat)
        return pt_fail(err, PT_USAGE, "--weight and --concat exclude each other");
    if (settings->n_weights && settings->n_weights != common->n_arguments)
        return pt_fail(err, PT_USAGE, "--weight: %zu weights for %zu inputs", settings->n_weights,
                       common->n_arguments);
    if (settings->base_name && !settings->to_peft)
        return pt_fail(err, PT_USAGE, "--base-name is for --to peft");
    if (common->ignore_fingerprint && !settings->model)
        return pt_fail(err, PT_USAGE, "--ignore-fingerprint goes with -m MODEL, which the inputs are to fit");
    if (settings->to_peft && !strcmp(common->output, "-")) {
        pt_fail(err, PT_USAGE, "--to peft writes a folder");
        return pt_error_hint(err, "name it: -o DIR, or -o FILE.tar for an archive");
    }
    return PT_OK;
}

static int merge(const struct settings *settings, struct pt_tuned **inputs, size_t n, struct pt_error *err)
{
    if (settings->concat)
        return pt_merge_concat(inputs, n, err);
    return pt_merge_sum(inputs, n, settings->n_weights ? settings->weights : NULL, err);
}

static int write_tensor(struct pt_tuned *tuned, struct pt_sink *sink, struct pt_error *err)
{
    if (!pt_tuned_write(tuned, sink, err))
        return pt_sink_commit(sink, err);
    pt_sink_discard(sink);
    return (int)err->status;
}

static int write(const struct settings *settings, const struct pt_common *common, struct pt_tuned *tuned,
                 struct pt_error *err)
{
    struct pt_sink *sink;
    if (settings->to_peft)
        return pt_peft_write(tuned, common->output, settings->base_name, err);
    if (pt_tuned_add_command(tuned, "pt-merge", common->history, err) ||
        pt_open_binary_output(&sink, common, err))
        return (int)err->status;
    return write_tensor(tuned, sink, err);
}

static int open_inputs(const struct pt_common *common, const struct pt_model *model, struct pt_tuned **inputs,
                       struct pt_error *err)
{
    for (size_t i = 0; i < common->n_arguments; i++)
        if (pt_check_binary_input(common->arguments[i], err) ||
            pt_tuned_open(&inputs[i], common->arguments[i], model, common->ignore_fingerprint, err))
            return (int)err->status;
    return PT_OK;
}

static int run(void *context, const struct pt_common *common, struct pt_error *err)
{
    const struct settings *settings = context;
    struct pt_model *model = NULL;
    if (check_usage(settings, common, err))
        return (int)err->status;
    struct pt_tuned **inputs = pt_new_array(common->n_arguments, sizeof *inputs, err);
    if (inputs && !(settings->model && pt_model_open(&model, settings->model, err)) &&
        !open_inputs(common, model, inputs, err) && !merge(settings, inputs, common->n_arguments, err))
        (void)!write(settings, common, inputs[0], err);
    for (size_t i = 0; inputs && i < common->n_arguments; i++)
        pt_tuned_free(inputs[i]);
    free(inputs);
    pt_model_close(model);
    return (int)err->status;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    const struct pt_tool tool = {
        .name = "pt-merge",
        .synopsis = "INPUT...",
        .least_arguments = 1,
        .most_arguments = PT_ANY_NUMBER,
        .summary =
            "Make one prompt of several, or a PEFT adapter of a prompt, or a prompt of a PEFT adapter.\v"
            "Examples:\n"
            "  pt-merge --to peft -o adapter prompt.safetensors\n"
            "  pt-merge adapter > prompt.safetensors\n"
            "  pt-merge --weight 0.25,0.75 a.safetensors b.safetensors > between.safetensors",
        .uses = PT_USES_FINGERPRINT,
        .options = option_table,
        .settings = &settings,
        .set = set,
        .run = run,
    };
    int status = pt_tool_main(&tool, argc, argv);
    free(settings.weights);
    return status;
}
