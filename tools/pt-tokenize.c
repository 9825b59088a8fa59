/*
 * pt-tokenize: records to a token stream of examples, and back.
 */
#include "base/memory.h"
#include "base/threads.h"
#include "cli/tool.h"
#include "fmt/history.h"
#include "text/example_stream.h"
#include "text/stream_text.h"

#include <stdlib.h>
#include <string.h>

enum {
    OPTION_FIELD = PT_OPTION_KEYS,
    OPTION_TEMPLATE,
    OPTION_TEMPLATE_FILE,
    OPTION_TEXT,
    OPTION_TEXT_FILE,
    OPTION_EOS,
    OPTION_DECODE,
    OPTION_SHOW_TARGETS,
    OPTION_SKIP_BAD,
};

struct settings {
    const char *model, *eos, *template_name, *template_file;
    struct pt_rename *renames; /* [n_renames], owned */
    size_t n_renames, capacity;
    enum pt_record_form form;
    bool decode, show_targets, skip_bad;
};

static const struct argp_option option_table[] = {
    {"model", 'm', "MODEL", PT_OPTION_PATH, "Folder of the model, or its tokenizer file (required)", 0},
    {"field", OPTION_FIELD, "FIELD=KEY", 0, "Take a field from another key of the records; may be repeated",
     0},
    {"template", OPTION_TEMPLATE, "NAME", 0, "Use a built-in template: alpaca-zh, prompt-completion", 0},
    {"template-file", OPTION_TEMPLATE_FILE, "FILE", PT_OPTION_PATH, "Use the template in a file", 0},
    {"text", OPTION_TEXT, NULL, 0, "Read plain text, a line an example", 0},
    {"text-file", OPTION_TEXT_FILE, NULL, 0, "Read plain text, a file an example", 0},
    {"eos", OPTION_EOS, "STRING", 0, "End-of-sequence token (default: the model's)", 0},
    {"decode", OPTION_DECODE, NULL, 0, "Turn a token stream back to text", 0},
    {"show-targets", OPTION_SHOW_TARGETS, NULL, 0, "With --decode: mark the parts that count in the loss", 0},
    {"skip-bad", OPTION_SKIP_BAD, NULL, 0, "Report and count bad records instead of stopping", 0},
    {0},
};

static int add_rename(struct settings *settings, const char *argument, struct pt_error *err)
{
    const char *equals = strchr(argument, '=');
    if (!equals || equals == argument || !equals[1])
        return pt_fail(err, PT_USAGE, "--field %s: it should read FIELD=KEY", argument);
    const size_t n = (size_t)(equals - argument);
    for (size_t i = 0; i < settings->n_renames; i++)
        if (strlen(settings->renames[i].field) == n && memcmp(settings->renames[i].field, argument, n) == 0)
            return pt_fail(err, PT_USAGE, "--field %s: given twice", settings->renames[i].field);
    if (pt_reserve(&settings->renames, &settings->capacity, settings->n_renames + 1,
                   sizeof *settings->renames, err))
        return (int)err->status;
    char *field = pt_new_string_n(argument, n, err), *key = pt_new_string(equals + 1, err);
    if (!field || !key) {
        free(field);
        free(key);
        return (int)err->status;
    }
    settings->renames[settings->n_renames++] = (struct pt_rename){field, key};
    return PT_OK;
}

static int set_form(struct settings *settings, enum pt_record_form form, struct pt_error *err)
{
    if (settings->form != PT_RECORDS_ANY && settings->form != form)
        return pt_fail(err, PT_USAGE, "--text and --text-file exclude each other");
    settings->form = form;
    return PT_OK;
}

static int set(void *context, int key, const char *argument, struct pt_error *err)
{
    struct settings *settings = context;
    switch (key) {
    case 'm':
        settings->model = argument;
        break;
    case OPTION_FIELD:
        return add_rename(settings, argument, err);
    case OPTION_TEMPLATE:
        settings->template_name = argument;
        break;
    case OPTION_TEMPLATE_FILE:
        settings->template_file = argument;
        break;
    case OPTION_TEXT:
        return set_form(settings, PT_RECORDS_LINES, err);
    case OPTION_TEXT_FILE:
        return set_form(settings, PT_RECORDS_WHOLE, err);
    case OPTION_EOS:
        settings->eos = argument;
        break;
    case OPTION_DECODE:
        settings->decode = true;
        break;
    case OPTION_SHOW_TARGETS:
        settings->show_targets = true;
        break;
    case OPTION_SKIP_BAD:
        settings->skip_bad = true;
        break;
    }
    return PT_OK;
}

static int load_template(const struct settings *settings, struct pt_template **template, struct pt_error *err)
{
    struct pt_source *source;
    struct pt_buffer text = {0};
    if (settings->template_name)
        return pt_template_named(template, settings->template_name, err);
    if (pt_source_open(&source, settings->template_file, err))
        return (int)err->status;
    const char *slash = strrchr(settings->template_file, '/');
    if (!pt_source_read_all(source, 1 << 20, &text, err))
        (void)!pt_template_from_text(template, slash ? slash + 1 : settings->template_file,
                                     text.data ? text.data : "", text.size, err);
    pt_source_close(source);
    pt_buffer_free(&text);
    return (int)err->status;
}

/* Reads the records of all arguments and writes their examples. */
static int write_examples(const struct settings *settings, const struct pt_common *common,
                          const struct pt_template *template, struct pt_sink *sink, struct pt_error *err)
{
    struct pt_record_files *files = NULL;
    struct pt_example_stream_settings stream = {
        .examples = {settings->model, settings->eos, template, settings->renames, settings->n_renames},
        .skip_bad = settings->skip_bad,
        .n_threads = (size_t)pt_threads(),
    };
    if (!pt_history_add(&stream.history, "pt-tokenize", common->history, err) &&
        !pt_record_files_open(&files, common->arguments, common->n_arguments, settings->form, err))
        (void)!pt_example_stream_write(files, &stream, sink, err);
    pt_record_files_close(files);
    json_decref(stream.history);
    return (int)err->status;
}

