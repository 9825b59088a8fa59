/*
 * The order in which the Trainer of transformers visits a data set, and how it cuts it into updates.
 *
 * Epoch e (from 0) visits the rows in the order torch.randperm(rows) with the generator seeded by seed + e
 * (accelerate's SeedableRandomSampler). Rows are grouped into micro-batches of batch_size, micro-batches into
 * windows of gradient_accumulation, a window an update; the last micro-batch and the last window of an epoch
 * use what remains. An epoch has ceil(ceil(rows / batch_size) / gradient_accumulation) updates, the whole run
 * ceil(epochs * that), which cuts its last epoch short.
 */
#ifndef PT_TUNE_ORDER_H
#define PT_TUNE_ORDER_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct pt_order_settings {
    uint64_t n_examples;            /* rows, at least 1 */
    uint64_t batch_size;            /* rows of a micro-batch, at least 1 */
    uint64_t gradient_accumulation; /* micro-batches of an update, at least 1 */
    double epochs;                  /* above 0; a fraction is allowed */
    uint64_t max_steps; /* updates in all, with as many epochs as that takes; 0: `epochs` decides */
    uint64_t seed;
    bool shuffle; /* false: every epoch in the order of the rows */
};

/* The rows of one update. */
struct pt_window {
    const uint64_t *examples; /* [n_examples] rows from 0, borrowed until the next call */
    uint64_t n_examples;
    const uint64_t *micro_batch_sizes; /* [n_micro_batches], borrowed */
    uint64_t n_micro_batches;
    double epoch; /* the Trainer's: epochs finished + micro-batches done in this one / micro-batches of an
                     epoch */
};

struct pt_order;

/* PT_MISMATCH where the number of updates would pass 2^53. Takes 8 bytes a row. */
int pt_order_open(struct pt_order **order, const struct pt_order_settings *settings,
                  struct pt_error *err) PT_MUST_USE;
void pt_order_close(struct pt_order *order); /* NULL is allowed */

uint64_t pt_order_updates(const struct pt_order *order);           /* of the whole run */
uint64_t pt_order_updates_per_epoch(const struct pt_order *order); /* of a full epoch */

/* Goes to the first window of an epoch. */
void pt_order_start_epoch(struct pt_order *order, uint64_t epoch);
/* The next window; false behind the last one of the run. */
bool pt_order_next(struct pt_order *order, struct pt_window *window);

#endif
