/*
 * The slots are a ring: piece i stands in slot i mod n_slots. Whoever finishes the piece that is due hands it
 * on, and with it all finished ones behind it. One lock guards the ring, take and give; work runs outside of
 * it.
 */
#include "base/ordered.h"

#include "base/memory.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

struct ring {
    const struct pt_ordered *calls;
    void *context;
    void *const *slots;
    size_t n_slots;
    bool *done; /* [n_slots], owned: worked on and not yet given */
    pthread_mutex_t lock;
    pthread_cond_t given_some;
    uint64_t n_taken, n_given;
    bool ended; /* nothing more is taken */
    struct pt_error *err;
};

/* Takes the next piece into a free slot, waiting for one; false where there is no next piece. */
static bool take_piece(struct ring *ring, size_t *slot)
{
    while (!ring->ended && ring->n_taken - ring->n_given == ring->n_slots)
        pthread_cond_wait(&ring->given_some, &ring->lock);
    if (ring->ended)
        return false;
    *slot = ring->n_taken % ring->n_slots;
    if (!ring->calls->take(ring->context, ring->slots[*slot])) {
        ring->ended = true;
        return false;
    }
    ring->n_taken++;
    return true;
}

/* Gives what is finished and due. */
static void give_pieces(struct ring *ring)
{
    for (size_t slot; ring->done[slot = ring->n_given % ring->n_slots]; ring->n_given++) {
        ring->done[slot] = false;
        if (!ring->err->status && ring->calls->give(ring->context, ring->slots[slot], ring->err))
            ring->ended = true;
    }
    pthread_cond_broadcast(&ring->given_some);
}

static void run_worker(struct ring *ring, size_t worker)
{
    size_t slot;
    pthread_mutex_lock(&ring->lock);
    while (take_piece(ring, &slot)) {
        pthread_mutex_unlock(&ring->lock);
        ring->calls->work(ring->context, worker, ring->slots[slot]);
        pthread_mutex_lock(&ring->lock);
        ring->done[slot] = true;
        give_pieces(ring);
    }
    pthread_cond_broadcast(&ring->given_some);
    pthread_mutex_unlock(&ring->lock);
}

int pt_ordered_run(const struct pt_ordered *calls, void *context, size_t n_workers, void *const *slots,
                   size_t n_slots, struct pt_error *err)
{
    struct ring ring = {.calls = calls,
                        .context = context,
                        .slots = slots,
                        .n_slots = n_slots,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .given_some = PTHREAD_COND_INITIALIZER,
                        .err = err};
    ring.done = pt_new_array(n_slots, sizeof *ring.done, err);
    if (!ring.done)
        return (int)err->status;
/* Where fewer threads come than were asked for, they still take everything. */
#pragma omp parallel for schedule(static, 1) num_threads((int)n_workers)
    for (size_t worker = 0; worker < n_workers; worker++)
        run_worker(&ring, worker);
    free(ring.done);
    return (int)err->status;
}
