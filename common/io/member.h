/*
 * One file of an archive as bytes. Inside this layer only.
 */
#ifndef PT_IO_MEMBER_H
#define PT_IO_MEMBER_H

#include "io/archive.h"

/*
 * Reads `member`, or with NULL the only file, of which there must be exactly one. The archive is read to its
 * end before the last bytes count as read, so that a fault anywhere in it is noticed. Owns the archive from
 * now on, also when this fails.
 */
int pt_member_open(struct pt_reader *reader, struct pt_archive *archive, const char *name, const char *member,
                   struct pt_error *err) PT_MUST_USE;

#endif
