/*
 * pt-train: a stream of updates to a tuned prompt.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "cli/profile_table.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/tool.h"
#include "tune/run_identity.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    OPTION_LEARNING_RATE = PT_OPTION_KEYS,
    OPTION_SCHEDULE,
    OPTION_WARMUP_STEPS,
    OPTION_WARMUP_RATIO,
    OPTION_OPTIMIZER,
    OPTION_WEIGHT_DECAY,
    OPTION_MAX_GRAD_NORM,
    OPTION_LOSS,
    OPTION_MAX_STEPS,
    OPTION_LOG,
    OPTION_LOG_EVERY,
    OPTION_SAVE,
    OPTION_SAVE_EVERY,
    OPTION_RESUME,
    OPTION_EVAL,
    OPTION_EVAL_EVERY,
    OPTION_PACK,
    OPTION_PROFILE,
};

struct settings {
    const char *model, *prompt, *log, *save, *resume, *eval;
    struct pt_training_settings training; /* but for what depends on the stream */
    double warmup_ratio;
    uint64_t max_steps, log_every, save_every, eval_every;
    bool pack, profile;
};

static const struct argp_option option_table[] = {
    {"model", 'm', "MODEL", 0, "Folder of the model (required)", 0},
    {"prompt", 'p', "PROMPT", 0, "The prompt to start from: a tensor file or a PEFT adapter (required)", 0},
    {"learning-rate", OPTION_LEARNING_RATE, "R", 0, "Highest learning rate (default 0.01)", 0},
    {"schedule", OPTION_SCHEDULE, "NAME", 0,
     "How the rate goes on: linear, cosine or constant (default linear)", 0},
    {"warmup-steps", OPTION_WARMUP_STEPS, "N", 0, "Let the rate rise over the first N updates (default 0)",
     0},
    {"warmup-ratio", OPTION_WARMUP_RATIO, "R", 0, "--warmup-steps as a share of all updates", 0},
    {"optimizer", OPTION_OPTIMIZER, "NAME", 0, "adamw or sgd (default adamw)", 0},
    {"weight-decay", OPTION_WEIGHT_DECAY, "D", 0, "Decoupled weight decay; for sgd an L2 term (default 0)",
     0},
    {"max-grad-norm", OPTION_MAX_GRAD_NORM, "N", 0, "Clip gradients to norm N; 0: never (default 1)", 0},
    {"loss", OPTION_LOSS, "RULE", 0,
     "token-mean: over an update's counted tokens; batch-mean: of its micro-batches' means (default "
     "token-mean)",
     0},
    {"max-steps", OPTION_MAX_STEPS, "N", 0, "Stop behind N updates; the schedule stays the stream's", 0},
    {"eval", OPTION_EVAL, "FILE", 0,
     "Measure the loss on FILE's examples, at the end and as --eval-every says", 0},
    {"eval-every", OPTION_EVAL_EVERY, "N", 0, "Measure it every N updates as well", 0},
    {"log", OPTION_LOG, "FILE", 0, "Write a log as JSON Lines to FILE", 0},
    {"log-every", OPTION_LOG_EVERY, "N", 0,
     "A line of the log, and of progress, every N updates (default 10)", 0},
    {"save", OPTION_SAVE, "FILE", 0, "Keep the state of the run in FILE, for --resume", 0},
    {"save-every", OPTION_SAVE_EVERY, "N", 0, "Save it every N updates, and when the run ends (default 10)",
     0},
    {"resume", OPTION_RESUME, "FILE", 0,
     "Go on from the state in FILE, on the same stream from its beginning", 0},
    {"pack", OPTION_PACK, NULL, 0, "Keep weights packed for products as well, as far as --memory goes", 0},
    {"profile", OPTION_PROFILE, NULL, 0, "Say at the end where the time of the updates went", 0},
    {0},
};

