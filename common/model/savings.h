/*
 * What a pass does not compute since nothing needs it, counted for the profile.
 */
#ifndef PT_MODEL_SAVINGS_H
#define PT_MODEL_SAVINGS_H

#include "model/rows.h"
#include "model/weights.h"

/* One slice: its list of rows, the sequences that it was made of, and from which row on its forward and its
 * backward compute. */
struct pt_slice {
    const struct pt_rows *rows;
    const struct pt_sequence *sequences; /* [n] */
    size_t n;
    size_t forward_from, backward_from;
    bool backward;
};

void pt_savings_count(const struct pt_weights *weights, const struct pt_slice *slice);

#endif
