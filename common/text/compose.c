/*
 * utf8proc does the work; plain text need not go there.
 */
#include "text/compose.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

/* Characters that stay as they are next to each other and next to any character below U+0300: no marks, and
 * nothing that is the second half of a composition. */
static const struct {
    uint32_t first, last;
} unchanging[] = {{0x2010, 0x2027}, {0x3001, 0x3029}, {0x3030, 0x3098}, {0x30a0, 0x30ff},
                  {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xac00, 0xd7a3}, {0xff01, 0xff60}};

static bool is_unchanging(uint32_t point)
{
    for (size_t i = 0; i < sizeof unchanging / sizeof *unchanging; i++)
        if (point <= unchanging[i].last)
            return point >= unchanging[i].first;
    return false;
}

bool pt_is_surely_composed(const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        uint8_t first = (uint8_t)text[at];
        uint32_t point;
        if (first < 0xcc) { /* U+0300 is CC 80 */
            at++;
        } else if (first >= 0xe5 && first <= 0xe9) { /* U+5000 to U+9FFF */
            at += 3;
        } else {
            at += pt_utf8_decode(text + at, n - at, &point);
            if (!is_unchanging(point))
                return false;
        }
    }
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
