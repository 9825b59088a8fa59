/*
 * How an update's loss averages its tokens. Every token's weight is fixed from the update's record, before
 * any of it is computed, so that slices cannot change it.
 */
#ifndef PT_TUNE_LOSS_RULE_H
#define PT_TUNE_LOSS_RULE_H

#include "fmt/stream.h"

enum pt_loss_rule {
    PT_TOKEN_MEAN, /* over all counted tokens of the update: transformers' Trainer since 4.46 */
    PT_BATCH_MEAN, /* of the micro-batches' means; one without a counted token adds 0 and is counted: the
                      Trainer before */
};

extern const char *const pt_loss_rule_names[]; /* by enum pt_loss_rule, NULL at the end */

/* The weight of each counted token of each example, weights [update->n_examples]; 0 where nothing counts.
 * Returns the update's counted tokens. */
uint64_t pt_loss_weights(enum pt_loss_rule rule, const struct pt_update *update, double *weights);

#endif
