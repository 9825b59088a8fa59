/*
 * What the two forms of PyTorch's files share: the tensors of a pickle's table, wherever the form keeps their
 * storages. Inside of fmt only.
 */
#ifndef PT_FMT_PYTORCH_INSIDE_H
#define PT_FMT_PYTORCH_INSIDE_H

#include "fmt/pickle.h"
#include "io/map.h"

/* Where a storage lies in the file; `name` is the tensor's, for messages. */
typedef int pt_pytorch_locate(const void *form, const struct pt_pickle_storage *storage, const char *name,
                              const uint8_t **data, uint64_t *n_bytes, struct pt_error *err);

int pt_pytorch_add_tensors(struct pt_tensors *set, const struct pt_pickle *pickle, pt_pytorch_locate *locate,
                           const void *form, struct pt_error *err) PT_MUST_USE;

/* The zip of PyTorch 1.6 and later, and the row of pickles and storages before it. Tensors point into the
 * map. */
int pt_pytorch_zip_read(struct pt_tensors *set, const struct pt_map *map, struct pt_error *err) PT_MUST_USE;
int pt_pytorch_row_read(struct pt_tensors *set, const struct pt_map *map, struct pt_error *err) PT_MUST_USE;
bool pt_pytorch_row_recognise(const void *bytes, size_t n);

#endif
