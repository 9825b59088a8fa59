/*
 * One function a stage: take up a saved state, go through the updates, finish. A stage between two updates
 * (log, evaluation, state) runs in this order, so that a state saved behind an update implies that its line
 * and its evaluation are there.
 */
#include "tune/training.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/profile.h"
#include "tune/clip.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* A run under way. */
struct run {
    const struct pt_training *plan;
    struct pt_parameters *parameters; /* the tuned object's */
    struct pt_optimizer *optimizer;   /* owned */
    struct pt_position at;
    struct pt_position start; /* of this process: the resumed one */
    double start_seconds;
    uint64_t saved; /* updates behind which the state was last saved, UINT64_MAX: never */
    bool stopped;
    struct pt_sequence *sequences; /* [capacity], owned: the update's examples */
    double *weights;               /* [capacity], owned */
    size_t sequences_capacity, weights_capacity;
};

static bool should_stop(void *context)
{
    const struct pt_training_events *events = &((struct run *)context)->plan->events;
    return events->should_stop && events->should_stop(events->context);
}

static bool is_due(uint64_t every, uint64_t updates)
{
    return every && updates % every == 0;
}

uint64_t pt_training_updates(const struct pt_training *training)
{
    uint64_t n = pt_stream_reader_head(training->stream)->n_updates;
    return training->max_updates < n ? training->max_updates : n;
}

/* The evaluation at the end of a run that was shorter is none of a run that goes on. */
struct pt_position pt_training_resumed(const struct pt_training *training)
{
    struct pt_position at = *pt_state_position(training->resumed);
    if (at.done.updates < pt_training_updates(training) && !is_due(training->eval_every, at.done.updates))
        at.evaluated = at.evaluated && at.eval_updates < at.done.updates;
    return at;
}

int pt_training_check(const struct pt_training *training, struct pt_error *err)
{
    const uint64_t n = pt_stream_reader_head(training->stream)->n_updates;
    if (!n)
        return pt_fail(err, PT_BAD_INPUT, "the stream holds no updates");
    if (!training->resumed)
        return PT_OK;
    const char *name = pt_state_name(training->resumed);
    const uint64_t done = pt_state_position(training->resumed)->done.updates;
    if (done > n)
        return pt_fail(err, PT_MISMATCH, "%s: is behind update %" PRIu64 ", and the stream has only %" PRIu64,
                       name, done, n);
    if (done > training->max_updates)
        return pt_fail(err, PT_MISMATCH,
                       "%s: is behind update %" PRIu64 ", and the run is to stop behind update %" PRIu64,
                       name, done, training->max_updates);
    return PT_OK;
}

/* Checks the examples and gives every example its words and weight. Returns the counted tokens in *targets.
 */
static int prepare(struct run *run, const struct pt_update *update, uint64_t *targets, struct pt_error *err)
{
    size_t n = update->n_examples;
    if (pt_reserve(&run->sequences, &run->sequences_capacity, n, sizeof *run->sequences, err) ||
        pt_reserve(&run->weights, &run->weights_capacity, n, sizeof *run->weights, err))
        return (int)err->status;
    *targets = pt_loss_weights(run->plan->settings.loss_rule, update, run->weights);
    for (size_t i = 0; i < n; i++) {
        const struct pt_example *example = &update->examples[i];
        if (pt_tuned_model_check_example(run->plan->model, example, run->at.done.examples + i + 1, err))
            return (int)err->status;
        run->sequences[i] = (struct pt_sequence){example->words, example->n_words, run->weights[i]};
    }
    return PT_OK;
}

/* Loss and gradients of the update. */
static int compute(struct run *run, size_t n, double *loss, double *norm, struct pt_error *err)
{
    const struct pt_tuned_model *model = run->plan->model;
    const struct pt_plugs *plugs;
    if (pt_tuned_forward(model->tuned, &plugs, err) ||
        pt_engine_update(model->engine, run->sequences, n, loss, NULL, err) ||
        pt_tuned_backward(model->tuned, err))
        return (int)err->status;
    if (!isfinite(*loss))
        return pt_fail(err, PT_NUMERIC, "the loss is %g", *loss);
    *norm = pt_gradient_norm(run->parameters);
    if (!isfinite(*norm))
        return pt_fail(err, PT_NUMERIC, "the gradient's norm is %g", *norm);
    return PT_OK;
}

