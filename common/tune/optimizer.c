/*
 * Every element is updated by itself, so the loops may be cut anywhere without changing a bit. Operations are
 * in the order of torch.optim's fused AdamW and of its SGD, and rounded where PyTorch rounds them on a CPU
 * with fused multiply-add: asked for by name, so that every CPU gives the same bits. Scalars are formed in
 * f64 and rounded once.
 */
#include "tune/optimizer.h"

#include "base/memory.h"
#include "base/profile.h"

#include <math.h>
#include <stdlib.h>

enum { ADAMW_MOMENTS = 2, PARALLEL_ELEMENTS = 1 << 16 };

static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
const char *const pt_optimizer_names[] = {[PT_ADAMW] = "adamw", [PT_SGD] = "sgd", NULL};

struct moments {
    float *each[ADAMW_MOMENTS]; /* owned */
};

struct pt_optimizer {
    struct pt_optimizer_settings settings;
    struct pt_parameters *parameters; /* borrowed */
    struct moments *moments;          /* [parameters->n], owned */
    uint64_t updates;
};

static int allocate_moments(struct pt_optimizer *optimizer, struct pt_error *err)
{
    optimizer->moments = pt_new_array(optimizer->parameters->n, sizeof *optimizer->moments, err);
    if (!optimizer->moments)
        return (int)err->status;
    for (size_t i = 0; i < optimizer->parameters->n; i++) {
        for (size_t which = 0; which < pt_optimizer_n_moments(optimizer); which++) {
            float *moment = pt_new_floats(optimizer->parameters->list[i].n, err);
            if (!moment)
                return (int)err->status;
            optimizer->moments[i].each[which] = moment;
        }
    }
    return PT_OK;
}

int pt_optimizer_new(struct pt_optimizer **optimizer, const struct pt_optimizer_settings *settings,
                     struct pt_parameters *parameters, struct pt_error *err)
{
    struct pt_optimizer *new = pt_new_array(1, sizeof *new, err);
    if (!new)
        return (int)err->status;
    new->settings = *settings;
    new->parameters = parameters;
    if (allocate_moments(new, err)) {
        pt_optimizer_free(new);
        return (int)err->status;
    }
    *optimizer = new;
    return PT_OK;
}

void pt_optimizer_free(struct pt_optimizer *optimizer)
{
    if (!optimizer)
        return;
    if (optimizer->moments)
        for (size_t i = 0; i < optimizer->parameters->n; i++)
            for (size_t which = 0; which < ADAMW_MOMENTS; which++)
                free(optimizer->moments[i].each[which]);
    free(optimizer->moments);
    free(optimizer);
}

static void adamw_step(const struct pt_parameter *parameter, const struct moments *moments,
                       double learning_rate, double weight_decay, uint64_t update)
{
    const double bias1 = 1 - pow(beta1, (double)update), bias2 = 1 - pow(beta2, (double)update);
    const float keep = (float)(1 - learning_rate * weight_decay);
    const float rate1 = (float)(1 - beta1), keep2 = (float)beta2, rate2 = (float)(1 - beta2);
    const float step = (float)(learning_rate / bias1), root = (float)sqrt(bias2), small = (float)epsilon;
    float *p = parameter->value, *m = moments->each[0], *v = moments->each[1];
    const float *g = parameter->gradient;
#pragma omp parallel for schedule(static) if (parameter->n > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < parameter->n; i++) {
        m[i] = fmaf(rate1, g[i] - m[i], m[i]);
        v[i] = fmaf(rate2 * g[i], g[i], keep2 * v[i]);
        p[i] = p[i] * keep - step * m[i] / (sqrtf(v[i]) / root + small);
    }
}

static void sgd_step(const struct pt_parameter *parameter, double learning_rate, double weight_decay)
{
    const float rate = (float)learning_rate, decay = (float)weight_decay;
    float *p = parameter->value;
    const float *g = parameter->gradient;
#pragma omp parallel for schedule(static) if (parameter->n > PARALLEL_ELEMENTS)
    for (size_t i = 0; i < parameter->n; i++)
        p[i] = fmaf(-rate, fmaf(decay, p[i], g[i]), p[i]);
}

/* Read and written by a step: the gradient, and values and moments twice. */
static size_t step_bytes(const struct pt_optimizer *optimizer)
{
    return pt_parameters_count(optimizer->parameters) * sizeof(float) *
           (3 + 2 * pt_optimizer_n_moments(optimizer));
}

void pt_optimizer_step(struct pt_optimizer *optimizer, double learning_rate)
{
    PT_PROFILED(PT_PART_OPTIMIZER, PT_FORWARD, step_bytes(optimizer));
    optimizer->updates++;
    for (size_t i = 0; i < optimizer->parameters->n; i++) {
        const struct pt_parameter *parameter = &optimizer->parameters->list[i];
        double weight_decay = parameter->decay ? optimizer->settings.weight_decay : 0;
        if (optimizer->settings.kind == PT_ADAMW)
            adamw_step(parameter, &optimizer->moments[i], learning_rate, weight_decay, optimizer->updates);
        else
            sgd_step(parameter, learning_rate, weight_decay);
    }
}

void pt_optimizer_set_updates(struct pt_optimizer *optimizer, uint64_t updates)
{
    optimizer->updates = updates;
}

size_t pt_optimizer_n_moments(const struct pt_optimizer *optimizer)
{
    return optimizer->settings.kind == PT_ADAMW ? ADAMW_MOMENTS : 0;
}

const char *pt_optimizer_moment_name(size_t which)
{
    static const char *const names[ADAMW_MOMENTS] = {"exp_avg", "exp_avg_sq"};
    return names[which];
}

float *pt_optimizer_moment(const struct pt_optimizer *optimizer, size_t parameter, size_t which)
{
    return optimizer->moments[parameter].each[which];
}
