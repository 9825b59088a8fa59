/*
 * utf8proc decomposes and composes; plain text need not go there. Marks are put in order here, since utf8proc
 * takes time for it that grows with the square of their number.
 */
#include "text/compose.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* A character becomes at most 4. */
enum { LONGEST_DECOMPOSITION = 4, CLASSES = 256 };

/* In front of the first jamo that ends a syllable: utf8proc would let a syllable swallow it. It joins
 * nothing, so that a text may be composed in parts around it. */
#define NO_TRAILING_JAMO 0x11a7

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

static uint8_t class_of(uint32_t point)
{
    return (uint8_t)utf8proc_get_property((utf8proc_int32_t)point)->combining_class;
}

static int decompose(const char *text, size_t n, struct pt_words *points, struct pt_error *err)
{
    utf8proc_int32_t parts[LONGEST_DECOMPOSITION];
    uint32_t point;
    int last_class = 0;
    for (size_t at = 0; at < n;) {
        at += pt_utf8_decode(text + at, n - at, &point);
        utf8proc_ssize_t n_parts =
            utf8proc_decompose_char((utf8proc_int32_t)point, parts, LONGEST_DECOMPOSITION,
                                    UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &last_class);
        if (n_parts < 0 || n_parts > LONGEST_DECOMPOSITION)
            return pt_fail(err, PT_FAILED, "normalising U+%04X: %s", (unsigned)point,
                           utf8proc_errmsg(n_parts));
        if (pt_words_append(points, (const uint32_t *)parts, (size_t)n_parts, err))
            return (int)err->status;
    }
    return PT_OK;
}

/* Counts the classes, so that the time does not depend on how they stand; equal ones keep their order. */
static void sort_by_class(uint32_t *marks, size_t n, uint32_t *spare)
{
    size_t places[CLASSES + 1] = {0};
    for (size_t i = 0; i < n; i++)
        places[class_of(marks[i]) + 1]++;
    for (size_t class = 0; class < CLASSES; class ++)
        places[class + 1] += places[class];
    for (size_t i = 0; i < n; i++)
        spare[places[class_of(marks[i])]++] = marks[i];
    memcpy(marks, spare, n * sizeof *marks);
}

/* Unicode's canonical order: each run of marks by their combining class. */
static int order_marks(struct pt_words *points, struct pt_error *err)
{
    uint32_t *spare = NULL;
    size_t capacity = 0, end;
    for (size_t begin = 0; begin < points->n; begin = end + 1) {
        uint8_t last = 0, class;
        bool ordered = true;
        for (end = begin; end < points->n && (class = class_of(points->data[end])); end++) {
            ordered &= class >= last;
            last = class;
        }
        if (ordered)
            continue;
        if (pt_reserve(&spare, &capacity, end - begin, sizeof *spare, err))
            break;
        sort_by_class(points->data + begin, end - begin, spare);
    }
    free(spare);
    return (int)err->status;
}

static int append_composed(uint32_t *points, size_t n, struct pt_buffer *out, struct pt_error *err)
{
    utf8proc_ssize_t length = utf8proc_normalize_utf32((utf8proc_int32_t *)points, (utf8proc_ssize_t)n,
                                                       UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (length < 0)
        return pt_fail(err, PT_FAILED, "normalising %zu characters: %s", n, utf8proc_errmsg(length));
    if (pt_buffer_reserve(out, 4 * (size_t)length, err))
        return (int)err->status;
    for (utf8proc_ssize_t i = 0; i < length; i++)
        out->size += pt_utf8_encode(points[i], out->data + out->size);
    out->data[out->size] = 0;
    return PT_OK;
}

int pt_compose(const char *text, size_t n, struct pt_buffer *out, struct pt_error *err)
{
    struct pt_words points = {0};
    if (!decompose(text, n, &points, err) && !order_marks(&points, err))
        for (size_t begin = 0, end; begin < points.n; begin = end) {
            for (end = begin + 1; end < points.n && points.data[end] != NO_TRAILING_JAMO;)
                end++;
            if (append_composed(points.data + begin, end - begin, out, err))
                break;
        }
    pt_words_free(&points);
    return (int)err->status;
}
