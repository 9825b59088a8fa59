/*
 * Only the last three bytes can be an unfinished character, so little is ever kept back.
 */
#include "text/lossy_text.h"

#include "base/utf8.h"

#include <string.h>

static const char replacement_character[] = "\xef\xbf\xbd";

/* The length of the longest beginning of a character at bytes[0..n), where there is no whole one; at least 1.
 */
static size_t broken_part(const char *bytes, size_t n)
{
    size_t most = n < 3 ? n : 3;
    while (most > 1 && pt_utf8_complete(bytes, most) != 0)
        most--;
    return most;
}

static int move(const char *bytes, size_t n, enum pt_replacement replacement, struct pt_buffer *text,
                struct pt_error *err)
{
    for (size_t at = 0; at < n;) {
        size_t valid = pt_utf8_check(bytes + at, n - at);
        if (pt_buffer_append(text, bytes + at, valid, err))
            return (int)err->status;
        at += valid;
        if (at == n)
            break;
        if (pt_buffer_append(text, replacement_character, 3, err))
            return (int)err->status;
        at += replacement == PT_REPLACE_BYTES ? 1 : broken_part(bytes + at, n - at);
    }
    return PT_OK;
}

int pt_lossy_text_move(struct pt_buffer *bytes, enum pt_replacement replacement, struct pt_buffer *text,
                       struct pt_error *err)
{
    size_t certain = bytes->size ? pt_utf8_complete(bytes->data, bytes->size) : 0;
    if (move(bytes->data, certain, replacement, text, err))
        return (int)err->status;
    if (certain)
        memmove(bytes->data, bytes->data + certain, bytes->size - certain);
    bytes->size -= certain;
    return PT_OK;
}

int pt_lossy_text_finish(struct pt_buffer *bytes, enum pt_replacement replacement, struct pt_buffer *text,
                         struct pt_error *err)
{
    int status = move(bytes->data, bytes->size, replacement, text, err);
    pt_buffer_clear(bytes);
    return status;
}
