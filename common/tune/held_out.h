/*
 * Held-out examples: a stream kept in memory, whose loss is measured between updates.
 */
#ifndef PT_TUNE_HELD_OUT_H
#define PT_TUNE_HELD_OUT_H

#include "base/buffer.h"
#include "tune/tuned_model.h"

struct pt_held_out {
    char *name;                         /* owned; the path, for messages */
    struct pt_buffer stream;            /* its bytes */
    const struct pt_tuned_model *model; /* borrowed */
};

/*
 * Reads the stream at `path` to its end and checks it as the training stream is checked: tokenizers,
 * ids and lengths (PT_MISMATCH). One that counts no token at all is PT_BAD_INPUT. Starts
 * zeroed.
 */
int pt_held_out_read(struct pt_held_out *held_out, const char *path, const struct pt_tuned_model *model,
                     struct pt_error *err) PT_MUST_USE;
void pt_held_out_free(struct pt_held_out *held_out);

/*
 * *loss = mean over all *targets counted tokens, with the engine's plugs as they are. `should_stop` is asked
 * between examples; where it says so, *complete = false and there is no loss.
 */
int pt_held_out_evaluate(const struct pt_held_out *held_out, bool (*should_stop)(void *context),
                         void *context, double *loss, uint64_t *targets, bool *complete,
                         struct pt_error *err) PT_MUST_USE;

#endif
