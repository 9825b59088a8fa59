/*
 * argp does the parsing and lays out the help. It is kept from exiting and from printing: what getopt says
 * about a wrong option is caught in memory and becomes the error record's message, so that there is one way
 * in which a tool speaks.
 */
#include "cli/command_line.h"

#include "base/memory.h"
#include "fmt/history.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_HELP = PT_OPTION_KEYS + 0x1000,
    KEY_VERSION,
    KEY_MATH,
    KEY_MEMORY,
    KEY_IGNORE_FINGERPRINT,
    MOST_THREADS = 1024,
};

struct shared_option {
    struct argp_option option;
    unsigned uses; /* the enum pt_uses that brings it, 0: always there */
};

static const struct shared_option SHARED_OPTIONS[] = {
    {{"output", 'o', "FILE", PT_OPTION_WATCHING, "Write to FILE instead of standard output (-)", 0}, 0},
    {{"threads", 'j', "N", PT_OPTION_WATCHING, "Use N threads (default: all cores the process may use)", 0},
     PT_USES_THREADS},
    {{"math", KEY_MATH, "MODE[:PATH]", 0,
      "Arithmetic: auto, f32, bf16, bf16x2 or bf16x3, optionally by a named path", 0},
     PT_USES_MATH},
    {{"memory", KEY_MEMORY, "SIZE", PT_OPTION_WATCHING,
      "Use about SIZE of memory (default: three quarters of what is available)", 0},
     PT_USES_MEMORY},
    {{"ignore-fingerprint", KEY_IGNORE_FINGERPRINT, NULL, 0, "Go on where inputs do not belong together", 0},
     PT_USES_FINGERPRINT},
    {{"quiet", 'q', NULL, PT_OPTION_WATCHING, "Say nothing but errors", 0}, 0},
    {{"verbose", 'v', NULL, PT_OPTION_WATCHING, "Say more", 0}, 0},
    {{"help", KEY_HELP, NULL, 0, "Print this help", 0}, 0},
    {{"version", KEY_VERSION, NULL, 0, "Print the version", 0}, 0},
};
enum { N_SHARED_OPTIONS = sizeof SHARED_OPTIONS / sizeof *SHARED_OPTIONS };

/* What the parsers work on. */
struct parsing {
    const struct pt_tool *tool;
    struct pt_common *common;
    enum pt_request request;
    struct pt_error *err;
    size_t arguments_capacity;
};

/* Stops argp without a word: the record, or the request, says why. */
enum { STOP = ECANCELED };

static int set_threads(struct pt_common *common, const char *text, struct pt_error *err)
{
    uint64_t threads;
    if (pt_option_u64("--threads", text, 1, MOST_THREADS, &threads, err))
        return (int)err->status;
    common->threads = (int)threads;
    return PT_OK;
}

static int set_output(struct pt_common *common, const char *path, struct pt_error *err)
{
    if (!path[0])
        return pt_fail(err, PT_USAGE, "--output: the name is empty");
    common->output = path;
    return PT_OK;
}

/* One form for each, whichever the user wrote: the letter where there is one. */
static int record(struct pt_common *common, const struct argp_option *option, const char *value,
                  struct pt_error *err)
{
    if (option->flags & PT_OPTION_WATCHING)
        return PT_OK;
    char name[64];
    if (option->key < PT_OPTION_KEYS)
        snprintf(name, sizeof name, "-%c", option->key);
    else
        snprintf(name, sizeof name, "--%s", option->name);
    if (pt_history_add_word(common->history, name, err) || !value)
        return (int)err->status;
    return option->flags & PT_OPTION_PATH ? pt_history_add_path(common->history, value, err)
                                          : pt_history_add_word(common->history, value, err);
}

static error_t request(struct parsing *parsing, enum pt_request wanted)
{
    parsing->request = wanted;
    return STOP;
}

static const struct argp_option *find_shared(int key)
{
    for (size_t i = 0; i < N_SHARED_OPTIONS; i++)
        if (SHARED_OPTIONS[i].option.key == key)
            return &SHARED_OPTIONS[i].option;
    return NULL;
}

