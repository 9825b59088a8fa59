/*
 * A file without a name under TMPDIR (default /tmp), for what memory does not hold: it is gone with the
 * process however that ends.
 */
#ifndef PT_IO_SCRATCH_FILE_H
#define PT_IO_SCRATCH_FILE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct pt_scratch_file {
    int descriptor; /* for reading and writing; -1: not open */
    char *folder;   /* owned, for messages */
};

/* PT_FAILED with the folder and the reason, as all of these. */
int pt_scratch_file_open(struct pt_scratch_file *file, struct pt_error *err) PT_MUST_USE;
/* Appends n bytes, as long as nothing moves the descriptor's place. */
int pt_scratch_file_write(const struct pt_scratch_file *file, const void *bytes, size_t n,
                          struct pt_error *err) PT_MUST_USE;
/* The n bytes from `at` on; to be called by several threads at once, too. */
int pt_scratch_file_read(const struct pt_scratch_file *file, void *bytes, size_t n, uint64_t at,
                         struct pt_error *err) PT_MUST_USE;
/* A file that is not open is allowed. */
void pt_scratch_file_close(struct pt_scratch_file *file);

/* Fails with errno's reason and names the folder. */
int pt_scratch_file_fail(const struct pt_scratch_file *file, struct pt_error *err);

#endif
