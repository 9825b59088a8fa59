/*
 * Where bytes come from: a file, standard input, a member of an archive, memory. gzip, xz and zstd are undone
 * on the way, told by content. Archives are tar (compressed or not) and zip.
 *
 * A path is: "-" for standard input; a file; an archive that holds exactly one regular file; or
 * "ARCHIVE:MEMBER" where ARCHIVE exists and "ARCHIVE:MEMBER" does not. Standard input and pipes may be tar
 * archives, but not zip. A file in an archive may be compressed; an archive in an archive is just bytes.
 *
 * What is missing or cannot be read is PT_FAILED with the system's reason. A folder, damaged or truncated
 * compression, an archive without the file that was asked for or with more than one where one is expected are
 * PT_BAD_INPUT; an encrypted member, and zip from a pipe, PT_MISMATCH. Errors are sticky: once a read fails
 * all later ones fail with the same message. Decompressed output beyond a ratio of 1000:1 once past 1 GiB is
 * refused (PT_BAD_INPUT). Checksums of compressed data are verified, at the latest with the last byte: what
 * was read before its end is not to be trusted yet.
 */
#ifndef PT_IO_SOURCE_H
#define PT_IO_SOURCE_H

#include "base/buffer.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pt_source;

int pt_source_open(struct pt_source **source, const char *path, struct pt_error *err) PT_MUST_USE;
/* Bytes in memory, borrowed until the source is closed. */
int pt_source_open_memory(struct pt_source **source, const char *name, const void *bytes, size_t n,
                          struct pt_error *err) PT_MUST_USE;
void pt_source_close(struct pt_source *source); /* NULL is allowed */
/* Where the member's name begins in "ARCHIVE:MEMBER", 0 where the path is one file's. */
size_t pt_source_member_offset(const char *path);

/* Up to n bytes; *got < n only at the end. */
int pt_source_read(struct pt_source *source, void *bytes, size_t n, size_t *got,
                   struct pt_error *err) PT_MUST_USE;
/* Exactly n bytes: an earlier end is PT_BAD_INPUT and names the offset and `what` was being read. */
int pt_source_read_exactly(struct pt_source *source, void *bytes, size_t n, const char *what,
                           struct pt_error *err) PT_MUST_USE;
/* Everything that is left, at most `limit` bytes (more is PT_BAD_INPUT). */
int pt_source_read_all(struct pt_source *source, uint64_t limit, struct pt_buffer *out,
                       struct pt_error *err) PT_MUST_USE;
/* What comes next without taking it: up to n (at most 64 KiB) bytes, fewer only at the end. The pointer lives
 * until the next call. */
int pt_source_peek(struct pt_source *source, size_t n, const void **bytes, size_t *got,
                   struct pt_error *err) PT_MUST_USE;

/* From now on a read that would wait for its producer fails once interrupted(context) says so, which is asked
 * several times a second; what is there is still read. NULL: reads wait as long as it takes. */
void pt_source_set_interrupt(bool (*interrupted)(void *context), void *context);

uint64_t pt_source_offset(const struct pt_source *source);  /* bytes handed out so far */
const char *pt_source_name(const struct pt_source *source); /* for messages: the path, or "standard input" */

/*
 * The paths that pt_source_open takes for each regular file in `path`: itself, or ARCHIVE:MEMBER for each
 * member in the archive's order (AppleDouble and directory entries left out). Strings and array are owned by
 * the caller.
 */
int pt_source_expand(const char *path, char ***paths, size_t *n, struct pt_error *err) PT_MUST_USE;

#endif
