/*
 * The body of each instruction set's file, which names its table PT_KERNELS and PT_KERNELS_NAME before
 * including this.
 */
#include "math/kernels_elementwise.h"
#include "math/kernels_multiply.h"
#include "math/kernels_words.h"

const struct pt_kernels PT_KERNELS = {
    .name = PT_KERNELS_NAME,
    .lanes = LANES,
    .panel_columns = BLOCK_VECTORS * LANES,
    .multiply = multiply,
    .multiply_pairs = multiply_pairs,
    .dots = dots,
    .widen = widen,
    .pair_row = pair_row,
    .pair_rows = pair_rows,
    .transpose = transpose,
    .dot = dot,
    .add_scaled = add_scaled,
    .scale = scale_all,
    .largest = largest,
    .exp_sum = exp_sum,
    .bias_scores = bias_scores,
    .softmax_backward = softmax_backward,
    .gelu_forward = gelu_forward,
    .gelu_backward = gelu_backward,
    .layer_norm_forward = layer_norm_forward,
    .layer_norm_backward = layer_norm_backward,
    .layer_norm_weights = layer_norm_weights,
};
