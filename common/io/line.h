/*
 * Lines of a source.
 */
#ifndef PT_IO_LINE_H
#define PT_IO_LINE_H

#include "base/buffer.h"
#include "io/source.h"

/*
 * The next line into `line`, without its line feed and a carriage return in front of that; *end = true where
 * there is none. A line of more than `limit` bytes is PT_BAD_INPUT. A last line without a line feed counts.
 */
int pt_line_read(struct pt_source *source, uint64_t limit, struct pt_buffer *line, bool *end,
                 struct pt_error *err) PT_MUST_USE;

#endif