/* A name that nothing asks for is a typing error. */
static int check_renames(const struct settings *settings, const struct pt_template *template,
                         struct pt_error *err)
{
    for (size_t i = 0; i < settings->n_renames; i++) {
        const char *field = settings->renames[i].field;
        if (!pt_examples_know_field(template, field))
            return pt_fail(err, PT_USAGE, "--field %s: %s", field,
                           template ? "the template has no such field" : "no template has such a field");
    }
    return PT_OK;
}

static int tokenize(const struct settings *settings, const struct pt_common *common, struct pt_error *err)
{
    struct pt_sink *sink;
    struct pt_template *template = NULL;
    if ((settings->template_name || settings->template_file) && load_template(settings, &template, err))
        return (int)err->status;
    if (!check_renames(settings, template, err) && !pt_open_binary_output(&sink, common, err)) {
        if (write_examples(settings, common, template, sink, err))
            pt_sink_discard(sink);
        else
            (void)!pt_sink_commit(sink, err);
    }
    pt_template_free(template);
    return (int)err->status;
}

static int decode_file(const struct settings *settings, const struct pt_common *common,
                       const struct pt_tokenizer *tokenizer, const char *path, struct pt_sink *sink,
                       struct pt_error *err)
{
    struct pt_source *source;
    struct pt_stream_reader *reader;
    if (pt_check_binary_input(path, err) || pt_source_open(&source, path, err))
        return (int)err->status;
    if (!pt_stream_reader_open(&reader, source, err)) {
        const char *theirs = pt_stream_reader_head(reader)->tokenizer.text;
        if (common->ignore_fingerprint || !pt_tokenizer_match(pt_source_name(source), theirs, settings->model,
                                                              pt_tokenizer_fingerprint(tokenizer).text, err))
            (void)!pt_stream_text_write(reader, tokenizer, settings->show_targets, sink, err);
        pt_stream_reader_free(reader);
    }
    pt_source_close(source);
    return (int)err->status;
}

static int decode(const struct settings *settings, const struct pt_common *common, struct pt_error *err)
{
    struct pt_tokenizer *tokenizer;
    struct pt_sink *sink;
    if (pt_tokenizer_open(&tokenizer, settings->model, err))
        return (int)err->status;
    if (!pt_sink_open(&sink, common->output, err)) {
        for (size_t i = 0; i < common->n_arguments && !err->status; i++)
            (void)!decode_file(settings, common, tokenizer, common->arguments[i], sink, err);
        if (common->n_arguments == 0)
            (void)!decode_file(settings, common, tokenizer, "-", sink, err);
        if (err->status)
            pt_sink_discard(sink);
        else
            (void)!pt_sink_commit(sink, err);
    }
    pt_tokenizer_close(tokenizer);
    return (int)err->status;
}

/* Options that do not go together. */
static int check_settings(const struct settings *settings, const struct pt_common *common,
                          struct pt_error *err)
{
    const char *template = settings->template_name   ? "--template"
                           : settings->template_file ? "--template-file"
                           : settings->n_renames     ? "--field"
                                                     : NULL;
    const char *text = settings->form == PT_RECORDS_LINES   ? "--text"
                       : settings->form == PT_RECORDS_WHOLE ? "--text-file"
                                                            : NULL;
    const char *encoding = template             ? template
                           : text               ? text
                           : settings->eos      ? "--eos"
                           : settings->skip_bad ? "--skip-bad"
                                                : NULL;
    if (!settings->model)
        return pt_fail(err, PT_USAGE, "no model: -m MODEL is needed");
    if (settings->template_name && settings->template_file)
        return pt_fail(err, PT_USAGE, "--template and --template-file exclude each other");
    if (settings->decode && encoding)
        return pt_fail(err, PT_USAGE, "--decode does not go with %s", encoding);
    if (template && text)
        return pt_fail(err, PT_USAGE, "%s does not go with %s: text has no fields", text, template);
    if (settings->show_targets && !settings->decode)
        return pt_fail(err, PT_USAGE, "--show-targets is for --decode");
    if (common->ignore_fingerprint && !settings->decode)
        return pt_fail(err, PT_USAGE, "--ignore-fingerprint is for --decode");
    return PT_OK;
}

static int run(void *context, const struct pt_common *common, struct pt_error *err)
{
    struct settings *settings = context;
    if (!check_settings(settings, common, err))
        (void)!(settings->decode ? decode(settings, common, err) : tokenize(settings, common, err));
    return (int)err->status;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    const struct pt_tool tool = {
        .name = "pt-tokenize",
        .synopsis = "[FILE...]",
        .most_arguments = PT_ANY_NUMBER,
        .summary = "Turns records (JSON, JSON Lines, Arrow, plain text) into a token stream of examples.\v"
                   "Examples:\n"
                   "  pt-tokenize -m MODEL data.json | pt-pack > updates.stream\n"
                   "  pt-tokenize -m MODEL --decode --show-targets examples.stream",
        .uses = PT_USES_FINGERPRINT | PT_USES_THREADS,
        .options = option_table,
        .settings = &settings,
        .set = set,
        .run = run,
    };
    int status = pt_tool_main(&tool, argc, argv);
    for (size_t i = 0; i < settings.n_renames; i++) {
        free(settings.renames[i].field);
        free(settings.renames[i].key);
    }
    free(settings.renames);
    return status;
}
