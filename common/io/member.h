/*
 * One file of an archive as bytes. Inside this layer only.
 *
 * Neither gzip nor tar says where a file lies, and nothing but the end of a compressed stream tells that the
 * data before it was sound. So an archive is gone through to its end before the last bytes of a file count as
 * read, unless that was done before. Files that are read in the archive's order are read in one pass all the
 * same: an archive that was left in the middle waits for whoever wants its next file (one in each thread).
 */
#ifndef PT_IO_MEMBER_H
#define PT_IO_MEMBER_H

#include "io/archive.h"

/* The file called `member` of the archive at `path`; PT_BAD_INPUT where the path is no archive, or holds no
 * such file. */
int pt_member_open(struct pt_reader *reader, const char *path, const char *member,
                   struct pt_error *err) PT_MUST_USE;
/* The only file of an archive, of which there must be exactly one. Owns the archive from now on, also when
 * this fails. */
int pt_member_open_only(struct pt_reader *reader, struct pt_archive *archive, const char *path,
                        struct pt_error *err) PT_MUST_USE;

/* Notes that the archive at `path` was gone through to its end without fault. */
void pt_member_note_sound(const char *path);

#endif
