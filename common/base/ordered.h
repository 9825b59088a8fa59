/*
 * Work on a long sequence of pieces by several threads, with the outcome in the order of the pieces: what
 * comes out does not depend on the number of threads. A piece lives in a slot, which is used again and again,
 * so memory does not grow with the sequence.
 */
#ifndef PT_BASE_ORDERED_H
#define PT_BASE_ORDERED_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* take and give are called by one thread at a time, each in the order of the pieces; work by many at once. */
struct pt_ordered {
    /* Fills a slot with the next piece; false where there is none. A failure waits in the slot for give. */
    bool (*take)(void *context, void *slot);
    /* `worker` is below n_workers, and never in two calls at once. */
    void (*work)(void *context, size_t worker, void *slot);
    /* Hands the slot's outcome on. A failure ends everything: later pieces are dropped. */
    int (*give)(void *context, void *slot, struct pt_error *err);
};

/* n_slots >= n_workers; twice as many let a fast worker go on while a slow one finishes. Returns the first
 * failure in the order of the pieces. */
int pt_ordered_run(const struct pt_ordered *calls, void *context, size_t n_workers, void *const *slots,
                   size_t n_slots, struct pt_error *err) PT_MUST_USE;

#endif
