/*
 * A byte at a time, so that a line is handed out as soon as it has come, however slowly it is typed or
 * produced.
 */
#include "io/line.h"

int pt_line_read(struct pt_source *source, uint64_t limit, struct pt_buffer *line, bool *end,
                 struct pt_error *err)
{
    pt_buffer_clear(line);
    *end = false;
    for (;;) {
        char byte;
        size_t got;
        if (pt_source_read(source, &byte, 1, &got, err))
            return (int)err->status;
        if (!got) {
            *end = line->size == 0;
            return PT_OK;
        }
        if (byte == '\n')
            break;
        if (line->size >= limit)
            return pt_fail(err, PT_BAD_INPUT, "%s: byte %llu: a line of more than %llu bytes",
                           pt_source_name(source), (unsigned long long)pt_source_offset(source),
                           (unsigned long long)limit);
        if (pt_buffer_append(line, &byte, 1, err))
            return (int)err->status;
    }
    if (line->size && line->data[line->size - 1] == '\r')
        line->data[--line->size] = 0;
    return PT_OK;
}
