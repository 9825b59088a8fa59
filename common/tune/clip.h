/*
 * The norm of all gradients together, and clipping to it as torch.nn.utils.clip_grad_norm_ does.
 */
#ifndef PT_TUNE_CLIP_H
#define PT_TUNE_CLIP_H

#include "tune/parameters.h"

/* The L2 norm over all elements of all gradients, summed in f64 in a fixed order; not finite where a gradient
 * is not. */
double pt_gradient_norm(const struct pt_parameters *parameters);

/* Multiplies every gradient by min(1, max_norm / (norm + 1e-6)), also where that is 1. */
void pt_clip_gradients(struct pt_parameters *parameters, double norm, double max_norm);

#endif
