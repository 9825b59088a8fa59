/*
 * Well-formed UTF-8 after table 3-7 of the Unicode standard: the first byte decides the length and the range
 * of the second byte, which is what keeps overlong forms, surrogates and points above U+10FFFF out.
 */
#include "base/utf8.h"

#include <string.h>

struct form {
    unsigned length;    /* 0: no character begins with this byte */
    uint8_t low, high;  /* range of the second byte */
    uint8_t first_bits; /* of the first byte that belong to the point */
};

static struct form form_of(uint8_t first)
{
    if (first < 0x80)
        return (struct form){1, 0, 0, 0x7f};
    if (first < 0xc2 || first > 0xf4)
        return (struct form){0, 0, 0, 0};
    if (first < 0xe0)
        return (struct form){2, 0x80, 0xbf, 0x1f};
    if (first < 0xf0)
        return (struct form){3, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf, 0x0f};
    return (struct form){4, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf, 0x07};
}

/* Whether byte i of a character of this form, 0 < i < length, may be `byte`. */
static bool continues(const struct form *form, size_t i, uint8_t byte)
{
    return i == 1 ? byte >= form->low && byte <= form->high : (byte & 0xc0) == 0x80;
}

size_t pt_utf8_decode(const char *text, size_t n, uint32_t *point)
{
    if (!n)
        return 0;
    struct form form = form_of((uint8_t)text[0]);
    if (form.length == 0 || form.length > n)
        return 0;
    uint32_t value = (uint8_t)text[0] & form.first_bits;
    for (size_t i = 1; i < form.length; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (!continues(&form, i, byte))
            return 0;
        value = value << 6 | (byte & 0x3f);
    }
    if (point)
        *point = value;
    return form.length;
}

size_t pt_utf8_encode(uint32_t point, char out[4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const uint8_t marks[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)(marks[length] | point);
    return length;
}

static bool is_ascii_word(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* Three bytes of which the first one restricts the second no further than to be a continuation; four can be
 * read. */
static inline bool is_plain_three(const char *text)
{
    uint8_t first = (uint8_t)text[0];
    uint32_t word;
    memcpy(&word, text, sizeof word);
    return (word & 0xc0c0f0) == 0x8080e0 && first != 0xe0 && first != 0xed;
}

size_t pt_utf8_check(const char *text, size_t n)
{
    size_t at = 0;
    while (at < n) {
        size_t left = n - at;
        if ((uint8_t)text[at] < 0x80) {
            at += left >= 8 && is_ascii_word(text + at) ? 8 : 1;
        } else if (left >= 4 && is_plain_three(text + at)) {
            at += 3;
        } else {
            size_t length = pt_utf8_decode(text + at, left, NULL);
            if (length == 0)
                break;
            at += length;
        }
    }
    return at;
}

size_t pt_utf8_complete(const char *text, size_t n)
{
    for (size_t tail = 1; tail <= 3 && tail <= n; tail++) {
        struct form form = form_of((uint8_t)text[n - tail]);
        if (form.length <= tail) {
            if (((uint8_t)text[n - tail] & 0xc0) == 0x80)
                continue; /* inside a character: look further back for its first byte */
            return n;
        }
        for (size_t i = 1; i < tail; i++)
            if (!continues(&form, i, (uint8_t)text[n - tail + i]))
                return n;
        return n - tail;
    }
    return n;
}

bool pt_utf8_is_printable(uint32_t point)
{
    enum { FIRST_PRINTABLE = 0x20, DELETE = 0x7f, LAST_CONTROL = 0x9f };
    return point >= FIRST_PRINTABLE && (point < DELETE || point > LAST_CONTROL);
}
