/*
 * Each saving is counted against the same work with that one saving left out: rows in front against computing
 * them for every sequence, the last layer against all rows that the layers below it compute.
 */
#include "model/savings.h"

#include "base/profile.h"

static void count(enum pt_saving saving, size_t computed, size_t without)
{
    pt_profile_count_saving(saving, computed, without > computed ? without - computed : 0);
}

void pt_savings_count(const struct pt_weights *weights, const struct pt_slice *slice)
{
    const struct pt_rows *rows = slice->rows;
    size_t n_front = slice->forward_from ? 0 : rows->n_front, n_all = rows->n - slice->forward_from,
           n_words = 0;
    for (size_t i = 0; i < slice->n; i++)
        n_words += slice->sequences[i].n;
    count(PT_SAVING_FRONT, n_front, slice->n * rows->n_front);
    count(PT_SAVING_BEHIND, rows->n - rows->n_front, n_words);
    count(PT_SAVING_LAST_LAYER, rows->n_final - (slice->forward_from ? rows->n_final_front : 0), n_all);
    count(PT_SAVING_LOGITS, rows->n_predictions, n_all);
    if (!slice->backward)
        return;
    size_t below = !pt_weights_reach_input(weights)        ? 0
                   : !pt_weights_front_rows_alone(weights) ? rows->n - slice->backward_from
                   : slice->backward_from                  ? 0
                                                           : rows->n_front;
    count(PT_SAVING_FIRST_LAYER, below, rows->n - slice->backward_from);
}
