/*
 * A window never spans two epochs, so it is a slice of the running epoch's permutation.
 */
#include "tune/order.h"

#include "base/integer.h"
#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

#define MOST_UPDATES 0x1p53 /* up to here every count is exact in the double arithmetic of the Trainer */

struct pt_order {
    struct pt_order_settings settings;
    uint64_t micro_batches;     /* of an epoch */
    uint64_t updates_per_epoch; /* of a full epoch */
    uint64_t updates;           /* of the run */
    uint64_t epoch, done;       /* where the next window begins: rows of this epoch that were given */
    uint64_t *rows;             /* [n_examples], owned: the epoch's permutation */
    uint64_t *sizes;            /* [windows' longest], owned */
};

static uint64_t ceil_divide(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static int count_updates(struct pt_order *order, struct pt_error *err)
{
    const struct pt_order_settings *settings = &order->settings;
    order->micro_batches = ceil_divide(settings->n_examples, settings->batch_size);
    order->updates_per_epoch = ceil_divide(order->micro_batches, settings->gradient_accumulation);
    double updates = ceil(settings->epochs * (double)order->updates_per_epoch);
    if (settings->max_steps)
        updates = (double)settings->max_steps;
    if (!(updates <= MOST_UPDATES))
        return pt_fail(err, PT_MISMATCH, "%g updates are more than can be counted", updates);
    order->updates = settings->max_steps ? settings->max_steps : (uint64_t)updates;
    return PT_OK;
}

int pt_order_open(struct pt_order **order, const struct pt_order_settings *settings, struct pt_error *err)
{
    struct pt_order *opened = *order = pt_new_array(1, sizeof *opened, err);
    if (!opened)
        return (int)err->status;
    opened->settings = *settings;
    if (!count_updates(opened, err)) {
        opened->rows = pt_new_array(settings->n_examples, sizeof *opened->rows, err);
        opened->sizes = pt_new_array(pt_least(settings->gradient_accumulation, opened->micro_batches),
                                     sizeof *opened->sizes, err);
    }
    if (err->status) {
        pt_order_close(opened);
        *order = NULL;
        return (int)err->status;
    }
    return PT_OK;
}

void pt_order_close(struct pt_order *order)
{
    if (!order)
        return;
    free(order->rows);
    free(order->sizes);
    free(order);
}

uint64_t pt_order_updates(const struct pt_order *order)
{
    return order->updates;
}

uint64_t pt_order_updates_per_epoch(const struct pt_order *order)
{
    return order->updates_per_epoch;
}

void pt_order_start_epoch(struct pt_order *order, uint64_t epoch)
{
    order->epoch = epoch;
    order->done = 0;
}

static void draw_epoch(struct pt_order *order)
{
    const struct pt_order_settings *settings = &order->settings;
    if (settings->shuffle) {
        struct pt_rng rng;
        pt_rng_seed(&rng, settings->seed + order->epoch);
        pt_rng_permutation(&rng, settings->n_examples, order->rows);
        return;
    }
    for (uint64_t i = 0; i < settings->n_examples; i++)
        order->rows[i] = i;
}

/* Windows given so far, from the beginning of the run. */
static uint64_t windows_done(const struct pt_order *order)
{
    const struct pt_order_settings *settings = &order->settings;
    uint64_t batches = ceil_divide(order->done, settings->batch_size);
    return order->epoch * order->updates_per_epoch + ceil_divide(batches, settings->gradient_accumulation);
}

bool pt_order_next(struct pt_order *order, struct pt_window *window)
{
    const struct pt_order_settings *settings = &order->settings;
    if (windows_done(order) >= order->updates)
        return false;
    if (order->done == settings->n_examples)
        pt_order_start_epoch(order, order->epoch + 1);
    if (!order->done)
        draw_epoch(order);
    uint64_t first = order->done, n = 0;
    while (n < settings->gradient_accumulation && order->done < settings->n_examples) {
        order->sizes[n] = pt_least(settings->batch_size, settings->n_examples - order->done);
        order->done += order->sizes[n++];
    }
    uint64_t batches = ceil_divide(order->done, settings->batch_size);
    *window = (struct pt_window){
        .examples = order->rows + first,
        .n_examples = order->done - first,
        .micro_batch_sizes = order->sizes,
        .n_micro_batches = n,
        .epoch = (double)order->epoch + (double)batches / (double)order->micro_batches,
    };
    return true;
}