static int check_values(const struct pt_parameters *parameters, struct pt_error *err)
{
    PT_PROFILED(PT_PART_OPTIMIZER, PT_FORWARD, pt_parameters_count(parameters) * sizeof(float));
    for (size_t i = 0; i < parameters->n; i++)
        for (size_t j = 0; j < parameters->list[i].n; j++)
            if (!isfinite(parameters->list[i].value[j]))
                return pt_fail(err, PT_NUMERIC, "element %zu of '%s' became %g", j, parameters->list[i].name,
                               (double)parameters->list[i].value[j]);
    return PT_OK;
}

/* One step of the optimiser, and the position behind it. */
static int take_step(struct run *run, const struct pt_update *update, struct pt_update_report *report,
                     struct pt_error *err)
{
    const struct pt_training_settings *settings = &run->plan->settings;
    double loss = 0, norm = 0;
    uint64_t targets = 0;
    pt_parameters_zero_gradients(run->parameters);
    if (prepare(run, update, &targets, err))
        return (int)err->status;
    if (!targets)
        pt_log(PT_LOG_WARNING, "update %" PRIu64 ": no token counts in the loss: loss and gradient are 0",
               run->at.done.updates + 1);
    else if (compute(run, update->n_examples, &loss, &norm, err))
        return (int)err->status;
    if (settings->max_grad_norm > 0)
        pt_clip_gradients(run->parameters, norm, settings->max_grad_norm);
    report->learning_rate = pt_schedule_rate(&settings->schedule, run->at.done.updates);
    report->grad_norm = norm;
    pt_optimizer_step(run->optimizer, report->learning_rate);
    if (check_values(run->parameters, err))
        return (int)err->status;
    run->at.loss_sum += loss;
    run->at.window_loss_sum += loss;
    run->at.window_updates++;
    return PT_OK;
}

/* Says in which update a failure was, and which of the stream's examples it holds. */
static int fail_in_update(const struct run *run, const struct pt_update *update, struct pt_error *err)
{
    pt_error_in(err, "update %" PRIu64 " (examples %" PRIu64 " to %" PRIu64 " of the stream)",
                run->at.done.updates + 1, run->at.done.examples + 1,
                run->at.done.examples + update->n_examples);
    if (err->status == PT_NUMERIC)
        pt_error_hint(
            err,
            "a lower --learning-rate, or --math f32, may help; pt-info --verify checks model and prompt");
    return (int)err->status;
}

static void count(struct run *run, const struct pt_update *update)
{
    run->at.done.updates++;
    run->at.done.examples += update->n_examples;
    for (uint64_t i = 0; i < update->n_examples; i++) {
        run->at.done.tokens += update->examples[i].n_words;
        run->at.done.targets += pt_stream_targets(update->examples[i].words, update->examples[i].n_words);
    }
    run->at.epoch = update->epoch;
    run->at.chain = pt_stream_reader_chain(run->plan->stream);
}

/* Reads on, unless the run is told to stop: *update is there where run->stopped is false. A signal ends
 * waiting for input, and one to the whole pipeline the producer; the run still ends tidily. */
static int read_or_stop(struct run *run, struct pt_update *update, bool *end, struct pt_error *err)
{
    run->stopped = run->stopped || should_stop(run);
    if (run->stopped || !pt_stream_read_update(run->plan->stream, update, end, err))
        return PT_OK;
    run->stopped = should_stop(run);
    if (run->stopped)
        *err = (struct pt_error){0};
    return (int)err->status;
}

