/*
 * What an engine takes of memory: settled when it is opened, and allocated when the first update comes.
 */
#ifndef PT_MODEL_PLAN_H
#define PT_MODEL_PLAN_H

#include "model/engine.h"

struct pt_memory_plan {
    uint64_t mapped;     /* bytes of the checkpoint, in the page cache and shared between processes */
    uint64_t kept;       /* activations kept of the layers for the backward, or their inputs alone */
    uint64_t scratch;    /* rows on their way through one layer */
    uint64_t logits;     /* of as many rows as exist at a time */
    uint64_t front;      /* keys and values of the rows in front, and their gradients */
    uint64_t vectors;    /* biases and norms, widened */
    uint64_t kernels;    /* room in which the products work */
    uint64_t panels;     /* matrices kept in the form of products */
    uint64_t total;      /* of all but `mapped` */
    size_t n_rows;       /* in a slice, those in front included */
    size_t n_logit_rows; /* at a time */
    bool recomputes;     /* what is kept are the inputs */
};

/* Bytes of the tensors in use, a tied head's once. */
uint64_t pt_model_bytes(const struct pt_model *model);
/* For slices of the usual size; a longer sequence takes as much more as it has rows. */
struct pt_memory_plan pt_engine_plan(const struct pt_engine *engine);
/* In words, as a verbose note. */
void pt_memory_plan_log(const struct pt_memory_plan *plan, uint64_t allowed);

#endif
