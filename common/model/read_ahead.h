/*
 * Weights on their way from the disk: what the page cache lacks of a layer is asked for while another one
 * computes.
 */
#ifndef PT_MODEL_READ_AHEAD_H
#define PT_MODEL_READ_AHEAD_H

#include "model/model.h"

/*
 * Asks the kernel to read the matrices of the layer `next`, and if there is anything to read, to drop those of
 * the layer `left` before others. The number of layers stands for the head, any greater one for nothing. It
 * returns without waiting. Where all is in memory it costs some microseconds.
 */
void pt_model_read_ahead(const struct pt_model *model, size_t next, size_t left);
/* The same for a row of a table: rows here and there are read together, and without the pages between them. */
void pt_model_read_ahead_row(const void *row, size_t n_bytes);

#endif
