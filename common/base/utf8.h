/*
 * UTF-8 as RFC 3629 defines it: no surrogates, no overlong forms, at most U+10FFFF.
 */
#ifndef PT_BASE_UTF8_H
#define PT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed character at text[0..n), 0 if there is none; its code point in *point (may be
 * NULL). */
size_t pt_utf8_decode(const char *text, size_t n, uint32_t *point);
/* Writes the character and returns its bytes (1 to 4). The point must be valid. */
size_t pt_utf8_encode(uint32_t point, char out[4]);
/* Offset of the first byte that is not well-formed, n if all is. */
size_t pt_utf8_check(const char *text, size_t n);
/* How many bytes of text[0..n) are complete characters: n less an incomplete but so far valid tail of 1 to 3
 * bytes. */
size_t pt_utf8_complete(const char *text, size_t n);
/* Whether the character is none of the controls, which terminals obey: C0, DEL and C1. */
bool pt_utf8_is_printable(uint32_t point);

#endif
