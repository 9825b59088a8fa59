/*
 * Losses over a stream: the prompt's (or the bare model's) cross entropy on examples that it was not tuned
 * on, say.
 */
#ifndef PT_TUNE_EVALUATE_H
#define PT_TUNE_EVALUATE_H

#include "tune/tuned_model.h"

struct pt_evaluation {
    double loss;      /* sum over the counted tokens, in nats */
    uint64_t targets; /* counted tokens */
    uint64_t correct; /* predicted by the largest logit */
    uint64_t examples;
};

/* Called for each example in the stream's order. Nothing is kept. */
typedef int pt_evaluate_each(void *context, const struct pt_sequence *sequence,
                             const struct pt_sequence_loss *loss, struct pt_error *err);

/*
 * Evaluates a stream of examples or updates to its end, a few thousand tokens at a time, so that its length
 * does not matter. `each` may be NULL. An id or a position that the model lacks is PT_MISMATCH; a loss that
 * is not finite PT_NUMERIC.
 */
int pt_evaluate_stream(const struct pt_tuned_model *model, struct pt_stream_reader *reader,
                       pt_evaluate_each *each, void *context, struct pt_evaluation *sums,
                       struct pt_error *err) PT_MUST_USE;

/* Means over the counted tokens, of which there is at least one. */
double pt_evaluation_loss(const struct pt_evaluation *sums);
double pt_evaluation_accuracy(const struct pt_evaluation *sums);

#endif
