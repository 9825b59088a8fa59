/*
 * What has come is searched for the line's end, and nothing beyond it is waited for: a line is handed out as
 * soon as it is there, however slowly it is typed or produced.
 */
#include "io/line.h"

#include "io/reader.h"

#include <string.h>

/* Takes what has come of the line; *done = true with its end. */
static int take_part(struct pt_source *source, uint64_t limit, struct pt_buffer *line, bool *done,
                     struct pt_error *err)
{
    const void *bytes;
    size_t n, got;
    if (pt_source_peek_once(source, &bytes, &n, err))
        return (int)err->status;
    const char *line_feed = n ? memchr(bytes, '\n', n) : NULL;
    if (line_feed)
        n = (size_t)(line_feed - (const char *)bytes) + 1;
    *done = line_feed || n == 0;
    if (n - (line_feed != NULL) > limit - line->size)
        return pt_fail(err, PT_BAD_INPUT, "%s: byte %llu: a line of more than %llu bytes",
                       pt_source_name(source),
                       (unsigned long long)(pt_source_offset(source) + limit - line->size + 1),
                       (unsigned long long)limit);
    if (pt_buffer_reserve(line, n, err) || pt_source_read(source, line->data + line->size, n, &got, err))
        return (int)err->status;
    line->size += got;
    line->data[line->size] = 0;
    return PT_OK;
}

int pt_line_read(struct pt_source *source, uint64_t limit, struct pt_buffer *line, bool *end,
                 struct pt_error *err)
{
    pt_buffer_clear(line);
    for (bool done = false; !done;)
        if (take_part(source, limit, line, &done, err))
            return (int)err->status;
    *end = line->size == 0;
    if (line->size && line->data[line->size - 1] == '\n') {
        line->data[--line->size] = 0;
        if (line->size && line->data[line->size - 1] == '\r')
            line->data[--line->size] = 0;
    }
    return PT_OK;
}
