/*
 * Weights on their way from the disk: what the page cache lacks of a layer is asked for while another one
 * computes.
 */
#ifndef PT_MODEL_READ_AHEAD_H
#define PT_MODEL_READ_AHEAD_H

#include "model/model.h"

/*
 * Asks the kernel to read the matrices of a layer, or of the head for the number of layers; any other number
 * asks for nothing. It returns without waiting for them. Where all is in memory it costs some microseconds.
 */
void pt_model_read_ahead(const struct pt_model *model, size_t layer);

#endif
