/*
 * The engine's inside, which the cache shares.
 */
#ifndef PT_MODEL_ENGINE_STATE_H
#define PT_MODEL_ENGINE_STATE_H

#include "model/pass.h"

struct pt_engine {
    const struct pt_model *model;
    struct pt_engine_options options;
    struct pt_weights weights;
    struct pt_workspace space;
    struct pt_rows rows;
    struct pt_pass pass;
    struct pt_position_tables tables;
    struct pt_sequence_loss *each; /* of the current call, owned */
    size_t each_capacity;
    size_t slice_rows;
    bool recomputes; /* where an update has several slices */
};

/* Settles slice_rows and recomputes, by the options, or else by the memory. */
void pt_engine_choose_slices(struct pt_engine *engine);
/* Bytes that packed weights may take. */
uint64_t pt_engine_room_for_panels(const struct pt_engine *engine);
/* Room for n_rows rows within the memory allowed, for `several` slices of an update or for one pass;
 * PT_FAILED says how much it would take. */
int pt_engine_reserve(struct pt_engine *engine, size_t n_rows, bool several,
                      struct pt_error *err) PT_MUST_USE;
/* PT_MISMATCH for an id that is not in the model's vocabulary; `index` is the sequence's number for the
 * message. */
int pt_engine_check_ids(const struct pt_engine *engine, const uint32_t *words, size_t n, size_t index,
                        struct pt_error *err) PT_MUST_USE;
/* A zeroed store of the rows' in front keys and values, [n_layers, n_front, 2 * kv]; released with free(). */
float *pt_engine_new_front_keys(const struct pt_engine *engine, struct pt_error *err) PT_MUST_USE;

#endif
