/*
 * Several tuned objects become one: means, weighted sums, concatenation. All must be of one method and, as
 * far as it is known, made for one model and one tokenizer: PT_MISMATCH otherwise, naming both.
 */
#ifndef PT_TUNE_MERGE_H
#define PT_TUNE_MERGE_H

#include "tune/tuned.h"

/*
 * Each parameter of inputs[0] becomes the sum of weights[i] * inputs[i], or with weights NULL the mean
 * (computed in f64, inputs in order, rounded once). Shapes must be equal. A sum that is not finite is
 * PT_NUMERIC.
 */
int pt_merge_sum(struct pt_tuned *const *inputs, size_t n, const double *weights,
                 struct pt_error *err) PT_MUST_USE;
/* The virtual tokens of all inputs one behind the other become those of inputs[0]. */
int pt_merge_concat(struct pt_tuned *const *inputs, size_t n, struct pt_error *err) PT_MUST_USE;

#endif
