/*
 * Where the time of a run goes, for `pt-train --profile`: seconds, calls and amount of work of each part.
 * Nothing is measured until pt_profile_run, and no result depends on what is. Calls are timed as a whole, by
 * the thread that makes them; parts do not nest.
 */
#ifndef PT_BASE_PROFILE_H
#define PT_BASE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

/* Those up to PT_PART_ATTENTION count floating-point operations, the others bytes read and written. */
enum pt_part {
    PT_PART_QKV, /* products of the linear layers by their role */
    PT_PART_ATTENTION_OUT,
    PT_PART_MLP_UP,
    PT_PART_MLP_DOWN,
    PT_PART_HEAD,
    PT_PART_LOW_RANK,        /* of what a method adds to linear layers */
    PT_PART_WEIGHT_GRADIENT, /* of linear layers that are trained */
    PT_PART_ATTENTION,
    PT_PART_NORM,
    PT_PART_ACTIVATION,
    PT_PART_ROTARY,
    PT_PART_RESIDUAL, /* from here on there is one direction */
    PT_PART_LOSS,
    PT_PART_EMBEDDING,
    PT_PART_OPTIMIZER,
    PT_PART_INPUT,
    PT_PARTS,
};

enum pt_direction { PT_FORWARD, PT_BACKWARD, PT_DIRECTIONS };

struct pt_part_totals {
    double seconds, work; /* operations or bytes */
    uint64_t calls;
};

/* Work that was left out because nothing needs it, in rows. */
enum pt_saving {
    PT_SAVING_FRONT,       /* rows in front: once an update instead of once an example */
    PT_SAVING_BEHIND,      /* rows behind an example's last counted token */
    PT_SAVING_LAST_LAYER,  /* rows of the last layer that predict nothing counted, past their keys and values
                            */
    PT_SAVING_LOGITS,      /* rows whose logits nobody asks for */
    PT_SAVING_FIRST_LAYER, /* rows whose gradient below the first layer's attention nobody asks for */
    PT_SAVINGS,
};

struct pt_saving_totals {
    uint64_t computed, saved;
};

struct pt_profile {
    struct pt_part_totals parts[PT_PARTS][PT_DIRECTIONS];
    struct pt_saving_totals savings[PT_SAVINGS];
    double seconds; /* between pt_profile_run(true) and pt_profile_run(false), in all */
};

/* "qkv", "attention-out", ... */
const char *pt_part_name(enum pt_part part);
bool pt_part_counts_operations(enum pt_part part);
bool pt_part_has_directions(enum pt_part part);
const char *pt_saving_name(enum pt_saving saving);

/* Measures from now on, or no longer; what was measured stays. */
void pt_profile_run(bool on);
/* What was measured so far. */
const struct pt_profile *pt_profile(void);
void pt_profile_count_saving(enum pt_saving saving, uint64_t computed, uint64_t saved);

/*
 * Times the rest of the block that it stands in, as one call:
 *
 *     PT_PROFILED(PT_PART_NORM, PT_FORWARD, n_bytes);
 *
 * The amount of work is looked at only while measuring.
 */
#define PT_PROFILED(part, direction, amount)                                                              \
    __attribute__((cleanup(pt_profile_stop))) const struct pt_timed_call pt_timed_call =                  \
        pt_profile_running ? pt_profile_start(part, direction, (double)(amount)) : (struct pt_timed_call) \
    {                                                                                                     \
        0                                                                                                 \
    }

struct pt_timed_call {
    double start; /* 0: not measured */
    double work;
    enum pt_part part;
    enum pt_direction direction;
};

extern bool pt_profile_running; /* for PT_PROFILED alone */
struct pt_timed_call pt_profile_start(enum pt_part part, enum pt_direction direction, double work);
void pt_profile_add(const struct pt_timed_call *call);

static inline void pt_profile_stop(const struct pt_timed_call *call)
{
    if (call->start > 0)
        pt_profile_add(call);
}

#endif
