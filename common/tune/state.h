/*
 * The state of a run, as pt-train --save writes it and --resume reads it: a safetensors file with the
 * parameters' values, the optimiser's moments, where the run stands, and what the run is. A run that goes on
 * from it gives the bytes of one that was never stopped.
 *
 * Tensors: each parameter by its name, its moments as NAME.exp_avg and NAME.exp_avg_sq, all f32. Metadata:
 * "kind" ("training-state"), the fields of struct pt_position, and the run's identity with "run." in front of
 * each key. No time stamps: equal runs have equal states.
 */
#ifndef PT_TUNE_STATE_H
#define PT_TUNE_STATE_H

#include "fmt/stream.h"
#include "tune/optimizer.h"

/* Where a run stands behind some update. */
struct pt_position {
    struct pt_stream_totals done;
    uint64_t chain;          /* pt_stream_reader_chain behind the last update */
    double epoch;            /* of the last update */
    double loss_sum;         /* of all updates' losses */
    double window_loss_sum;  /* of those since the last line of the log */
    uint64_t window_updates; /* their number */
    bool evaluated;          /* eval_loss was measured behind eval_updates updates */
    uint64_t eval_updates;
    double eval_loss;
};

#define PT_KEY_KIND "kind" /* metadata; prompts have none */
#define PT_STATE_KIND "training-state"

/*
 * Replaces the file at once, when all is written. `identity` is an object of strings: everything that other
 * numbers could come from (model, prompt, stream, arithmetic, settings), compared when a run goes on.
 */
int pt_state_write(const char *path, const struct pt_position *position, const json_t *identity,
                   const struct pt_parameters *parameters, const struct pt_optimizer *optimizer,
                   struct pt_error *err) PT_MUST_USE;

struct pt_state;

/* PT_MISMATCH for a file of another kind. */
int pt_state_open(struct pt_state **state, const char *path, struct pt_error *err) PT_MUST_USE;
void pt_state_close(struct pt_state *state); /* NULL is allowed */

const char *pt_state_name(const struct pt_state *state); /* the path, for messages */
const struct pt_position *pt_state_position(const struct pt_state *state);
/* A value of the identity, NULL where there is none. */
const char *pt_state_identity(const struct pt_state *state, const char *key);
/* PT_MISMATCH names every value that differs, and both its sides; with ignore_mismatch that is a warning. */
int pt_state_check(const struct pt_state *state, const json_t *identity, bool ignore_mismatch,
                   struct pt_error *err) PT_MUST_USE;
/* Puts values, moments and the number of updates back. PT_MISMATCH where a tensor is missing or has another
 * shape. */
int pt_state_restore(const struct pt_state *state, struct pt_parameters *parameters,
                     struct pt_optimizer *optimizer, struct pt_error *err) PT_MUST_USE;

#endif