static int read_update(struct run *run, struct pt_update *update, struct pt_error *err)
{
    PT_PROFILED(PT_PART_INPUT, PT_FORWARD, 0);
    bool end = false;
    if (read_or_stop(run, update, &end, err))
        return (int)err->status;
    if (end)
        return pt_fail(err, PT_BAD_INPUT, "the stream ends behind update %" PRIu64 " of %" PRIu64,
                       run->at.done.updates, pt_stream_reader_head(run->plan->stream)->n_updates);
    return PT_OK;
}

/* Whether what was skipped is what the saved run had read. */
static int check_chain(const struct run *run, const struct pt_position *to, struct pt_error *err)
{
    const struct pt_training *plan = run->plan;
    if (to->done.updates && run->at.chain != to->chain) {
        if (!plan->ignore_mismatch)
            return pt_fail(err, PT_MISMATCH,
                           "%s: the state of a run on another stream: checksum %016" PRIx64
                           " of its first %" PRIu64 " updates, here %016" PRIx64,
                           pt_state_name(plan->resumed), to->chain, to->done.updates, run->at.chain);
        pt_log(PT_LOG_WARNING, "%s: the state of a run on another stream, used all the same",
               pt_state_name(plan->resumed));
    }
    return PT_OK;
}

/* Reads what the saved run had read, and compares. Where that is stopped, the run stands where it stood. */
static int skip(struct run *run, struct pt_error *err)
{
    const struct pt_position to = pt_training_resumed(run->plan);
    while (!run->stopped && run->at.done.updates < to.done.updates) {
        struct pt_update update;
        if (read_update(run, &update, err))
            return (int)err->status;
        if (!run->stopped)
            count(run, &update);
    }
    if (!run->stopped && check_chain(run, &to, err))
        return (int)err->status;
    uint64_t chain = run->stopped ? to.chain : run->at.chain;
    run->at = to;
    run->at.chain = chain;
    return PT_OK;
}

static int start(struct run *run, struct pt_error *err)
{
    const struct pt_training *plan = run->plan;
    run->parameters = pt_tuned_parameters(plan->model->tuned);
    run->saved = UINT64_MAX;
    if (pt_training_check(plan, err) ||
        pt_optimizer_new(&run->optimizer, &plan->settings.optimizer, run->parameters, err))
        return (int)err->status;
    if (plan->resumed &&
        (pt_state_restore(plan->resumed, run->parameters, run->optimizer, err) || skip(run, err)))
        return (int)err->status;
    run->start = run->at;
    run->start_seconds = pt_clock_seconds();
    return PT_OK;
}

static int save(struct run *run, struct pt_error *err)
{
    if (!run->plan->save || run->saved == run->at.done.updates)
        return PT_OK;
    run->saved = run->at.done.updates;
    return pt_state_write(run->plan->save, &run->at, run->plan->identity, run->parameters, run->optimizer,
                          err);
}

/* What was trained is not lost with an evaluation that failed. */
static int save_before_failing(struct run *run, struct pt_error *err)
{
    struct pt_error unsaved = {0};
    pt_error_in(err, "behind update %" PRIu64, run->at.done.updates);
    if (run->plan->save && run->at.done.updates > run->start.done.updates && !save(run, &unsaved))
        pt_error_hint(err, "the state is in %s", run->plan->save);
    return (int)err->status;
}

/* Measures the held-out loss, unless that was done behind this update. */
static int evaluate(struct run *run, struct pt_error *err)
{
    const struct pt_training *plan = run->plan;
    if (!plan->held_out || (run->at.evaluated && run->at.eval_updates == run->at.done.updates))
        return PT_OK;
    const struct pt_plugs *plugs;
    double loss = 0;
    uint64_t targets = 0;
    bool complete;
    if (pt_tuned_forward(plan->model->tuned, &plugs, err) ||
        pt_held_out_evaluate(plan->held_out, should_stop, run, &loss, &targets, &complete, err))
        return save_before_failing(run, err);
    if (!complete)
        return PT_OK;
    run->saved = UINT64_MAX; /* a state of this update that was saved already lacks the evaluation */
    run->at.evaluated = true;
    run->at.eval_updates = run->at.done.updates;
    run->at.eval_loss = loss;
    if (plan->events.evaluated)
        plan->events.evaluated(plan->events.context, &run->at);
    return plan->log ? pt_run_log_evaluation(plan->log, &run->at, targets, err) : PT_OK;
}

