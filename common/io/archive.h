/*
 * libarchive, behind four verbs: xz and zstd streams, and the regular files of tar and zip archives, one
 * after the other. Nothing is ever extracted to disk. Inside this layer only.
 */
#ifndef PT_IO_ARCHIVE_H
#define PT_IO_ARCHIVE_H

#include "io/reader.h"

/* Undoes xz or zstd. Owns `compressed` from now on, also when this fails. */
int pt_archive_decompress(struct pt_reader *reader, struct pt_source *compressed,
                          struct pt_error *err) PT_MUST_USE;

struct pt_archive;

/* A tar archive. Owns `tar` from now on, also when this fails. */
int pt_archive_open_tar(struct pt_archive **archive, struct pt_source *tar, struct pt_error *err) PT_MUST_USE;
/* A zip archive, which needs a regular file: its table of contents stands at the end. */
int pt_archive_open_zip(struct pt_archive **archive, const char *path, struct pt_error *err) PT_MUST_USE;
/* The archive in a file, compressed or not; *archive is NULL where the file is none. Implemented in
 * source_open.c. */
int pt_archive_open_path(struct pt_archive **archive, const char *path, struct pt_error *err) PT_MUST_USE;
void pt_archive_close(struct pt_archive *archive); /* NULL is allowed */

/*
 * Goes to the next regular file: its name without a leading "./", borrowed until the next call, NULL behind
 * the last one. Folders, links, devices and AppleDouble companions are passed over.
 */
int pt_archive_next(struct pt_archive *archive, const char **name, struct pt_error *err) PT_MUST_USE;
/*
 * The names of all files that are left, in the archive's order, owned by the caller: pt_archive_names_free.
 * Two of the same name are PT_BAD_INPUT: which one is meant cannot be known.
 */
int pt_archive_list(struct pt_archive *archive, char ***names, size_t *n, struct pt_error *err) PT_MUST_USE;
void pt_archive_names_free(char **names, size_t n);
/* Up to n bytes of the current file; *got = 0 only at its end. */
int pt_archive_read(struct pt_archive *archive, void *bytes, size_t n, size_t *got,
                    struct pt_error *err) PT_MUST_USE;

#endif