static int set_training(struct settings *settings, int key, const char *text, struct pt_error *err)
{
    struct pt_training_settings *training = &settings->training;
    size_t choice = 0;
    switch (key) {
    case OPTION_LEARNING_RATE:
        return pt_option_double("--learning-rate", text, 0, HUGE_VAL, &training->schedule.learning_rate, err);
    case OPTION_WARMUP_STEPS:
        return pt_option_u64("--warmup-steps", text, 0, UINT64_MAX, &training->schedule.n_warmup, err);
    case OPTION_WARMUP_RATIO:
        return pt_option_double("--warmup-ratio", text, 0, 1, &settings->warmup_ratio, err);
    case OPTION_WEIGHT_DECAY:
        return pt_option_double("--weight-decay", text, 0, HUGE_VAL, &training->optimizer.weight_decay, err);
    case OPTION_MAX_GRAD_NORM:
        return pt_option_double("--max-grad-norm", text, 0, HUGE_VAL, &training->max_grad_norm, err);
    case OPTION_SCHEDULE:
        if (!pt_option_choice("--schedule", text, pt_schedule_names, &choice, err))
            training->schedule.kind = (enum pt_schedule_kind)choice;
        return (int)err->status;
    case OPTION_OPTIMIZER:
        if (!pt_option_choice("--optimizer", text, pt_optimizer_names, &choice, err))
            training->optimizer.kind = (enum pt_optimizer_kind)choice;
        return (int)err->status;
    default:
        if (!pt_option_choice("--loss", text, pt_loss_rule_names, &choice, err))
            training->loss_rule = (enum pt_loss_rule)choice;
        return (int)err->status;
    }
}

static int set_file(struct settings *settings, int key, const char *path, struct pt_error *err)
{
    const char **file = key == 'm'             ? &settings->model
                        : key == 'p'           ? &settings->prompt
                        : key == OPTION_LOG    ? &settings->log
                        : key == OPTION_SAVE   ? &settings->save
                        : key == OPTION_RESUME ? &settings->resume
                                               : &settings->eval;
    if (!*path)
        return pt_fail(err, PT_USAGE, "the name of a file is empty");
    *file = path;
    return PT_OK;
}

static int set(void *context, int key, const char *argument, struct pt_error *err)
{
    struct settings *settings = context;
    switch (key) {
    case 'm':
    case 'p':
    case OPTION_LOG:
    case OPTION_SAVE:
    case OPTION_RESUME:
    case OPTION_EVAL:
        return set_file(settings, key, argument, err);
    case OPTION_MAX_STEPS:
        return pt_option_u64("--max-steps", argument, 1, UINT64_MAX, &settings->max_steps, err);
    case OPTION_LOG_EVERY:
        return pt_option_u64("--log-every", argument, 1, UINT64_MAX, &settings->log_every, err);
    case OPTION_SAVE_EVERY:
        return pt_option_u64("--save-every", argument, 1, UINT64_MAX, &settings->save_every, err);
    case OPTION_EVAL_EVERY:
        return pt_option_u64("--eval-every", argument, 1, UINT64_MAX, &settings->eval_every, err);
    case OPTION_PACK:
        settings->pack = true;
        return PT_OK;
    case OPTION_PROFILE:
        settings->profile = true;
        return PT_OK;
    default:
        return set_training(settings, key, argument, err);
    }
}

/* Everything that a run opens, and what its progress needs. */
struct run {
    const struct settings *settings;
    const struct pt_common *common;
    const char *stream_path;
    struct pt_sink *output;
    struct pt_state *state;
    struct pt_tuned_model model;
    struct pt_source *source;
    struct pt_stream_reader *stream;
    struct pt_held_out held_out;
    struct pt_run_log *log;
    json_t *identity;
    struct pt_training training;
    struct pt_progress progress;
    struct pt_stream_totals start; /* what was done when this process began */
    double start_seconds;
    bool reader_gone; /* nobody is left to read the output */
};

