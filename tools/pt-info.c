/*
 * pt-info: what a file is, and whether it is whole.
 */
#include "cli/tool.h"
#include "fmt/json.h"
#include "tune/describe.h"

#include <string.h>

enum { OPTION_JSON = PT_OPTION_KEYS, OPTION_VERIFY };

struct settings {
    bool json, verify;
};

static const struct argp_option option_table[] = {
    {"json", OPTION_JSON, NULL, 0, "Write a JSON object for each file, a line each", 0},
    {"verify", OPTION_VERIFY, NULL, 0, "Read everything and check it; stop at the first fault", 0},
    {0},
};

static int set(void *context, int key, const char *text, struct pt_error *err)
{
    struct settings *settings = context;
    (void)text, (void)err;
    *(key == OPTION_JSON ? &settings->json : &settings->verify) = true;
    return PT_OK;
}

static int describe_one(const struct settings *settings, const struct pt_common *common, const char *path,
                        struct pt_sink *sink, struct pt_error *err)
{
    json_t *report = NULL;
    struct pt_buffer text = {0};
    if ((strcmp(path, "-") || !pt_check_binary_input(path, err)) &&
        !pt_describe(&report, path, settings->verify, err) &&
        !(settings->json ? pt_json_append(&text, report, 0, err)
                         : pt_describe_text(report, common->verbose, &text, err)) &&
        (!settings->json || !pt_buffer_append_string(&text, "\n", err)))
        (void)!pt_sink_write(sink, text.data, text.size, err);
    pt_buffer_free(&text);
    json_decref(report);
    return (int)err->status;
}

static int run(void *context, const struct pt_common *common, struct pt_error *err)
{
    const struct settings *settings = context;
    struct pt_sink *sink;
    if (pt_sink_open(&sink, common->output, err))
        return (int)err->status;
    for (size_t i = 0; i < common->n_arguments; i++)
        if (describe_one(settings, common, common->arguments[i], sink, err)) {
            struct pt_error second = {0};
            (void)!pt_sink_flush(sink, &second); /* the reports on the files before it */
            pt_sink_discard(sink);
            return (int)err->status;
        }
    return pt_sink_commit(sink, err);
}

int main(int argc, char **argv)
{
    static struct settings settings;
    static const struct pt_tool tool = {
        .name = "pt-info",
        .synopsis = "FILE...",
        .least_arguments = 1,
        .most_arguments = PT_ANY_NUMBER,
        .summary = "Says what files and folders are: token streams, tensor files, model checkpoints, PEFT "
                   "adapters, tokenizers, archives of these."
                   "\vExample:\n  pt-info --verify prompt.safetensors",
        .options = option_table,
        .settings = &settings,
        .set = set,
        .run = run,
    };
    return pt_tool_main(&tool, argc, argv);
}
