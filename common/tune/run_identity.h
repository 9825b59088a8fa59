/*
 * What a run's numbers come from, so that a saved state is not taken up by another run.
 */
#ifndef PT_TUNE_RUN_IDENTITY_H
#define PT_TUNE_RUN_IDENTITY_H

#include "tune/training.h"

#define PT_RUN_MATH "math"               /* pt_math_name */
#define PT_RUN_SLICE_ROWS "slice rows"   /* pt_engine_slice_rows */
#define PT_RUN_ACTIVATIONS "activations" /* pt_engine_recomputes: one of the next two */
#define PT_RUN_KEPT "kept"
#define PT_RUN_RECOMPUTED "recomputed"

/*
 * An object of strings: model, prompt (values and metadata), head of the stream, arithmetic, slices, and the
 * settings by the names of their options. To be taken before the first step, from a training whose stream,
 * model and settings are set. NULL on failure.
 */
json_t *pt_run_identity(const struct pt_training *training, struct pt_error *err) PT_MUST_USE;

/*
 * Writes into the tuned object's metadata what it was trained on, and puts an entry for pt-train behind its
 * history: the settings, as options, whether they were given or not, and nothing that is the same run by
 * another way (paths, threads, states).
 */
int pt_run_record(const struct pt_training *training, const struct pt_position *position,
                  struct pt_error *err) PT_MUST_USE;

#endif