static void close_run(struct run *run)
{
    json_decref(run->identity);
    pt_held_out_free(&run->held_out);
    pt_stream_reader_free(run->stream);
    pt_source_close(run->source);
    pt_tuned_model_close(&run->model);
    pt_state_close(run->state);
    pt_sink_discard(run->output);
}

static int check_settings(const struct settings *settings, const char *stream_path, struct pt_error *err)
{
    if (!settings->model)
        return pt_fail(err, PT_USAGE, "no model: -m MODEL is needed");
    if (!settings->prompt)
        return pt_fail(err, PT_USAGE, "no prompt to start from: -p PROMPT is needed (pt-init makes one)");
    int standard_inputs = !strcmp(stream_path, "-") + !strcmp(settings->prompt, "-") +
                          (settings->eval && !strcmp(settings->eval, "-"));
    if (standard_inputs > 1)
        return pt_fail(err, PT_USAGE,
                       "standard input can be only one of the stream, the prompt and the examples of --eval");
    if (settings->warmup_ratio > 0 && settings->training.schedule.n_warmup)
        return pt_fail(err, PT_USAGE, "--warmup-steps and --warmup-ratio exclude each other");
    if (settings->save && !strcmp(settings->save, "-"))
        return pt_fail(err, PT_USAGE, "--save: a state is a file, not standard output");
    if (settings->eval_every && !settings->eval)
        return pt_fail(err, PT_USAGE, "--eval-every needs --eval FILE");
    return pt_check_binary_input(stream_path, err);
}

/* Output and state first: a place that cannot be written is found now, not behind the last update. */
static int open_output(struct run *run, struct pt_error *err)
{
    const struct settings *settings = run->settings;
    const struct pt_output_name outputs[] = {
        {run->common->output, settings->prompt}, {settings->save, settings->resume}, {settings->log, NULL}};
    const char *const inputs[] = {run->stream_path, settings->prompt, settings->eval, settings->resume,
                                  settings->model};
    if (pt_check_outputs(outputs, 3, inputs, sizeof inputs / sizeof *inputs, err) ||
        pt_open_binary_output(&run->output, run->common, err))
        return (int)err->status;
    struct pt_sink *trial = NULL;
    if (run->settings->save && pt_sink_open(&trial, run->settings->save, err))
        return (int)err->status;
    pt_sink_discard(trial);
    return PT_OK;
}

static int open_model(struct run *run, struct pt_error *err)
{
    struct pt_tuned_model_options options = {
        .model = run->settings->model,
        .prompt = run->settings->prompt,
        .math = run->common->math,
        .engine = {.memory = run->common->memory, .pack = run->settings->pack},
        .ignore_fingerprint = run->common->ignore_fingerprint,
    };
    if (run->state && !options.ignore_fingerprint && pt_run_follow(run->state, &options, err))
        return (int)err->status;
    return pt_tuned_model_open(&run->model, &options, err);
}

static int open_stream(struct run *run, struct pt_error *err)
{
    if (pt_tuned_model_open_stream(&run->model, run->stream_path, &run->source, &run->stream, err))
        return (int)err->status;
    return pt_stream_reader_check_updates(run->stream, err);
}

static int open_inputs(struct run *run, struct pt_error *err)
{
    const struct settings *settings = run->settings;
    if ((settings->resume && pt_state_open(&run->state, settings->resume, err)) || open_model(run, err) ||
        (settings->eval && pt_held_out_read(&run->held_out, settings->eval, &run->model, err)))
        return (int)err->status;
    return open_stream(run, err);
}

/* Not before the state is known to be of this stream: a log that is gone on with is cut. */
static int open_log(void *context, struct pt_error *err)
{
    struct run *run = context;
    const char *path = run->settings->log;
    struct pt_position resumed = {0};
    if (run->state)
        resumed = pt_training_resumed(&run->training);
    run->start = resumed.done;
    if (path && pt_run_log_open(&run->log, path, run->state ? &resumed : NULL, err))
        return (int)err->status;
    run->training.log = run->log;
    return PT_OK;
}

