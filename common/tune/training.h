/*
 * The training loop: updates come down a stream one at a time, and a step of the optimiser follows each. It
 * works on a list of named parameters and on plugs, and never asks which method it trains.
 */
#ifndef PT_TUNE_TRAINING_H
#define PT_TUNE_TRAINING_H

#include "tune/held_out.h"
#include "tune/loss_rule.h"
#include "tune/run_log.h"
#include "tune/schedule.h"

/* Settings that change the numbers. */
struct pt_training_settings {
    struct pt_optimizer_settings optimizer;
    struct pt_schedule schedule;
    double max_grad_norm; /* 0: gradients are not clipped */
    enum pt_loss_rule loss_rule;
};

/* What an update was like. */
struct pt_update_report {
    const struct pt_position *position; /* behind it */
    double loss;                        /* mean of the updates since the last line of the log */
    double grad_norm;                   /* before clipping */
    double learning_rate;               /* that it used */
    bool line;                          /* a line of the log is due, and `loss` starts anew behind it */
};

/* What the caller wants to hear; each function may be NULL. */
struct pt_training_events {
    void *context;
    /* Once, in front of the first update: a run that goes on has found its place in the stream. May set `log`. */
    int (*started)(void *context, struct pt_error *err);
    void (*updated)(void *context, const struct pt_update_report *report);
    void (*evaluated)(void *context, const struct pt_position *position);
    /* Asked between updates: true ends the run tidily. */
    bool (*should_stop)(void *context);
};

/* A run; everything it points to is borrowed. */
struct pt_training {
    struct pt_stream_reader *stream; /* of updates, nothing read but the head */
    struct pt_tuned_model *model;    /* its tuned object is what is trained */
    struct pt_training_settings settings;
    const json_t *identity; /* of pt_run_identity; goes into states */

    uint64_t max_updates;               /* stop early; UINT64_MAX: not */
    const struct pt_held_out *held_out; /* or NULL */
    uint64_t eval_every;                /* updates; 0: only at the end */
    struct pt_run_log *log;             /* or NULL */
    uint64_t log_every;
    const char *save; /* path of the state, or NULL */
    uint64_t save_every;
    const struct pt_state *resumed; /* checked by pt_state_check, or NULL */
    bool ignore_mismatch;           /* of the stream and the state */
    bool profile;                   /* measure the updates: base/profile.h */
    struct pt_training_events events;
};

struct pt_training_result {
    struct pt_position position;
    bool stopped; /* because should_stop said so: there is no result to deliver, and the state was saved if
                     asked */
};

/* Updates that the run will have done at its end. */
uint64_t pt_training_updates(const struct pt_training *training);

/* Whether the stream has updates, and whether the state that the run goes on from lies on its way:
 * PT_MISMATCH where it is behind the stream's last update or behind max_updates. */
int pt_training_check(const struct pt_training *training, struct pt_error *err) PT_MUST_USE;

/* Where a run that goes on stands: the state's position, but for an evaluation that was due only since the
 * saved run ended there. */
struct pt_position pt_training_resumed(const struct pt_training *training);

/*
 * Runs to the end: the tuned object then holds the result. After the last update the stream is still read to
 * its end section, so that its producer can finish and what came is known to be what its head promised. A
 * loss, gradient or value that is not finite is PT_NUMERIC and names the update and its examples; an update
 * without any counted token has loss 0 and gradient 0, with a warning. Where an evaluation fails, the state
 * is saved first, if it is to be saved at all.
 */
int pt_training_run(const struct pt_training *training, struct pt_training_result *result,
                    struct pt_error *err) PT_MUST_USE;

#endif
