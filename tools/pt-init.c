/*
 * pt-init: the first prompt.
 */
#include "cli/tool.h"
#include "tune/init.h"
#include "tune/method.h"

#include <string.h>

enum {
    OPTION_TEXT = PT_OPTION_KEYS,
    OPTION_VOCAB,
    OPTION_RANDOM,
    OPTION_STD,
    OPTION_FROM,
    OPTION_SEED,
    OPTION_METHOD,
};

/* More virtual tokens than any model has positions for. */
static const uint64_t most_virtual = 1000000;

struct settings {
    const char *model, *method;
    const char *from;
    struct pt_init init;
    const char *source; /* the option that chose where values come from, or NULL */
    bool std_given;
};

static const struct argp_option option_table[] = {
    {"model", 'm', "MODEL", PT_OPTION_PATH, "Folder of the model (required)", 0},
    {"text", OPTION_TEXT, "STRING", 0, "Start from the embeddings of a text's tokens", 0},
    {"vocab", OPTION_VOCAB, NULL, 0, "Start from embeddings drawn from the vocabulary (default)", 0},
    {"random", OPTION_RANDOM, NULL, 0, "Start from normally distributed values", 0},
    {"std", OPTION_STD, "S", 0, "Standard deviation of --random (default 1)", 0},
    {"from", OPTION_FROM, "FILE", PT_OPTION_PATH, "Start from a prompt or a PEFT adapter", 0},
    {"virtual-tokens", 'n', "N", 0, "Virtual tokens (default: as many as the text has, else 20)", 0},
    {"seed", OPTION_SEED, "N", 0, "Seed of the draws (default 42)", 0},
    {"method", OPTION_METHOD, "NAME", 0, "What is to be tuned (default prompt)", 0},
    {0},
};

static int choose(struct settings *settings, const char *option, enum pt_init_kind kind, struct pt_error *err)
{
    if (settings->source && strcmp(settings->source, option) != 0)
        return pt_fail(err, PT_USAGE, "%s and %s exclude each other", settings->source, option);
    settings->source = option;
    settings->init.kind = kind;
    return PT_OK;
}

static int set(void *context, int key, const char *argument, struct pt_error *err)
{
    struct settings *settings = context;
    switch (key) {
    case 'm':
        settings->model = argument;
        return PT_OK;
    case OPTION_TEXT:
        settings->init.text = argument;
        return choose(settings, "--text", PT_INIT_TEXT, err);
    case OPTION_VOCAB:
        return choose(settings, "--vocab", PT_INIT_VOCAB, err);
    case OPTION_RANDOM:
        return choose(settings, "--random", PT_INIT_RANDOM, err);
    case OPTION_STD:
        settings->std_given = true;
        return pt_option_double("--std", argument, 0, 1e6, &settings->init.std, err);
    case OPTION_FROM:
        settings->from = argument;
        return choose(settings, "--from", PT_INIT_VOCAB, err);
    case 'n':
        return pt_option_u64("--virtual-tokens", argument, 1, most_virtual, &settings->init.n_virtual, err);
    case OPTION_SEED:
        return pt_option_u64("--seed", argument, 0, UINT32_MAX, &settings->init.seed, err);
    case OPTION_METHOD:
        settings->method = argument;
        return PT_OK;
    }
    return PT_OK;
}

static int make(const struct settings *settings, const struct pt_common *common, const struct pt_model *model,
                struct pt_tuned **tuned, struct pt_error *err)
{
    const struct pt_method *method;
    if (pt_method_find(&method, settings->method, err))
        return (int)err->status;
    if (settings->from)
        return pt_init_from(tuned, settings->from, settings->init.n_virtual, model,
                            common->ignore_fingerprint, err);
    return pt_tuned_create(tuned, method, &settings->init, model, err);
}

static int write(struct pt_tuned *tuned, const struct pt_common *common, struct pt_sink *sink,
                 struct pt_error *err)
{
    if (!pt_tuned_add_command(tuned, "pt-init", common->history, err) && !pt_tuned_write(tuned, sink, err))
        return pt_sink_commit(sink, err);
    pt_sink_discard(sink);
    return (int)err->status;
}

static int run(void *context, const struct pt_common *common, struct pt_error *err)
{
    const struct settings *settings = context;
    struct pt_model *model = NULL;
    struct pt_tuned *tuned = NULL;
    struct pt_sink *sink;
    if (!settings->model)
        return pt_fail(err, PT_USAGE, "no model: -m MODEL is needed");
    if (settings->std_given && settings->init.kind != PT_INIT_RANDOM)
        return pt_fail(err, PT_USAGE, "--std is for --random");
    if (pt_open_binary_output(&sink, common, err))
        return (int)err->status;
    if (pt_model_open(&model, settings->model, err) || make(settings, common, model, &tuned, err))
        pt_sink_discard(sink);
    else
        (void)!write(tuned, common, sink, err);
    pt_tuned_free(tuned);
    pt_model_close(model);
    return (int)err->status;
}

int main(int argc, char **argv)
{
    struct settings settings = {.method = "prompt", .init = {.kind = PT_INIT_VOCAB, .std = 1, .seed = 42}};
    const struct pt_tool tool = {
        .name = "pt-init",
        .synopsis = "",
        .summary = "Write the first prompt for a model, to be tuned by pt-train.\v"
                   "Examples:\n"
                   "  pt-init -m MODEL --text 'A conversation with an assistant.' -o first.safetensors\n"
                   "  pt-init -m MODEL --vocab -n 20 --seed 7 > first.safetensors",
        .uses = PT_USES_FINGERPRINT,
        .options = option_table,
        .settings = &settings,
        .set = set,
        .run = run,
    };
    return pt_tool_main(&tool, argc, argv);
}