static void show_update(void *context, const struct pt_update_report *report)
{
    struct run *run = context;
    const struct pt_stream_totals *done = &report->position->done;
    const uint64_t n = pt_training_updates(&run->training), updates = done->updates - run->start.updates;
    const double seconds = fmax(pt_clock_seconds() - run->start_seconds, 1e-9);
    char eta[PT_DURATION_TEXT];
    pt_format_duration(seconds / (double)updates * (double)(n - done->updates), eta);
    pt_progress_field(&run->progress, "step", "%" PRIu64 "/%" PRIu64, done->updates, n);
    pt_progress_field(&run->progress, "epoch", "%.2f", report->position->epoch);
    pt_progress_field(&run->progress, "loss", "%.4f", report->loss);
    pt_progress_field(&run->progress, "grad_norm", "%.3g", report->grad_norm);
    pt_progress_field(&run->progress, "learning_rate", "%.3g", report->learning_rate);
    pt_progress_field(&run->progress, "examples/s", "%.2f",
                      (double)(done->examples - run->start.examples) / seconds);
    pt_progress_field(&run->progress, "tokens/s", "%.0f",
                      (double)(done->tokens - run->start.tokens) / seconds);
    pt_progress_field(&run->progress, "eta", "%s", eta);
    pt_progress_show(&run->progress, report->line);
}

static void show_evaluation(void *context, const struct pt_position *position)
{
    (void)context;
    pt_log(PT_LOG_NOTE, "step %" PRIu64 ": eval_loss %.4f", position->done.updates, position->eval_loss);
}

/* Asked between updates, and time and again while waiting for input. */
static bool should_stop(void *context)
{
    struct run *run = context;
    run->reader_gone = run->reader_gone || pt_sink_reader_gone(run->output);
    return run->reader_gone || pt_signals_pending();
}

static int prepare(struct run *run, struct pt_error *err)
{
    const struct settings *settings = run->settings;
    struct pt_training *training = &run->training;
    *training = (struct pt_training){
        .stream = run->stream,
        .model = &run->model,
        .settings = settings->training,
        .max_updates = settings->max_steps,
        .held_out = settings->eval ? &run->held_out : NULL,
        .eval_every = settings->eval_every,
        .log_every = settings->log_every,
        .save = settings->save,
        .save_every = settings->save_every,
        .resumed = run->state,
        .ignore_mismatch = run->common->ignore_fingerprint,
        .profile = settings->profile,
        .events = {run, open_log, show_update, show_evaluation, should_stop},
    };
    struct pt_schedule *schedule = &training->settings.schedule;
    schedule->n_updates = pt_stream_reader_head(run->stream)->schedule_updates;
    if (settings->warmup_ratio > 0)
        schedule->n_warmup = pt_schedule_warmup(settings->warmup_ratio, schedule->n_updates);
    training->identity = run->identity = pt_run_identity(training, err);
    if (!run->identity ||
        (run->state && pt_state_check(run->state, run->identity, training->ignore_mismatch, err)))
        return (int)err->status;
    return pt_training_check(training, err);
}

/* In the words of PEFT's print_trainable_parameters. */
static void show_parameters(const struct run *run)
{
    char trainable[PT_NUMBER_TEXT], all[PT_NUMBER_TEXT];
    uint64_t n = pt_parameters_count(pt_tuned_parameters(run->model.tuned)),
             n_all = n + pt_model_parameters(run->model.base);
    pt_log(PT_LOG_NOTE, "trainable params: %s || all params: %s || trainable%%: %.4f",
           pt_format_thousands(n, trainable), pt_format_thousands(n_all, all),
           100 * (double)n / (double)n_all);
}

static void show_dropout(const struct run *run)
{
    double dropout = pt_model_config(run->model.base)->dropout;
    if (dropout > 0)
        pt_log(PT_LOG_NOTE, "dropout of the frozen model is off (its configuration has %g)", dropout);
}

