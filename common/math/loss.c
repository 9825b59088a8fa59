/*
 * Each row is one thread's: its largest logit, the sum of exponentials (kept in place where a gradient is
 * wanted), then the gradient.
 */
#include "math/loss.h"

#include "base/profile.h"
#include "math/kernels.h"

#include <math.h>

enum { CHUNK = 1024 };

/* Sum of exp(x - shift) in double over f32 sums of fixed chunks; exponentials are left in `to` (x itself, or
 * a chunk's room). */
static double exponentials(const struct pt_kernels *kernels, size_t n, float shift, const float *x, float *to,
                           bool keep)
{
    double sum = 0;
    for (size_t i = 0; i < n; i += CHUNK)
        sum += (double)kernels->exp_sum(n - i < CHUNK ? n - i : CHUNK, shift, x + i, keep ? to + i : to);
    return sum;
}

static bool is_first_largest(const float *logits, uint32_t id, float largest)
{
    if (!(logits[id] == largest))
        return false;
    for (uint32_t i = 0; i < id; i++)
        if (logits[i] == largest)
            return false;
    return true;
}

static double row_loss(size_t vocab, float *logits, const struct pt_target *target, bool gradient,
                       uint8_t *correct)
{
    const struct pt_kernels *kernels = pt_kernels();
    float largest = kernels->largest(vocab, logits), chunk[CHUNK];
    *correct = is_first_largest(logits, target->id, largest);
    double below = (double)logits[target->id] - (double)largest;
    double sum = exponentials(kernels, vocab, largest, logits, gradient ? logits : chunk, gradient);
    if (gradient) {
        double hit = (double)logits[target->id] / sum - 1.0;
        kernels->scale(vocab, (float)((double)target->weight / sum), logits, logits);
        logits[target->id] = (float)((double)target->weight * hit);
    }
    return log(sum) - below;
}

void pt_cross_entropy(size_t m, size_t vocab, float *logits, const struct pt_target *targets, bool gradient,
                      double *losses, uint8_t *correct)
{
    PT_PROFILED(PT_PART_LOSS, PT_FORWARD, (gradient ? 2 : 1) * m * vocab * sizeof(float));
#pragma omp parallel for schedule(static) if (m > 1)
    for (size_t i = 0; i < m; i++)
        losses[i] = row_loss(vocab, logits + i * vocab, &targets[i], gradient, &correct[i]);
}
