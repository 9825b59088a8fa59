/*
 * pt-sample: texts to continuations.
 */
#include "base/memory.h"
#include "cli/tool.h"
#include "generate/answers.h"
#include "generate/generator.h"
#include "generate/inputs.h"
#include "model/engine.h"
#include "tune/tuned.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_CHAT = PT_OPTION_KEYS,
    OPTION_TEMPLATE,
    OPTION_GREEDY,
    OPTION_STOP,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_INPUT_IDS,
    OPTION_NUMBERS, /* the first of the numeric settings, in the order of `numbers` */
};

/* Texts that run side by side. */
enum { BATCH = 16, MAX_STOPS = 16 };

/* Options that set a field of struct pt_generation_settings. */
static const struct number_option {
    const char *name;
    size_t field;
    bool real;
    double low, high;
} numbers[] = {
#define FIELD(name) offsetof(struct pt_generation_settings, name)
    {"temperature", FIELD(temperature), true, 1e-6, 1e6},
    {"top-k", FIELD(top_k), false, 0, 1e9},
    {"top-p", FIELD(top_p), true, 0, 1},
    {"min-p", FIELD(min_p), true, 0, 1},
    {"typical-p", FIELD(typical_p), true, 1e-6, 1},
    {"repetition-penalty", FIELD(repetition_penalty), true, 1e-6, 1e6},
    {"no-repeat-ngram-size", FIELD(no_repeat_ngram_size), false, 0, 1e9},
    {"max-length", FIELD(max_length), false, 1, 1e9},
    {"max-new-tokens", FIELD(max_new_tokens), false, 1, 1e9},
#undef FIELD
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers };

struct settings {
    const char *model, *prompt;
    bool chat, greedy, json, input_ids;
    const char *template; /* NULL: the prompt's, else the default */
    const char *stops[MAX_STOPS];
    size_t n_stops;
    uint64_t seed, n_samples;
    char terminator;
    bool given[N_NUMBERS];
    double reals[N_NUMBERS];
    uint64_t counts[N_NUMBERS];
};

static const struct argp_option options[] = {
    {"model", 'm', "MODEL", 0, "Folder of the model (required)", 0},
    {"prompt", 'p', "PROMPT", 0, "Tuned prompt: a tensor file or a PEFT adapter", 0},
    {"chat", OPTION_CHAT, NULL, 0, "Put each text into the template that the prompt was tuned with", 0},
    {"template", OPTION_TEMPLATE, "NAME", 0, "Template for --chat in place of the prompt's", 0},
    {"greedy", OPTION_GREEDY, NULL, 0, "Always take the most probable token", 0},
    {"temperature", OPTION_NUMBERS + 0, "T", 0, "Divide the scores by T", 0},
    {"top-k", OPTION_NUMBERS + 1, "K", 0, "Draw from the K best tokens; 0: from all (default 50)", 0},
    {"top-p", OPTION_NUMBERS + 2, "P", 0, "Draw from the best tokens that have probability P together", 0},
    {"min-p", OPTION_NUMBERS + 3, "P", 0, "Leave out tokens with less than P times the best one's probability", 0},
    {"typical-p", OPTION_NUMBERS + 4, "P", 0, "Draw from the most typical tokens that have probability P together", 0},
    {"repetition-penalty", OPTION_NUMBERS + 5, "R", 0, "Divide (below 0: multiply) the scores of tokens in the text by R", 0},
    {"no-repeat-ngram-size", OPTION_NUMBERS + 6, "N", 0, "Never repeat N tokens in a row", 0},
    {"max-length", OPTION_NUMBERS + 7, "N", 0, "Tokens of text and continuation together (default 256)", 0},
    {"max-new-tokens", OPTION_NUMBERS + 8, "N", 0, "Tokens of the continuation, in place of --max-length", 0},
    {"stop", OPTION_STOP, "STRING", 0, "End a continuation before STRING (repeatable)", 0},
    {"seed", OPTION_SEED, "N", 0, "Seed of the draws (default 42)", 0},
    {"samples", 'n', "N", 0, "Continuations of each text (default 1)", 0},
    {"json", OPTION_JSON, NULL, 0, "Write a JSON object a continuation", 0},
    {"null", '0', NULL, 0, "End each continuation with a NUL instead of a line feed", 0},
    {"input-ids", OPTION_INPUT_IDS, NULL, 0, "Texts are token ids; so are continuations", 0},
    {0},
};

static int set_number(struct settings *settings, size_t i, const char *text, struct pt_error *err)
{
    settings->given[i] = true;
    if (numbers[i].real)
        return pt_option_double(numbers[i].name, text, numbers[i].low, numbers[i].high, &settings->reals[i], err);
    return pt_option_u64(numbers[i].name, text, (uint64_t)numbers[i].low, (uint64_t)numbers[i].high, &settings->counts[i], err);
}

static int add_stop(struct settings *settings, const char *text, struct pt_error *err)
{
    if (!*text)
        return pt_fail(err, PT_USAGE, "--stop: the string is empty");
    if (settings->n_stops == MAX_STOPS)
        return pt_fail(err, PT_USAGE, "--stop: at most %d strings", MAX_STOPS);
    settings->stops[settings->n_stops++] = text;
    return PT_OK;
}

static int set(void *context, int key, const char *argument, struct pt_error *err)
{
    struct settings *settings = context;
    if (key >= OPTION_NUMBERS)
        return set_number(settings, (size_t)(key - OPTION_NUMBERS), argument, err);
    switch (key) {
    case 'm': settings->model = argument; return PT_OK;
    case 'p': settings->prompt = argument; return PT_OK;
    case OPTION_CHAT: settings->chat = true; return PT_OK;
    case OPTION_TEMPLATE: settings->template = argument; settings->chat = true; return PT_OK;
    case OPTION_GREEDY: settings->greedy = true; return PT_OK;
    case OPTION_STOP: return add_stop(settings, argument, err);
    case OPTION_SEED: return pt_option_u64("seed", argument, 0, UINT64_MAX, &settings->seed, err);
    case 'n': return pt_option_u64("samples", argument, 1, 1024, &settings->n_samples, err);
    case OPTION_JSON: settings->json = true; return PT_OK;
    case '0': settings->terminator = 0; return PT_OK;
    case OPTION_INPUT_IDS: settings->input_ids = true; return PT_OK;
    }
    return PT_OK;
}
