/*
 * A group of examples shares one weight: the whole update, or a micro-batch.
 */
#include "tune/loss_rule.h"

#include <stddef.h>

const char *const pt_loss_rule_names[] = {
    [PT_TOKEN_MEAN] = "token-mean", [PT_BATCH_MEAN] = "batch-mean", NULL};

/* Gives n examples the weight 1 / (share * their counted tokens). Returns these. */
static uint64_t weigh_group(const struct pt_example *examples, uint64_t n, double share, double *weights)
{
    uint64_t targets = 0;
    for (uint64_t i = 0; i < n; i++)
        targets += pt_stream_targets(examples[i].words, examples[i].n_words);
    for (uint64_t i = 0; i < n; i++)
        weights[i] = targets ? 1 / (share * (double)targets) : 0;
    return targets;
}

uint64_t pt_loss_weights(enum pt_loss_rule rule, const struct pt_update *update, double *weights)
{
    if (rule == PT_TOKEN_MEAN)
        return weigh_group(update->examples, update->n_examples, 1, weights);
    uint64_t targets = 0, first = 0;
    for (uint64_t i = 0; i < update->n_micro_batches; i++) {
        uint64_t n = update->micro_batch_sizes[i];
        targets += weigh_group(update->examples + first, n, (double)update->n_micro_batches, weights + first);
        first += n;
    }
    return targets;
}
