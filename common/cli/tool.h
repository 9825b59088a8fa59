/*
 * What every tool shares: options, messages, exit codes, the closing ritual. A tool describes itself in a
 * struct pt_tool, and its main is one line: return pt_tool_main(&tool, argc, argv).
 */
#ifndef PT_CLI_TOOL_H
#define PT_CLI_TOOL_H

#include "base/error.h"
#include "base/log.h"
#include "base/version.h"
#include "io/sink.h"

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Which of the shared options a tool has beside --help, --version, --quiet, --verbose and --output. */
enum pt_uses {
    PT_USES_THREADS = 1,     /* -j, --threads */
    PT_USES_MATH = 2,        /* --math */
    PT_USES_MEMORY = 4,      /* --memory */
    PT_USES_FINGERPRINT = 8, /* --ignore-fingerprint */
};

/* The shared options' values. */
struct pt_common {
    char **arguments; /* the words that are not options, borrowed */
    size_t n_arguments;
    bool quiet, verbose;
    const char *output; /* "-": standard output */
    int threads;        /* already in force */
    const char *math;   /* "auto" */
    uint64_t memory;    /* bytes; never 0: the default is three quarters of what is available */
    bool ignore_fingerprint;
    json_t *history; /* the command line as an entry of a history has it (fmt/history.h) */
};

/* Flags of options beside argp's, for the history. */
enum {
    PT_OPTION_PATH = 0x1000,     /* its value is a path */
    PT_OPTION_WATCHING = 0x2000, /* it does not change what is written */
};

struct pt_tool {
    const char *name;                         /* "pt-pack" */
    const char *synopsis;                     /* of its arguments: "[FILE...]" */
    unsigned least_arguments, most_arguments; /* PT_ANY_NUMBER: no bound */
    const char *summary; /* one paragraph for --help; behind a \v examples; the manual's name is added */
    unsigned uses;
    const struct argp_option
        *options;   /* its own, ends with {0}; keys from PT_OPTION_KEYS on for those without a letter */
    void *settings; /* its own, filled by set */
    /* One option of its own. PT_USAGE with a message for a bad value. */
    int (*set)(void *settings, int key, const char *argument, struct pt_error *err);
    /* Does the work. */
    int (*run)(void *settings, const struct pt_common *common, struct pt_error *err);
};

enum { PT_OPTION_KEYS = 0x1000, PT_ANY_NUMBER = 0x7fffffff };

/*
 * Parses, installs the log sink and signal handlers, runs, prints "name: message" and "hint: ..." on failure
 * and returns the exit code (PT_USAGE without a hint adds a line that names --help). Standard output is
 * checked at the end whatever the tool did with it. Progress: cli/progress.h. Ending tidily on SIGINT and
 * SIGTERM: cli/signals.h.
 */
int pt_tool_main(const struct pt_tool *tool, int argc, char **argv);

/* Strict option values: the message names the option and the range. */
int pt_option_u64(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *value,
                  struct pt_error *err) PT_MUST_USE;
int pt_option_double(const char *option, const char *text, double low, double high, double *value,
                     struct pt_error *err) PT_MUST_USE;
/* One of the names, a list that ends with NULL: its place. The message lists them. */
int pt_option_choice(const char *option, const char *text, const char *const *names, size_t *choice,
                     struct pt_error *err) PT_MUST_USE;
int pt_option_size(const char *option, const char *text, uint64_t *bytes, struct pt_error *err) PT_MUST_USE;

/* Opens common->output for binary data: a terminal is refused (PT_USAGE, the hint names the way out). */
int pt_open_binary_output(struct pt_sink **sink, const struct pt_common *common,
                          struct pt_error *err) PT_MUST_USE;
/* An output's name, NULL: there is none; and the input that it may replace, because that is read to its end
 * before (NULL: none). */
struct pt_output_name {
    const char *path, *replaces;
};
/*
 * Refuses, before anything is opened for writing, two outputs that are one file, of which the later would
 * replace the earlier, and an output that is one of the inputs (NULL: there is none; a folder stands for the
 * files of a model or an adapter in it): PT_USAGE. Devices, such as /dev/null, may be named twice.
 */
int pt_check_outputs(const struct pt_output_name *outputs, size_t n_outputs, const char *const *inputs,
                     size_t n_inputs, struct pt_error *err) PT_MUST_USE;
/* Refuses a terminal as standard input for binary data, where `path` is "-". */
int pt_check_binary_input(const char *path, struct pt_error *err) PT_MUST_USE;

#endif
