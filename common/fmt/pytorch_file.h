/*
 * pytorch_model.bin in PyTorch's zip form (1.6 and later). The pickle inside is interpreted by a short table of opcodes and
 * globals that builds nothing but tables of tensors; it is never executed. Tensors must be contiguous and stored
 * uncompressed, and are used in place in the mapping.
 */
#ifndef PT_FMT_PYTORCH_FILE_H
#define PT_FMT_PYTORCH_FILE_H

#include "fmt/tensors.h"

int pt_pytorch_file_open(struct pt_tensors *set, const char *path, struct pt_error *err) PT_MUST_USE;

#endif