static int train(struct run *run, struct pt_training_result *result, struct pt_error *err)
{
    show_parameters(run);
    show_dropout(run);
    pt_progress_start(&run->progress, run->common);
    pt_signals_defer();
    run->start_seconds = pt_clock_seconds();
    (void)!pt_training_run(&run->training, result, err);
    pt_progress_finish();
    return pt_run_log_close(run->log, err);
}

/* Told to stop: the state is saved, nothing is delivered. */
static int report_stop(const struct run *run, const struct pt_training_result *result)
{
    if (pt_signals_pending() || run->settings->save)
        pt_log(PT_LOG_NOTE, "stopped behind update %" PRIu64 " of %" PRIu64 "%s%s",
               result->position.done.updates, pt_training_updates(&run->training),
               run->settings->save ? "; the state is in " : "",
               run->settings->save ? run->settings->save : "");
    return PT_OK;
}

static int deliver(struct run *run, const struct pt_training_result *result, struct pt_error *err)
{
    const struct pt_position *at = &result->position;
    if (pt_run_record(&run->training, at, err) || pt_tuned_write(run->model.tuned, run->output, err))
        return (int)err->status;
    struct pt_sink *complete = run->output;
    run->output = NULL;
    if (pt_sink_commit(complete, err))
        return (int)err->status;
    char duration[PT_DURATION_TEXT];
    pt_log(PT_LOG_NOTE, "%" PRIu64 " updates of %" PRIu64 " examples in %s, train_loss %.4f",
           at->done.updates, at->done.examples,
           pt_format_duration(pt_clock_seconds() - run->start_seconds, duration),
           at->loss_sum / (double)at->done.updates);
    if (run->settings->profile)
        pt_profile_table(run->model.math, pt_model_dtype(run->model.base),
                         at->done.updates - run->start.updates);
    return PT_OK;
}

static int do_run(struct run *run, struct pt_error *err)
{
    struct pt_training_result result;
    if (check_settings(run->settings, run->stream_path, err) || open_output(run, err))
        return (int)err->status;
    pt_source_set_interrupt(should_stop, run);
    if (open_inputs(run, err) || prepare(run, err) || train(run, &result, err))
        return (int)err->status;
    return result.stopped ? report_stop(run, &result) : deliver(run, &result, err);
}

static int run(void *context, const struct pt_common *common, struct pt_error *err)
{
    struct run run = {
        .settings = context,
        .common = common,
        .stream_path = common->n_arguments ? common->arguments[0] : "-",
    };
    int status = do_run(&run, err);
    pt_source_set_interrupt(NULL, NULL);
    close_run(&run);
    /* As one who writes to nobody dies; of a signal noted, pt_tool_main dies. */
    if (run.reader_gone && !pt_signals_pending())
        raise(SIGPIPE);
    return status;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .training = {.schedule = {.learning_rate = 0.01}, .max_grad_norm = 1},
        .max_steps = UINT64_MAX,
        .log_every = 10,
        .save_every = 10,
    };
    const struct pt_tool tool = {
        .name = "pt-train",
        .synopsis = "[FILE]",
        .most_arguments = 1,
        .summary = "Tune a prompt on a stream of updates (FILE, else standard input) and write it to "
                   "standard output.\v"
                   "Examples:\n"
                   "  pt-tokenize -m MODEL data.json | pt-pack | pt-train -m MODEL -p first.safetensors > "
                   "prompt.safetensors\n"
                   "  pt-train -m MODEL -p first.safetensors --save run.state updates -o prompt.safetensors",
        .uses = PT_USES_THREADS | PT_USES_MATH | PT_USES_MEMORY | PT_USES_FINGERPRINT,
        .options = option_table,
        .settings = &settings,
        .set = set,
        .run = run,
    };
    return pt_tool_main(&tool, argc, argv);
}
