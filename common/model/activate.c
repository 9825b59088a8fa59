/*
 * The MLP's activation between its two linears, with a gate or without.
 */
#include "model/pass.h"

#include "math/activation.h"

void pt_pass_activate(const struct pt_pass *pass, size_t layer, struct pt_span span)
{
    const size_t n = pass->config->intermediate_size, row = pt_config_up_size(pass->config);
    const float *up = pass->space->kept[layer].up + span.first * row;
    float *inner = pass->space->inner + span.first * n;
    if (pt_config_is_gated(pass->config))
        pt_gated_forward(pass->config->activation, span.n, n, up, up + n, row, inner, n);
    else
        pt_activation_forward(pass->config->activation, span.n * n, up, inner);
}

void pt_pass_activate_backward(const struct pt_pass *pass, size_t layer, struct pt_span span)
{
    const size_t n = pass->config->intermediate_size, row = pt_config_up_size(pass->config);
    const float *up = pass->space->kept[layer].up + span.first * row;
    const float *inner = pass->space->inner + span.first * n;
    float *wide = pass->space->wide + span.first * row;
    if (pt_config_is_gated(pass->config))
        pt_gated_backward(pass->config->activation, span.n, n, up, up + n, row, inner, n, wide, wide + n,
                          row);
    else
        pt_activation_backward(pass->config->activation, span.n * n, up, inner, wide);
}
