/*
 * Descriptors 0, 1 and 2: never reused for something else, and checked at the end.
 */
#ifndef PT_CLI_STANDARD_FILES_H
#define PT_CLI_STANDARD_FILES_H

#include "base/error.h"

/*
 * Where the program was started with one of them closed, puts a descriptor there that fails when used:
 * otherwise the next file opened would get the number, and messages would go into data.
 */
int pt_standard_files_occupy(struct pt_error *err) PT_MUST_USE;
/* Flushes and closes standard output. A write that failed at any time is PT_FAILED. */
int pt_standard_output_close(struct pt_error *err) PT_MUST_USE;

#endif
