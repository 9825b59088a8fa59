/*
 * utf8proc does the work; plain text need not go there.
 */
#include "text/compose.h"

#include <stdlib.h>
#include <utf8proc.h>

bool pt_is_surely_composed(const char *text, size_t n)
{
    /* U+0300 is CC 80. */
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)text[i] >= 0xcc)
            return false;
    return true;
}

int pt_compose(const char *text, size_t n, struct pt_buffer *out, struct pt_error *err)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t length = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &composed,
                                           UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (length < 0)
        return pt_fail(err, PT_FAILED, "normalising %zu bytes: %s", n, utf8proc_errmsg(length));
    int status = pt_buffer_append(out, composed, (size_t)length, err);
    free(composed);
    return status;
}
