/*
 * The fuzzer's bytes as a file, for what is opened by path.
 */
#ifndef PT_FUZZ_INPUT_FILE_H
#define PT_FUZZ_INPUT_FILE_H

#include <stddef.h>
#include <stdint.h>

/* The path of a file with these bytes; the next call rewrites it. `suffix` is part of its name. */
const char *input_file(const uint8_t *bytes, size_t n, const char *suffix);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#endif
