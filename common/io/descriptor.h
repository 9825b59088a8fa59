/*
 * File descriptors as the rest of this layer wants them: never 0, 1 or 2 (a closed standard output must not
 * be taken by some file), closed on exec, and read and written through interruptions.
 */
#ifndef PT_IO_DESCRIPTOR_H
#define PT_IO_DESCRIPTOR_H

#include "base/error.h"

#include <stddef.h>
#include <sys/types.h>

/* open(2), and dup(2), to a descriptor above 2. -1 with errno on failure. */
int pt_descriptor_open(const char *path, int flags, mode_t mode);
int pt_descriptor_duplicate(int descriptor);
/* A descriptor, or -1 with errno, as the call gave it that opened it; a low one is moved up. */
int pt_descriptor_above(int descriptor);

/* One read of up to n bytes; 0 at the end, -1 with errno. Waits where the descriptor is non-blocking, and no
 * longer than pt_source_set_interrupt allows (EINTR). */
ssize_t pt_descriptor_read(int descriptor, void *bytes, size_t n);
/* All n bytes. -1 with errno. */
int pt_descriptor_write(int descriptor, const void *bytes, size_t n);

#endif
