/*
 * Learning-rate schedules, as transformers.optimization has them (get_linear_schedule_with_warmup,
 * get_cosine_schedule_with_warmup, get_constant_schedule_with_warmup).
 */
#ifndef PT_TUNE_SCHEDULE_H
#define PT_TUNE_SCHEDULE_H

#include <stdint.h>

enum pt_schedule_kind { PT_LINEAR, PT_COSINE, PT_CONSTANT };

/*
 * With W warm-up updates of T in all, update k (from 0) runs at the learning rate times
 *     k / max(1, W)                                            for k < W, else
 *     linear    max(0, (T - k) / max(1, T - W))
 *     cosine    max(0, (1 + cos(pi (k - W) / max(1, T - W))) / 2)
 *     constant  1
 */
struct pt_schedule {
    enum pt_schedule_kind kind;
    double learning_rate; /* the highest one */
    uint64_t n_warmup;
    uint64_t n_updates; /* T: what the stream says, also for a run that stops early */
};

extern const char *const pt_schedule_names[]; /* by enum pt_schedule_kind, NULL at the end */

/* The rate of update k. */
double pt_schedule_rate(const struct pt_schedule *schedule, uint64_t k);

/* Warm-up updates for a share in [0, 1] of the schedule: rounded up, as the Trainer's warmup_ratio. */
uint64_t pt_schedule_warmup(double ratio, uint64_t n_updates);

#endif
