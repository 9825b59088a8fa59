/*
 * One profile for the process, as there is one log: the calls that are timed lie at the bottom of the library
 * and would otherwise all have to be handed it.
 */
#include "base/profile.h"

#include "base/clock.h"

static struct pt_profile profile;
static double running_since;
bool pt_profile_running;

const char *pt_part_name(enum pt_part part)
{
    static const char *const names[PT_PARTS] = {
        [PT_PART_QKV] = "qkv",
        [PT_PART_ATTENTION_OUT] = "attention-out",
        [PT_PART_MLP_UP] = "mlp-up",
        [PT_PART_MLP_DOWN] = "mlp-down",
        [PT_PART_HEAD] = "head",
        [PT_PART_LOW_RANK] = "low-rank",
        [PT_PART_WEIGHT_GRADIENT] = "weight-gradient",
        [PT_PART_ATTENTION] = "attention",
        [PT_PART_NORM] = "norm",
        [PT_PART_ACTIVATION] = "activation",
        [PT_PART_ROTARY] = "rotary",
        [PT_PART_RESIDUAL] = "residual",
        [PT_PART_LOSS] = "loss",
        [PT_PART_EMBEDDING] = "embedding",
        [PT_PART_OPTIMIZER] = "optimizer",
        [PT_PART_INPUT] = "input",
    };
    return names[part];
}

bool pt_part_counts_operations(enum pt_part part)
{
    return part <= PT_PART_ATTENTION;
}

bool pt_part_has_directions(enum pt_part part)
{
    return part < PT_PART_RESIDUAL;
}

const char *pt_saving_name(enum pt_saving saving)
{
    static const char *const names[PT_SAVINGS] = {
        [PT_SAVING_FRONT] = "rows-in-front",
        [PT_SAVING_BEHIND] = "rows-of-examples",
        [PT_SAVING_LAST_LAYER] = "last-layer",
        [PT_SAVING_LOGITS] = "logits",
        [PT_SAVING_FIRST_LAYER] = "first-layer-gradient",
    };
    return names[saving];
}

void pt_profile_run(bool on)
{
    if (on == pt_profile_running)
        return;
    double now = pt_clock_seconds();
    if (!on)
        profile.seconds += now - running_since;
    running_since = now;
    pt_profile_running = on;
}

const struct pt_profile *pt_profile(void)
{
    return &profile;
}

void pt_profile_count_saving(enum pt_saving saving, uint64_t computed, uint64_t saved)
{
    if (!pt_profile_running)
        return;
    profile.savings[saving].computed += computed;
    profile.savings[saving].saved += saved;
}

struct pt_timed_call pt_profile_start(enum pt_part part, enum pt_direction direction, double work)
{
    return (struct pt_timed_call){pt_clock_seconds(), work, part, direction};
}

void pt_profile_add(const struct pt_timed_call *call)
{
    struct pt_part_totals *totals = &profile.parts[call->part][call->direction];
    totals->seconds += pt_clock_seconds() - call->start;
    totals->work += call->work;
    totals->calls++;
}
