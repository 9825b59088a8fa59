/*
 * Where bytes go: standard output or a file. Errors are sticky. A file is written beside its target under a
 * temporary name, and only pt_sink_commit, after everything was written and synced, renames it: a target is
 * never seen half written, and an interrupted or discarded one leaves nothing behind.
 */
#ifndef PT_IO_SINK_H
#define PT_IO_SINK_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pt_sink;

/* "-" is standard output. Devices and pipes (/dev/full, /dev/fd/3, a FIFO) are written in place. */
int pt_sink_open(struct pt_sink **sink, const char *path, struct pt_error *err) PT_MUST_USE;
/* A sink that collects in memory; pt_sink_memory gives what was written (borrowed until the sink is gone). */
int pt_sink_open_memory(struct pt_sink **sink, struct pt_error *err) PT_MUST_USE;
const void *pt_sink_memory(const struct pt_sink *sink, size_t *n);

int pt_sink_write(struct pt_sink *sink, const void *bytes, size_t n, struct pt_error *err) PT_MUST_USE;
int pt_sink_flush(struct pt_sink *sink, struct pt_error *err) PT_MUST_USE;
/* Flushes, syncs, renames, closes: in that order. The sink is gone afterwards, also on failure (which removes
 * the temporary file). */
int pt_sink_commit(struct pt_sink *sink, struct pt_error *err) PT_MUST_USE;
/* Removes the temporary file and frees the sink; NULL is allowed. */
void pt_sink_discard(struct pt_sink *sink);

/* True where the reader of a pipe has gone away (polled, nothing is written); never for files. */
bool pt_sink_reader_gone(const struct pt_sink *sink);
bool pt_sink_is_terminal(const struct pt_sink *sink);

/* Removes the temporary files of all open sinks; async-signal-safe, for handlers of fatal signals. */
void pt_sink_remove_temporaries(void);

#endif