static error_t parse_shared(int key, char *text, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    struct pt_common *common = parsing->common;
    const struct argp_option *option = find_shared(key);
    if (option && record(common, option, text, parsing->err))
        return STOP;
    switch (key) {
    case 'o':
        return set_output(common, text, parsing->err) ? STOP : 0;
    case 'j':
        return set_threads(common, text, parsing->err) ? STOP : 0;
    case KEY_MEMORY:
        return pt_option_size("--memory", text, &common->memory, parsing->err) ? STOP : 0;
    case KEY_MATH:
        common->math = text;
        return 0;
    case KEY_IGNORE_FINGERPRINT:
        common->ignore_fingerprint = true;
        return 0;
    case 'q':
        common->quiet = true;
        common->verbose = false;
        return 0;
    case 'v':
        common->verbose = true;
        common->quiet = false;
        return 0;
    case KEY_HELP:
        return request(parsing, PT_REQUEST_HELP);
    case KEY_VERSION:
        return request(parsing, PT_REQUEST_VERSION);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option *find_own(const struct pt_tool *tool, int key)
{
    for (const struct argp_option *option = tool->options;
         option && (option->name || option->key || option->doc); option++)
        if (option->key == key && key)
            return option;
    return NULL;
}

static error_t take_argument(struct parsing *parsing, char *text)
{
    struct pt_common *common = parsing->common;
    if (common->n_arguments >= parsing->tool->most_arguments) {
        pt_fail(parsing->err, PT_USAGE, "unexpected argument '%s'", text);
        return STOP;
    }
    if (pt_reserve(&common->arguments, &parsing->arguments_capacity, common->n_arguments + 1, sizeof text,
                   parsing->err))
        return STOP;
    common->arguments[common->n_arguments++] = text;
    return pt_history_add_path(common->history, text, parsing->err) ? STOP : 0;
}

static error_t parse_own(int key, char *text, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    const struct pt_tool *tool = parsing->tool;
    const struct argp_option *option = find_own(tool, key);
    if (option)
        return record(parsing->common, option, text, parsing->err) ||
                       tool->set(tool->settings, key, text, parsing->err)
                   ? STOP
                   : 0;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = parsing;
        state->err_stream = NULL; /* no "Try ..." of argp's own */
        return 0;
    case ARGP_KEY_ARG:
        return take_argument(parsing, text);
    case ARGP_KEY_END:
        if (parsing->common->n_arguments >= tool->least_arguments)
            return 0;
        pt_fail(parsing->err, PT_USAGE, "missing argument: %s %s", tool->name, tool->synopsis);
        return STOP;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The two argp descriptions of a tool, one for its own options and one for the shared ones it has. */
struct description {
    struct argp_option shared_options[N_SHARED_OPTIONS + 1];
    struct argp shared;
    struct argp_child children[2];
    struct argp own;
};

static void describe(const struct pt_tool *tool, struct description *d)
{
    *d = (struct description){0};
    size_t n = 0;
    for (size_t i = 0; i < N_SHARED_OPTIONS; i++)
        if (!SHARED_OPTIONS[i].uses || (tool->uses & SHARED_OPTIONS[i].uses))
            d->shared_options[n++] = SHARED_OPTIONS[i].option;
    d->shared = (struct argp){.options = d->shared_options, .parser = parse_shared};
    d->children[0] = (struct argp_child){.argp = &d->shared, .header = "Common options:", .group = 100};
    d->own = (struct argp){
        .options = tool->options,
        .parser = parse_own,
        .args_doc = tool->synopsis,
        .doc = tool->summary,
        .children = d->children,
    };
}

/* Runs argp; what getopt prints meanwhile comes back in *said (owned by the caller, may be NULL). */
static error_t parse_silently(const struct argp *argp, int argc, char **words, struct parsing *parsing,
                              char **said)
{
    size_t n_said = 0;
    FILE *real = stderr;
    FILE *memory = open_memstream(said, &n_said);
    if (memory)
        stderr = memory;
    error_t failure = argp_parse(argp, argc, words, ARGP_NO_HELP | ARGP_NO_EXIT, NULL, parsing);
    stderr = real;
    if (memory)
        fclose(memory);
    return failure;
}

/* getopt's "pt-pack: unrecognized option '--x'" as a message of ours. */
static int usage_error(const struct pt_tool *tool, char *said, struct pt_error *err)
{
    const char *message = said ? said : "";
    size_t name_length = strlen(tool->name);
    if (!strncmp(message, tool->name, name_length) && !strncmp(message + name_length, ": ", 2))
        message += name_length + 2;
    size_t length = strcspn(message, "\n");
    return length ? pt_fail(err, PT_USAGE, "%.*s", (int)length, message)
                  : pt_fail(err, PT_USAGE, "wrong options");
}

int pt_command_line_parse(const struct pt_tool *tool, int argc, char **words, struct pt_common *common,
                          enum pt_request *wanted, struct pt_error *err)
{
    struct parsing parsing = {.tool = tool, .common = common, .err = err};
    struct description description;
    describe(tool, &description);
    common->history = json_array();
    char *said = NULL;
    error_t failure = parse_silently(&description.own, argc, words, &parsing, &said);
    *wanted = parsing.request;
    if (failure && !err->status && parsing.request == PT_REQUEST_RUN)
        usage_error(tool, said, err);
    free(said);
    return (int)err->status;
}

void pt_command_line_help(const struct pt_tool *tool)
{
    struct description description;
    struct pt_error err = {0};
    describe(tool, &description);
    /* Without the paragraph on mandatory arguments; the user's own setting wins. */
    setenv("ARGP_HELP_FMT", "no-dup-args-note", 0);
    /* argp would fill the examples' lines up. */
    size_t paragraph = strcspn(tool->summary, "\v");
    char *summary = pt_new_string_n(tool->summary, paragraph, &err);
    description.own.doc = summary;
    argp_help(&description.own, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_DOC | ARGP_HELP_LONG,
              (char *)tool->name);
    free(summary);
    if (tool->summary[paragraph])
        printf("\n%s\n", tool->summary + paragraph + 1);
    printf("\nManual: %s(1), pt(7).\n", tool->name);
}
