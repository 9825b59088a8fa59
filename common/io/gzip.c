/*
 * gzip by zlib itself, because libarchive's filter does not look at the checksum and length behind the data.
 * A file may consist of several gzip members (pigz, bgzip, cat); zeros behind the last one are padding of
 * tapes and are allowed.
 */
#include "io/reader.h"

#include "base/memory.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { INPUT_BYTES = 64 * 1024, WINDOW_BITS_GZIP = MAX_WBITS + 16 };

struct gzip {
    struct pt_source *compressed; /* owned */
    z_stream zlib;
    unsigned char input[INPUT_BYTES];
    bool in_member; /* between a member's first byte and its trailer */
    uint64_t out;
};

static int refill(struct gzip *gzip, struct pt_error *err)
{
    size_t got;
    if (pt_source_read(gzip->compressed, gzip->input, INPUT_BYTES, &got, err))
        return (int)err->status;
    gzip->zlib.next_in = gzip->input;
    gzip->zlib.avail_in = (unsigned)got;
    return PT_OK;
}

/* What comes behind a trailer: another member, the end, or zeros up to the end. */
static int begin_member(struct gzip *gzip, struct pt_error *err)
{
    while (gzip->out && gzip->zlib.avail_in && *gzip->zlib.next_in == 0) {
        gzip->zlib.next_in++;
        gzip->zlib.avail_in--;
        if (!gzip->zlib.avail_in && refill(gzip, err))
            return (int)err->status;
    }
    gzip->in_member = gzip->zlib.avail_in > 0;
    return PT_OK;
}

static int inflate_some(struct gzip *gzip, struct pt_error *err)
{
    const char *name = pt_source_name(gzip->compressed);
    uint64_t at = pt_source_offset(gzip->compressed) - gzip->zlib.avail_in;
    switch (inflate(&gzip->zlib, Z_NO_FLUSH)) {
    case Z_OK:
    case Z_BUF_ERROR: /* no more to be done with the input at hand */
        return PT_OK;
    case Z_STREAM_END:
        gzip->in_member = false;
        return inflateReset(&gzip->zlib) == Z_OK ? PT_OK : pt_fail(err, PT_FAILED, "%s: zlib failed", name);
    case Z_MEM_ERROR:
        return pt_fail(err, PT_FAILED, "%s: out of memory", name);
    default:
        return pt_fail(err, PT_BAD_INPUT, "%s: damaged gzip data near byte %llu of the file (%s)", name,
                       (unsigned long long)at, gzip->zlib.msg ? gzip->zlib.msg : "inflate failed");
    }
}

static int read_gzip(void *context, void *bytes, size_t n, size_t *got, struct pt_error *err)
{
    struct gzip *gzip = context;
    gzip->zlib.next_out = bytes;
    gzip->zlib.avail_out = n < UINT_MAX ? (unsigned)n : UINT_MAX;
    const unsigned room = gzip->zlib.avail_out;
    while (gzip->zlib.avail_out == room) {
        if (!gzip->zlib.avail_in && refill(gzip, err))
            return (int)err->status;
        if (!gzip->in_member) {
            if (begin_member(gzip, err))
                return (int)err->status;
            if (!gzip->in_member)
                break;
        }
        if (!gzip->zlib.avail_in)
            return pt_fail(
                err, PT_BAD_INPUT, "%s: the gzip data is cut short: it ends at byte %llu inside a member",
                pt_source_name(gzip->compressed), (unsigned long long)pt_source_offset(gzip->compressed));
        if (inflate_some(gzip, err))
            return (int)err->status;
    }
    *got = room - gzip->zlib.avail_out;
    gzip->out += *got;
    return pt_check_ratio(pt_source_name(gzip->compressed), pt_source_offset(gzip->compressed), gzip->out,
                          err);
}

static void close_gzip(void *context)
{
    struct gzip *gzip = context;
    inflateEnd(&gzip->zlib);
    pt_source_close(gzip->compressed);
    free(gzip);
}

int pt_gzip_open(struct pt_reader *reader, struct pt_source *compressed, struct pt_error *err)
{
    struct gzip *gzip = pt_new_array(1, sizeof *gzip, err);
    if (!gzip || inflateInit2(&gzip->zlib, WINDOW_BITS_GZIP) != Z_OK) {
        free(gzip);
        pt_source_close(compressed);
        return pt_fail(err, PT_FAILED, "out of memory");
    }
    gzip->compressed = compressed;
    *reader = (struct pt_reader){.read = read_gzip, .close = close_gzip, .context = gzip};
    return PT_OK;
}
