/*
 * A buffer in front of a reader. Large reads go past the buffer, so that a token stream is copied once. A
 * failure of the reader is kept and given again to every later call.
 */
#include "io/source.h"

#include "base/memory.h"
#include "io/reader.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 256 * 1024, MOST_PEEKED = 64 * 1024, READ_ALL_STEP = 1024 * 1024 };

static const uint64_t ratio_free_bytes = UINT64_C(1) << 30, most_ratio = 1000;

struct pt_source {
    char *name;
    struct pt_reader reader; /* read is NULL for memory */
    char *buffer;            /* [at, end) is to be handed out; borrowed for memory */
    size_t at, end;
    bool finished; /* the reader has nothing more */
    uint64_t offset;
    struct pt_error failure;
};

static int report(const struct pt_source *source, struct pt_error *err)
{
    if (source->failure.status && !err->status)
        *err = source->failure;
    return (int)err->status;
}

static void close_reader(struct pt_reader reader)
{
    if (reader.close)
        reader.close(reader.context);
}

int pt_source_open_reader(struct pt_source **source, const char *name, struct pt_reader reader,
                          struct pt_error *err)
{
    *source = NULL;
    struct pt_source *opened = pt_new_array(1, sizeof *opened, err);
    if (opened)
        opened->name = pt_new_string(name, err);
    if (opened && reader.read)
        opened->buffer = malloc(BUFFER_BYTES);
    if (!opened || !opened->name || (reader.read && !opened->buffer)) {
        close_reader(reader);
        pt_source_close(opened);
        return pt_fail(err, PT_FAILED, "out of memory");
    }
    opened->reader = reader;
    *source = opened;
    return PT_OK;
}

int pt_source_open_memory(struct pt_source **source, const char *name, const void *bytes, size_t n,
                          struct pt_error *err)
{
    if (pt_source_open_reader(source, name, (struct pt_reader){0}, err))
        return (int)err->status;
    (*source)->buffer = (char *)(uintptr_t)bytes;
    (*source)->end = n;
    (*source)->finished = true;
    return PT_OK;
}

void pt_source_close(struct pt_source *source)
{
    if (!source)
        return;
    if (source->reader.read)
        free(source->buffer);
    close_reader(source->reader);
    free(source->name);
    free(source);
}

/* One read of the reader into [bytes, bytes + n); 0 once it has ended or failed. */
static size_t pull(struct pt_source *source, void *bytes, size_t n)
{
    size_t got = 0;
    if (source->finished || source->failure.status || n == 0)
        return 0;
    if (source->reader.read(source->reader.context, bytes, n, &got, &source->failure))
        return 0;
    source->finished = got == 0;
    return got;
}

/* Copies what the buffer holds, at most n bytes. */
static size_t take(struct pt_source *source, char *bytes, size_t n)
{
    size_t held = source->end - source->at;
    n = n < held ? n : held;
    if (n)
        memcpy(bytes, source->buffer + source->at, n);
    source->at += n;
    return n;
}

int pt_source_read(struct pt_source *source, void *bytes, size_t n, size_t *got, struct pt_error *err)
{
    size_t done = take(source, bytes, n);
    while (done < n) {
        size_t pulled;
        if (n - done >= BUFFER_BYTES) {
            pulled = pull(source, (char *)bytes + done, n - done);
            done += pulled;
        } else {
            pulled = pull(source, source->buffer, source->reader.read ? BUFFER_BYTES : 0);
            source->at = 0;
            source->end = pulled;
            done += take(source, (char *)bytes + done, n - done);
        }
        if (!pulled)
            break;
    }
    *got = done;
    source->offset += done;
    return done < n ? report(source, err) : PT_OK;
}

int pt_source_peek_once(struct pt_source *source, const void **bytes, size_t *got, struct pt_error *err)
{
    if (source->at == source->end && source->reader.read) {
        source->at = 0;
        source->end = pull(source, source->buffer, BUFFER_BYTES);
    }
    *bytes = source->buffer + source->at;
    *got = source->end - source->at;
    return *got ? PT_OK : report(source, err);
}

int pt_source_read_exactly(struct pt_source *source, void *bytes, size_t n, const char *what,
                           struct pt_error *err)
{
    size_t got;
    uint64_t start = source->offset;
    if (pt_source_read(source, bytes, n, &got, err))
        return (int)err->status;
    if (got < n)
        return pt_fail(err, PT_BAD_INPUT,
                       "%s: ends at byte %llu, inside %s that begins at byte %llu and has %zu bytes",
                       source->name, (unsigned long long)source->offset, what, (unsigned long long)start, n);
    return PT_OK;
}

int pt_source_read_all(struct pt_source *source, uint64_t limit, struct pt_buffer *out, struct pt_error *err)
{
    uint64_t total = 0;
    for (;;) {
        uint64_t left = limit - total;
        size_t step = left < READ_ALL_STEP ? (size_t)left + 1 : READ_ALL_STEP, got;
        if (pt_buffer_reserve(out, step, err) ||
            pt_source_read(source, out->data + out->size, step, &got, err))
            return (int)err->status;
        if (got > left)
            return pt_fail(err, PT_BAD_INPUT, "%s: has more than the %llu bytes that are allowed here",
                           source->name, (unsigned long long)limit);
        out->size += got;
        out->data[out->size] = 0;
        total += got;
        if (got < step)
            return PT_OK;
    }
}

int pt_source_peek(struct pt_source *source, size_t n, const void **bytes, size_t *got, struct pt_error *err)
{
    n = n < MOST_PEEKED ? n : MOST_PEEKED;
    if (source->reader.read && source->end - source->at < n && source->at) {
        memmove(source->buffer, source->buffer + source->at, source->end - source->at);
        source->end -= source->at;
        source->at = 0;
    }
    while (source->end - source->at < n) {
        size_t pulled =
            pull(source, source->buffer + source->end, source->reader.read ? BUFFER_BYTES - source->end : 0);
        source->end += pulled;
        if (!pulled)
            break;
    }
    size_t held = source->end - source->at;
    *bytes = source->buffer + source->at;
    *got = held < n ? held : n;
    return *got < n ? report(source, err) : PT_OK;
}

uint64_t pt_source_offset(const struct pt_source *source)
{
    return source->offset;
}

const char *pt_source_name(const struct pt_source *source)
{
    return source->name;
}

int pt_check_ratio(const char *name, uint64_t in, uint64_t out, struct pt_error *err)
{
    if (out <= ratio_free_bytes || out / most_ratio <= in)
        return PT_OK;
    return pt_fail(err, PT_BAD_INPUT,
                   "%s: %llu compressed bytes give more than %llu bytes, which no honest data does", name,
                   (unsigned long long)in, (unsigned long long)out);
}
