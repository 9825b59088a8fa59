/*
 * One buffer in front of a descriptor or a growing memory block. Large writes go past the buffer. What is
 * written to is a temporary file wherever the target is, or will be, a regular file; anything else (standard
 * output, a device, a FIFO, a descriptor under /dev/fd) is written in place.
 */
#include "io/sink.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "base/number.h"
#include "io/descriptor.h"
#include "io/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, PIPE_BYTES = 1024 * 1024 };

struct pt_sink {
    char *name;     /* owned, for messages */
    int descriptor; /* -1: memory */
    bool is_file;   /* then `temporary` is in use */
    struct pt_temporary temporary;
    char *buffer; /* [BUFFER_BYTES] */
    size_t used;
    struct pt_buffer memory;
    struct pt_error failure; /* the first one; all later calls give it again */
};

static int report(const struct pt_sink *sink, struct pt_error *err)
{
    if (sink->failure.status && !err->status)
        *err = sink->failure;
    return (int)err->status;
}

/* The descriptor that the path stands for ("-", /dev/stdout, /dev/fd/3), -1 if it is an ordinary path. */
static int descriptor_in_path(const char *path)
{
    if (!strcmp(path, "-") || !strcmp(path, "/dev/stdout"))
        return STDOUT_FILENO;
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        size_t length = strlen(folders[i]);
        uint64_t number;
        if (!strncmp(path, folders[i], length) && pt_parse_u64(path + length, 0, INT_MAX, &number))
            return (int)number;
    }
    return -1;
}

static int open_in_place(struct pt_sink *sink, const char *path, struct pt_error *err)
{
    int given = descriptor_in_path(path);
    sink->descriptor = given >= 0 ? pt_descriptor_duplicate(given) : pt_descriptor_open(path, O_WRONLY, 0);
    if (sink->descriptor < 0)
        return pt_fail_errno(err, "%s", sink->name);
    struct stat status;
    if (!fstat(sink->descriptor, &status) && S_ISFIFO(status.st_mode))
        fcntl(sink->descriptor, F_SETPIPE_SZ, PIPE_BYTES); /* fewer switches between the two ends; optional */
    return PT_OK;
}

static int open_target(struct pt_sink *sink, const char *path, struct pt_error *err)
{
    struct stat status;
    if (descriptor_in_path(path) >= 0 || (!stat(path, &status) && !S_ISREG(status.st_mode)))
        return open_in_place(sink, path, err);
    sink->is_file = true;
    return pt_temporary_file(&sink->temporary, path, &sink->descriptor, err);
}

static struct pt_sink *new_sink(const char *name, struct pt_error *err)
{
    struct pt_sink *sink = pt_new_array(1, sizeof *sink, err);
    if (!sink)
        return NULL;
    sink->descriptor = -1;
    sink->name = pt_new_string(name, err);
    if (!sink->name) {
        free(sink);
        return NULL;
    }
    return sink;
}

int pt_sink_open(struct pt_sink **sink, const char *path, struct pt_error *err)
{
    *sink = NULL;
    struct pt_sink *opened = new_sink(strcmp(path, "-") ? path : "standard output", err);
    if (!opened)
        return (int)err->status;
    opened->buffer = malloc(BUFFER_BYTES);
    if (!opened->buffer)
        pt_fail(err, PT_FAILED, "out of memory");
    if (err->status || open_target(opened, path, err)) {
        opened->is_file = false;
        pt_sink_discard(opened);
        return (int)err->status;
    }
    *sink = opened;
    return PT_OK;
}

int pt_sink_open_memory(struct pt_sink **sink, struct pt_error *err)
{
    *sink = new_sink("memory", err);
    return (int)err->status;
}

const void *pt_sink_memory(const struct pt_sink *sink, size_t *n)
{
    *n = sink->memory.size;
    return sink->memory.data;
}

static void put(struct pt_sink *sink, const void *bytes, size_t n)
{
    if (!sink->failure.status && pt_descriptor_write(sink->descriptor, bytes, n))
        pt_fail_errno(&sink->failure, "%s", sink->name);
}

static void flush(struct pt_sink *sink)
{
    if (sink->descriptor >= 0)
        put(sink, sink->buffer, sink->used);
    sink->used = 0;
}

int pt_sink_write(struct pt_sink *sink, const void *bytes, size_t n, struct pt_error *err)
{
    if (sink->failure.status)
        return report(sink, err);
    if (sink->descriptor < 0) {
        (void)!pt_buffer_append(&sink->memory, bytes, n, &sink->failure);
        return report(sink, err);
    }
    if (n > BUFFER_BYTES - sink->used)
        flush(sink);
    if (n >= BUFFER_BYTES) {
        put(sink, bytes, n);
    } else if (n) {
        memcpy(sink->buffer + sink->used, bytes, n);
        sink->used += n;
    }
    return report(sink, err);
}

int pt_sink_flush(struct pt_sink *sink, struct pt_error *err)
{
    flush(sink);
    return report(sink, err);
}

/* The closing order matters: a write error may show up only when the data is synced, or the descriptor
 * closed. */
static void finish(struct pt_sink *sink)
{
    flush(sink);
    if (sink->is_file && !sink->failure.status && fsync(sink->descriptor) && errno != EINVAL)
        pt_fail_errno(&sink->failure, "%s", sink->name);
    if (sink->descriptor >= 0 && close(sink->descriptor) && errno != EINTR)
        pt_fail_errno(&sink->failure, "%s", sink->name);
    sink->descriptor = -1;
    if (sink->is_file && !sink->failure.status)
        (void)!pt_temporary_commit(&sink->temporary, &sink->failure);
}

int pt_sink_commit(struct pt_sink *sink, struct pt_error *err)
{
    finish(sink);
    report(sink, err);
    pt_sink_discard(sink);
    return (int)err->status;
}

void pt_sink_discard(struct pt_sink *sink)
{
    if (!sink)
        return;
    if (sink->descriptor >= 0)
        close(sink->descriptor);
    if (sink->is_file)
        pt_temporary_discard(&sink->temporary);
    pt_buffer_free(&sink->memory);
    free(sink->buffer);
    free(sink->name);
    free(sink);
}

bool pt_sink_reader_gone(const struct pt_sink *sink)
{
    if (sink->is_file || sink->descriptor < 0)
        return false;
    struct pollfd state = {.fd = sink->descriptor};
    return poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP));
}

bool pt_sink_is_terminal(const struct pt_sink *sink)
{
    return sink->descriptor >= 0 && isatty(sink->descriptor);
}

void pt_sink_remove_temporaries(void)
{
    pt_temporaries_remove();
}
