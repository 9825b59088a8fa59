/*
 * From a model's scores to the next token: processors, warpers, the draw. Each follows the class of the same
 * name in transformers, generation/logits_process.py, in the order in which generate applies them.
 */
#ifndef PT_GENERATE_SCORES_H
#define PT_GENERATE_SCORES_H

#include "base/error.h"
#include "base/rng.h"
#include "generate/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Scratch for one row of scores. */
struct pt_scores_workspace {
    struct pt_ranked_score *ranked; /* [vocab], owned */
    uint8_t *seen;                  /* [vocab], owned, zero between calls */
    size_t vocab;
};
int pt_scores_workspace_init(struct pt_scores_workspace *workspace, size_t vocab,
                             struct pt_error *err) PT_MUST_USE;
void pt_scores_workspace_fini(struct pt_scores_workspace *workspace);

/*
 * Repetition penalty, no repeated n-gram, minimal lengths, on scores [vocab] in place; removed entries become
 * -inf. ids [n_ids] is the text so far, of which the first n_input were given. Ids that are not below vocab
 * are ignored.
 */
void pt_scores_process(const struct pt_generation_settings *settings, struct pt_scores_workspace *workspace,
                       const uint32_t *ids, size_t n_ids, size_t n_input, float *scores);
/* Temperature, top-k, top-p, min-p, typical-p, in place. */
void pt_scores_warp(const struct pt_generation_settings *settings, struct pt_scores_workspace *workspace,
                    float *scores);

/* Whether any token is left. */
bool pt_scores_remain(size_t vocab, const float *scores);
/* The id of the largest score, the first of equals. */
uint32_t pt_scores_best(size_t vocab, const float *scores);
/* An id with probability softmax(scores), by one uniform draw. */
uint32_t pt_scores_draw(size_t vocab, const float *scores, struct pt_rng *rng);

#endif
