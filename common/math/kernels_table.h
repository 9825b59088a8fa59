/*
 * The body of each instruction set's file, which names its table PT_KERNELS and PT_KERNELS_NAME before
 * including this.
 */
#include "math/kernels_activation.h"
#include "math/kernels_attention.h"
#include "math/kernels_dots.h"
#include "math/kernels_elementwise.h"
#include "math/kernels_in_place.h"
#include "math/kernels_multiply.h"
#include "math/kernels_norm.h"
#include "math/kernels_words.h"

const struct pt_kernels PT_KERNELS = {
    .name = PT_KERNELS_NAME,
    .lanes = LANES,
    .panel_columns = BLOCK_VECTORS * LANES,
    .multiply = multiply,
    .multiply_pairs = multiply_pairs,
    .dots = dots,
    .dots_pairs = dots_pairs,
    .in_place = in_place,
    .in_place_pairs = in_place_pairs,
    .widen = widen,
    .pair_row = pair_row,
    .pair_rows = pair_rows,
    .pair_columns = pair_columns,
    .transpose = transpose,
    .dot = dot,
    .add_scaled = add_scaled,
    .write_sum = write_sum,
    .scale = scale_all,
    .largest = largest,
    .exp_sum = exp_sum,
    .soften = soften,
    .probabilities = probabilities,
    .score_gradients = score_gradients,
    .key_scores = key_scores,
    .value_sums = value_sums,
    .activation_forward = activation_forward,
    .activation_backward = activation_backward,
    .gated_forward = gated_forward,
    .gated_backward = gated_backward,
    .norm_forward = norm_forward,
    .norm_backward = norm_backward,
    .norm_weights = norm_weights,
    .rotate = rotate,
};
