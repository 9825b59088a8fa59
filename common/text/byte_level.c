/*
 * The alphabet is computed, not tabulated: it is a rule of three ranges.
 */
#include "text/byte_level.h"

#include "base/utf8.h"

#include <stdbool.h>

static bool stands_for_itself(uint32_t byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
}

/* How many bytes below this one do not stand for themselves. */
static uint32_t displaced_below(uint32_t byte)
{
    uint32_t n = 0;
    for (uint32_t b = 0; b < byte; b++)
        n += !stands_for_itself(b);
    return n;
}

size_t pt_byte_to_character(uint8_t byte, char out[2])
{
    char text[4];
    size_t n = pt_utf8_encode(stands_for_itself(byte) ? byte : 0x100 + displaced_below(byte), text);
    out[0] = text[0];
    if (n > 1)
        out[1] = text[1];
    return n;
}

/* The byte of a character, or -1 where it is not of the alphabet. */
static int character_to_byte(uint32_t point)
{
    if (point < 0x100)
        return stands_for_itself(point) ? (int)point : -1;
    for (uint32_t byte = 0, displaced = 0; byte < 256; byte++)
        if (!stands_for_itself(byte) && 0x100 + displaced++ == point)
            return (int)byte;
    return -1;
}

int pt_byte_level_decode(const char *token, size_t n, struct pt_buffer *bytes, struct pt_error *err)
{
    size_t start = bytes->size;
    for (size_t at = 0; at < n;) {
        uint32_t point;
        size_t length = pt_utf8_decode(token + at, n - at, &point);
        int byte = length ? character_to_byte(point) : -1;
        if (byte < 0) {
            bytes->size = start;
            return pt_buffer_append(bytes, token, n, err);
        }
        char c = (char)byte;
        if (pt_buffer_append(bytes, &c, 1, err))
            return (int)err->status;
        at += length;
    }
    return PT_OK;
}
