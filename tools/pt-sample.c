/*
 * pt-sample: texts to continuations.
 */
#include "base/memory.h"
#include "cli/tool.h"
#include "fmt/json.h"
#include "generate/answers.h"
#include "generate/generator.h"
#include "generate/inputs.h"
#include "tune/tuned_model.h"

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
    OPTION_NUMBERS, /* the first of the numeric settings, in the order of pt_generation_ranges */
};

/* Texts that run side by side. */
enum { BATCH = 16, MAX_STOPS = 16 };

struct settings {
    const char *model, *prompt;
    bool chat, greedy, json, input_ids;
    const char *template; /* NULL: the prompt's, else the default */
    const char *stops[MAX_STOPS];
    size_t n_stops;
    uint64_t seed, n_samples;
    char terminator;
    bool given[PT_GENERATION_NUMBERS];
    double reals[PT_GENERATION_NUMBERS];
    uint64_t counts[PT_GENERATION_NUMBERS];
};

static const struct argp_option option_table[] = {
    {"model", 'm', "MODEL", 0, "Folder of the model (required)", 0},
    {"prompt", 'p', "PROMPT", 0, "Tuned prompt: a tensor file or a PEFT adapter", 0},
    {"chat", OPTION_CHAT, NULL, 0, "Put each text into the template that the prompt was tuned with", 0},
    {"template", OPTION_TEMPLATE, "NAME", 0, "Put each text into this template, as --chat does", 0},
    {"greedy", OPTION_GREEDY, NULL, 0, "Always take the most probable token", 0},
    {"temperature", OPTION_NUMBERS + PT_TEMPERATURE, "T", 0, "Divide the scores by T", 0},
    {"top-k", OPTION_NUMBERS + PT_TOP_K, "K", 0, "Draw from the K best tokens; 0: from all (default 50)", 0},
    {"top-p", OPTION_NUMBERS + PT_TOP_P, "P", 0, "Draw from the best tokens that have probability P together",
     0},
    {"min-p", OPTION_NUMBERS + PT_MIN_P, "P", 0,
     "Leave out tokens with less than P times the best one's probability", 0},
    {"typical-p", OPTION_NUMBERS + PT_TYPICAL_P, "P", 0,
     "Draw from the most typical tokens that have probability P together", 0},
    {"repetition-penalty", OPTION_NUMBERS + PT_REPETITION_PENALTY, "R", 0,
     "Divide (below 0: multiply) the scores of tokens in the text by R", 0},
    {"no-repeat-ngram-size", OPTION_NUMBERS + PT_NO_REPEAT_NGRAM_SIZE, "N", 0,
     "Never repeat N tokens in a row", 0},
    {"max-length", OPTION_NUMBERS + PT_MAX_LENGTH, "N", 0,
     "Tokens of text and continuation together (default 256)", 0},
    {"max-new-tokens", OPTION_NUMBERS + PT_MAX_NEW_TOKENS, "N", 0,
     "Tokens of the continuation, in place of --max-length", 0},
    {"stop", OPTION_STOP, "STRING", 0, "End a continuation before STRING (repeatable)", 0},
    {"seed", OPTION_SEED, "N", 0, "Seed of the draws (default 42)", 0},
    {"samples", 'n', "N", 0, "Continuations of each text (default 1)", 0},
    {"json", OPTION_JSON, NULL, 0, "Write a JSON object a continuation", 0},
    {"null", '0', NULL, 0, "End each continuation, or JSON object, with a NUL instead of a line feed", 0},
    {"input-ids", OPTION_INPUT_IDS, NULL, 0, "Texts are token ids; so are continuations", 0},
    {0},
};

