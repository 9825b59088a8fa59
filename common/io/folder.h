/*
 * A folder of small files, or a tar or zip archive of one (a single top-level folder inside it is looked
 * through). Written ones appear at once: under a temporary name first, then renamed.
 */
#ifndef PT_IO_FOLDER_H
#define PT_IO_FOLDER_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>

struct pt_folder;

int pt_folder_open(struct pt_folder **folder, const char *path, struct pt_error *err) PT_MUST_USE;
bool pt_folder_has(const struct pt_folder *folder, const char *name);
/* The whole file; one that is missing or larger than `limit` bytes is PT_BAD_INPUT. */
int pt_folder_read(const struct pt_folder *folder, const char *name, uint64_t limit, struct pt_buffer *out,
                   struct pt_error *err) PT_MUST_USE;
void pt_folder_close(struct pt_folder *folder);

struct pt_folder_file {
    const char *name;  /* borrowed */
    const void *bytes; /* borrowed */
    size_t n;
};
/* Writes a folder, or with a path that ends in ".tar" an archive (no time stamps, so equal files give equal
 * bytes). Replaces an older one of ours only after the new one is complete; a target folder that holds
 * anything that is not among `files` is refused. */
int pt_folder_write(const char *path, const struct pt_folder_file *files, size_t n,
                    struct pt_error *err) PT_MUST_USE;

#endif
