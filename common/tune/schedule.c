/*
 * Integers meet as f64 and divide before they multiply the rate, as in Python, so that logged rates are equal
 * to the last digit.
 */
#include "tune/schedule.h"

#include <math.h>
#include <stddef.h>

const char *const pt_schedule_names[] = {
    [PT_LINEAR] = "linear", [PT_COSINE] = "cosine", [PT_CONSTANT] = "constant", NULL};

static double factor(const struct pt_schedule *schedule, uint64_t k)
{
    double warmup = (double)schedule->n_warmup, total = (double)schedule->n_updates, at = (double)k;
    if (k < schedule->n_warmup)
        return at / fmax(1, warmup);
    double length = fmax(1, total - warmup);
    switch (schedule->kind) {
    case PT_LINEAR:
        return fmax(0, (total - at) / length);
    case PT_COSINE:
        return fmax(0, 0.5 * (1 + cos(M_PI * ((at - warmup) / length))));
    case PT_CONSTANT:
        break;
    }
    return 1;
}

double pt_schedule_rate(const struct pt_schedule *schedule, uint64_t k)
{
    return schedule->learning_rate * factor(schedule, k);
}

uint64_t pt_schedule_warmup(double ratio, uint64_t n_updates)
{
    return (uint64_t)ceil((double)n_updates * ratio);
}
