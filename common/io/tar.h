/*
 * Writing tar archives: plain ustar, owner 0, time 0, so that equal files give equal bytes. Inside this layer
 * only.
 */
#ifndef PT_IO_TAR_H
#define PT_IO_TAR_H

#include "io/sink.h"

/* One regular file. A name above 100 bytes or 8 GiB of content is PT_FAILED. */
int pt_tar_write_file(struct pt_sink *sink, const char *name, const void *bytes, size_t n,
                      struct pt_error *err) PT_MUST_USE;
/* The two empty blocks that end an archive. */
int pt_tar_write_end(struct pt_sink *sink, struct pt_error *err) PT_MUST_USE;

#endif
