/*
 * What a run's numbers come from, so that a saved state is not taken up by another run.
 */
#ifndef PT_TUNE_RUN_IDENTITY_H
#define PT_TUNE_RUN_IDENTITY_H

#include "tune/training.h"

/*
 * An object of strings: model, prompt (values and metadata), head of the stream, arithmetic, slices, and the
 * settings by the names of their options. To be taken before the first step, from a training whose stream,
 * model and settings are set. NULL on failure.
 */
json_t *pt_run_identity(const struct pt_training *training, struct pt_error *err) PT_MUST_USE;

/* The arithmetic, unless one is asked for, and the slices of the run that a state is of. PT_BAD_INPUT where it
 * names none; `options` borrows from the state. */
int pt_run_follow(const struct pt_state *state, struct pt_tuned_model_options *options,
                  struct pt_error *err) PT_MUST_USE;

/*
 * Writes into the tuned object's metadata what it was trained on, and puts an entry for pt-train behind its
 * history: the settings, as options, whether they were given or not, and nothing that is the same run by
 * another way (paths, threads, states).
 */
int pt_run_record(const struct pt_training *training, const struct pt_position *position,
                  struct pt_error *err) PT_MUST_USE;

#endif