static int set_number(struct settings *settings, size_t i, const char *text, struct pt_error *err)
{
    const struct pt_generation_range *range = &pt_generation_ranges[i];
    char option[64];
    snprintf(option, sizeof option, "--%s", range->name);
    for (char *c = option; (c = strchr(c, '_'));)
        *c = '-';
    settings->given[i] = true;
    if (range->real)
        return pt_option_double(option, text, range->low, range->high, &settings->reals[i], err);
    return pt_option_u64(option, text, (uint64_t)range->low, (uint64_t)range->high, &settings->counts[i],
                         err);
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
    case 'm':
        settings->model = argument;
        return PT_OK;
    case 'p':
        settings->prompt = argument;
        return PT_OK;
    case OPTION_CHAT:
        settings->chat = true;
        return PT_OK;
    case OPTION_TEMPLATE:
        settings->template = argument;
        settings->chat = true;
        return PT_OK;
    case OPTION_GREEDY:
        settings->greedy = true;
        return PT_OK;
    case OPTION_STOP:
        return add_stop(settings, argument, err);
    case OPTION_SEED:
        return pt_option_u64("--seed", argument, 0, UINT64_MAX, &settings->seed, err);
    case 'n':
        return pt_option_u64("--samples", argument, 1, 1024, &settings->n_samples, err);
    case OPTION_JSON:
        settings->json = true;
        return PT_OK;
    case '0':
        settings->terminator = 0;
        return PT_OK;
    case OPTION_INPUT_IDS:
        settings->input_ids = true;
        return PT_OK;
    }
    return PT_OK;
}

/* Everything that a run opens, in the order of opening. */
struct run {
    const struct settings *settings;
    const struct pt_common *common;
    struct pt_generation_settings generation;
    struct pt_tuned_model model;
    struct pt_tokenizer *tokenizer;
    struct pt_template *template;
    struct pt_source *source;
    struct pt_inputs *inputs;
    struct pt_generator *generator;
    struct pt_sink *sink;
    struct pt_answers *answers;
};

static void close_run(struct run *run)
{
    pt_answers_free(run->answers);
    pt_sink_discard(run->sink);
    pt_generator_close(run->generator);
    pt_inputs_close(run->inputs);
    pt_source_close(run->source);
    pt_template_free(run->template);
    pt_tokenizer_close(run->tokenizer);
    pt_tuned_model_close(&run->model);
}

/* The model's own settings, and the options on top. */
static int choose_generation(struct run *run, struct pt_error *err)
{
    pt_generation_defaults(&run->generation);
    run->generation.greedy = run->settings->greedy;
    if (pt_generation_read(&run->generation, run->settings->model, err))
        return (int)err->status;
    for (size_t i = 0; i < PT_GENERATION_NUMBERS; i++) {
        char *field = (char *)&run->generation + pt_generation_ranges[i].offset;
        if (!run->settings->given[i])
            continue;
        if (pt_generation_ranges[i].real)
            memcpy(field, &run->settings->reals[i], sizeof(double));
        else
            memcpy(field, &run->settings->counts[i], sizeof(uint64_t));
    }
    if (run->settings->given[PT_MAX_LENGTH] && !run->settings->given[PT_MAX_NEW_TOKENS])
        run->generation.max_new_tokens = 0;
    return PT_OK;
}

static int open_model(struct run *run, struct pt_error *err)
{
    const struct pt_tuned_model_options options = {
        .model = run->settings->model,
        .prompt = run->settings->prompt,
        .math = run->common->math,
        .engine = {.memory = run->common->memory, .forward_only = true},
        .ignore_fingerprint = run->common->ignore_fingerprint,
    };
    if (pt_tuned_model_open(&run->model, &options, err))
        return (int)err->status;
    return choose_generation(run, err);
}

/* --template, else what the prompt was tuned with, else the default one. */
static int open_template(struct run *run, struct pt_error *err)
{
    const char *text = run->model.tuned ? pt_tuned_metadata(run->model.tuned, PT_KEY_TEMPLATE) : NULL;
    if (!run->settings->chat)
        return PT_OK;
    if (run->settings->template || !text)
        return pt_template_named(&run->template, run->settings->template, err);
    json_t *object;
    if (pt_json_parse(&object, text, strlen(text), "the prompt's template", err))
        return (int)err->status;
    int status = pt_template_from_json(&run->template, object, err);
    json_decref(object);
    return status;
}

/* A prompt that was tuned on another tokenizer's ids is refused. */
static int check_tokenizer(const struct run *run, struct pt_error *err)
{
    const char *tuned =
        run->model.tuned ? pt_tuned_metadata(run->model.tuned, PT_KEY_TOKENIZER_FINGERPRINT) : NULL;
    struct pt_fingerprint ours = pt_tokenizer_fingerprint(run->tokenizer);
    if (run->common->ignore_fingerprint)
        return PT_OK;
    return pt_tokenizer_match(run->settings->prompt, tuned, run->settings->model, ours.text, err);
}