/* Tells the caller and the log about an update. */
static int report_update(struct run *run, struct pt_update_report *report, struct pt_error *err)
{
    const struct pt_training *plan = run->plan;
    report->position = &run->at;
    report->loss = run->at.window_loss_sum / (double)run->at.window_updates;
    report->line = is_due(plan->log_every, run->at.done.updates);
    if (plan->events.updated)
        plan->events.updated(plan->events.context, report);
    if (!report->line)
        return PT_OK;
    run->at.window_loss_sum = 0;
    run->at.window_updates = 0;
    if (!plan->log)
        return PT_OK;
    return pt_run_log_updates(plan->log, &run->at, report->loss, report->grad_norm, report->learning_rate,
                              err);
}

static int one_update(struct run *run, struct pt_error *err)
{
    struct pt_update update;
    struct pt_update_report report = {0};
    pt_profile_run(run->plan->profile);
    if (read_update(run, &update, err) || run->stopped)
        return (int)err->status;
    if (take_step(run, &update, &report, err))
        return fail_in_update(run, &update, err);
    pt_profile_run(false);
    count(run, &update);
    if (report_update(run, &report, err))
        return (int)err->status;
    if (is_due(run->plan->eval_every, run->at.done.updates) && evaluate(run, err))
        return (int)err->status;
    return is_due(run->plan->save_every, run->at.done.updates) ? save(run, err) : PT_OK;
}

/* Through the updates until the last, or until told to stop. */
static int go_through(struct run *run, struct pt_error *err)
{
    uint64_t last = pt_training_updates(run->plan);
    /* The saved run may have been stopped in the middle of an evaluation. */
    if (!run->stopped && run->plan->resumed && is_due(run->plan->eval_every, run->at.done.updates) &&
        evaluate(run, err))
        return (int)err->status;
    while (!run->stopped && run->at.done.updates < last)
        if (one_update(run, err))
            return (int)err->status;
    return PT_OK;
}

/* Lets the producer come to its end section; the reader then compares what came with what the head promised.
 */
static int drain(struct run *run, struct pt_error *err)
{
    for (bool end = false; !end && !run->stopped;) {
        struct pt_update update;
        if (read_or_stop(run, &update, &end, err))
            return (int)err->status;
    }
    return PT_OK;
}

static int finish(struct run *run, struct pt_error *err)
{
    const struct pt_training *plan = run->plan;
    if (!run->stopped && evaluate(run, err))
        return (int)err->status;
    run->stopped = run->stopped || should_stop(run);
    if (save(run, err) || run->stopped || drain(run, err))
        return (int)err->status;
    run->stopped = run->stopped || should_stop(run);
    if (run->stopped || !plan->log)
        return PT_OK;
    return pt_run_log_totals(plan->log, &run->at, run->at.done.examples - run->start.done.examples,
                             run->at.done.updates - run->start.done.updates,
                             pt_clock_seconds() - run->start_seconds, err);
}

static int tell_started(const struct pt_training *plan, struct pt_error *err)
{
    return plan->events.started ? plan->events.started(plan->events.context, err) : PT_OK;
}

int pt_training_run(const struct pt_training *training, struct pt_training_result *result,
                    struct pt_error *err)
{
    struct run run = {.plan = training};
    if (!start(&run, err) && !tell_started(training, err) && !go_through(&run, err) && !finish(&run, err))
        *result = (struct pt_training_result){run.at, run.stopped};
    pt_optimizer_free(run.optimizer);
    free(run.sequences);
    free(run.weights);
    return (int)err->status;
}
