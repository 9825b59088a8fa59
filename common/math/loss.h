/*
 * Cross entropy over the vocabulary.
 */
#ifndef PT_MATH_LOSS_H
#define PT_MATH_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pt_target {
    uint32_t id;
    float weight; /* of this position in the loss's gradient */
};

/*
 * For each of m rows of logits [m, vocab]: losses[i] = -log softmax(row)[id] in nats, correct[i] = 1 where id
 * has the largest logit (the first of equals). With `gradient`, the row becomes weight * (softmax - onehot).
 * Not-finite logits give a loss that is not finite.
 */
void pt_cross_entropy(size_t m, size_t vocab, float *logits, const struct pt_target *targets, bool gradient,
                      double *losses, uint8_t *correct);

#endif
