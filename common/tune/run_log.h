/*
 * The log of a run: JSON Lines with the keys of transformers' Trainer. A line each for
 *
 *     every so many updates   loss (mean of the updates since the last such line), grad_norm, learning_rate,
 *                             epoch, step
 *     an evaluation           eval_loss, eval_targets, epoch, step
 *     the end                 train_loss, examples, tokens, targets, epoch, step, and the only values that
 *                             depend on the clock: train_runtime (seconds), train_samples_per_second,
 *                             train_steps_per_second
 *
 * Numbers are written so that they read back exactly. Each line is handed to the system when it is complete.
 */
#ifndef PT_TUNE_RUN_LOG_H
#define PT_TUNE_RUN_LOG_H

#include "tune/state.h"

struct pt_run_log;

/*
 * Starts a new log; "-" is standard output. With `resumed`, goes on in the one that is there: lines behind
 * the position's update, an evaluation behind it that the position does not know, the line of totals and a last
 * line that is not complete are taken away (a file with other lines is PT_BAD_INPUT), so that the log becomes
 * that of a run which was never stopped.
 */
int pt_run_log_open(struct pt_run_log **log, const char *path, const struct pt_position *resumed,
                    struct pt_error *err) PT_MUST_USE;
int pt_run_log_close(struct pt_run_log *log,
                     struct pt_error *err) PT_MUST_USE; /* frees it in any case; NULL is allowed */

int pt_run_log_updates(struct pt_run_log *log, const struct pt_position *position, double loss,
                       double grad_norm, double learning_rate, struct pt_error *err) PT_MUST_USE;
int pt_run_log_evaluation(struct pt_run_log *log, const struct pt_position *position, uint64_t targets,
                          struct pt_error *err) PT_MUST_USE;
/* `examples` and `updates` are those of this process, `seconds` its time. */
int pt_run_log_totals(struct pt_run_log *log, const struct pt_position *position, uint64_t examples,
                      uint64_t updates, double seconds, struct pt_error *err) PT_MUST_USE;

#endif