static int open_inputs(struct run *run, struct pt_error *err)
{
    const struct pt_common *common = run->common;
    if (!run->settings->input_ids && (pt_tokenizer_open(&run->tokenizer, run->settings->model, err) ||
                                      check_tokenizer(run, err) || open_template(run, err)))
        return (int)err->status;
    if (!common->n_arguments && pt_source_open(&run->source, "-", err))
        return (int)err->status;
    struct pt_inputs_options options = {
        .texts = common->arguments,
        .n_texts = common->n_arguments,
        .source = run->source,
        .tokenizer = run->tokenizer,
        .template = run->template,
        .vocab_size = pt_model_config(run->model.base)->vocab_size,
    };
    return pt_inputs_open(&run->inputs, &options, err);
}

static int open_answers(struct run *run, struct pt_error *err)
{
    const struct settings *settings = run->settings;
    struct pt_answers_options options = {
        .form = settings->json        ? PT_ANSWER_JSON
                : settings->input_ids ? PT_ANSWER_IDS
                                      : PT_ANSWER_TEXT,
        .terminator = settings->terminator,
        .tokenizer = run->tokenizer,
        .stops = settings->stops,
        .n_stops = settings->n_stops,
    };
    if (pt_sink_open(&run->sink, run->common->output, err))
        return (int)err->status;
    return pt_answers_new(&run->answers, run->sink, &options, err);
}

/* Answers a group of inputs, in parts where the memory has no room for all at once. */
static int answer_group(struct run *run, size_t n, uint64_t first, struct pt_error *err)
{
    const struct pt_generation_input *group = pt_inputs_group(run->inputs);
    const size_t n_samples = run->settings->n_samples;
    for (size_t begin = 0, part; begin < n; begin += part) {
        const uint64_t number = first + begin;
        part = pt_generator_room(run->generator, group + begin, n - begin, n_samples);
        if (pt_answers_begin(run->answers, pt_inputs_texts(run->inputs) + begin, part, n_samples, number,
                             err) ||
            pt_generator_run(run->generator, group + begin, part, n_samples, number * n_samples,
                             pt_answers_take, run->answers, err))
            return (int)err->status;
    }
    return PT_OK;
}

static int answer_all(struct run *run, struct pt_error *err)
{
    /* A person at a terminal gets each answer before the next question. */
    size_t batch = run->common->n_arguments || !isatty(STDIN_FILENO) ? BATCH : 1, n;
    for (uint64_t first = 0;; first += n) {
        if (pt_inputs_next(run->inputs, batch, &n, err))
            return (int)err->status;
        if (!n)
            return PT_OK;
        if (answer_group(run, n, first, err))
            return (int)err->status;
    }
}

static int do_run(struct run *run, struct pt_error *err)
{
    if (open_model(run, err) || open_inputs(run, err) || open_answers(run, err) ||
        pt_generator_open(&run->generator, run->model.engine, pt_model_config(run->model.base),
                          &run->generation, run->settings->seed, run->common->memory, err) ||
        answer_all(run, err))
        return (int)err->status;
    struct pt_sink *sink = run->sink;
    run->sink = NULL;
    return pt_sink_commit(sink, err);
}

static int run(void *context, const struct pt_common *common, struct pt_error *err)
{
    struct run run = {.settings = context, .common = common};
    if (!run.settings->model)
        return pt_fail(err, PT_USAGE, "no model: -m MODEL is needed");
    if (run.settings->input_ids && (run.settings->chat || run.settings->n_stops))
        return pt_fail(err, PT_USAGE, "--input-ids does not go with --chat, --template or --stop");
    int status = do_run(&run, err);
    close_run(&run);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings = {.seed = 42, .n_samples = 1, .terminator = '\n'};
    const struct pt_tool tool = {
        .name = "pt-sample",
        .synopsis = "[TEXT...]",
        .most_arguments = PT_ANY_NUMBER,
        .summary =
            "Continue texts (arguments, or the lines of standard input) with a model and a tuned prompt.\v"
            "Examples:\n"
            "  pt-sample -m MODEL -p prompt.safetensors --chat 'What should I see in Chongqing?'\n"
            "  pt-sample -m MODEL --greedy --json < questions.txt | jq -r .text",
        .uses = PT_USES_THREADS | PT_USES_MATH | PT_USES_MEMORY | PT_USES_FINGERPRINT,
        .options = option_table,
        .settings = &settings,
        .set = set,
        .run = run,
    };
    return pt_tool_main(&tool, argc, argv);
}
