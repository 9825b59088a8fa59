/*
 * The model's matrices once more in the form in which products of many rows read them (math/product.h), so
 * that an update does not bring each of them there twice. What a method has put in a matrix's place changes
 * from update to update and is left as it is. Inside of `model` only.
 */
#ifndef PT_MODEL_PANELS_H
#define PT_MODEL_PANELS_H

#include "model/weights.h"

/* Forward and, where the backward comes by, backward, from the first layer on to the head; what does not fit
 * into most_bytes is left out. The weights own the panels, which are good for this `math` alone. */
int pt_panels_open(struct pt_weights *weights, const struct pt_model *model, const struct pt_math *math,
                   uint64_t most_bytes, struct pt_error *err) PT_MUST_USE;
void pt_panels_close(struct pt_weights *weights, const struct pt_model *model);

#endif
