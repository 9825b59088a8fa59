/*
 * pytorch_model.bin in PyTorch's zip form (1.6 and later) and in the one before. The pickle inside is
 * interpreted by a short table of opcodes and globals that builds nothing but tables of tensors; it is never
 * executed. Tensors must be contiguous and stored uncompressed, and are used in place in the mapping.
 *
 * The tensors are those of the top-level table; where it holds none, those of the table below "state_dict",
 * "model_state_dict", "model" or "module", or of the only table below it that holds any. Other values are
 * passed over. What is valid and not supported (the first form, a tar archive; tensors that are views with
 * gaps, other globals, a table that nests deeper) is PT_MISMATCH.
 */
#ifndef PT_FMT_PYTORCH_FILE_H
#define PT_FMT_PYTORCH_FILE_H

#include "fmt/tensors.h"
#include "io/source.h"

int pt_pytorch_file_open(struct pt_tensors *set, const char *path, struct pt_error *err) PT_MUST_USE;
/* Reads a source into memory, to its end; more than `limit` bytes is PT_BAD_INPUT. Checksums are compared. */
int pt_pytorch_file_read(struct pt_tensors *set, struct pt_source *source, uint64_t limit,
                         struct pt_error *err) PT_MUST_USE;
/* Reads all members and compares their checksums, which opening does not. */
int pt_pytorch_file_verify(const char *path, struct pt_error *err) PT_MUST_USE;
/* Whether it has a form before the zip's, of 1.6. */
bool pt_pytorch_file_is_legacy(const void *bytes, size_t n);

#endif
