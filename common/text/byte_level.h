/*
 * The byte alphabet of byte-level BPE (GPT-2's bytes_to_unicode): every byte has a printable character.
 * 33-126, 161-172 and 174-255 stand for themselves, the other 68 bytes in rising order for U+0100, U+0101,
 * ...
 */
#ifndef PT_TEXT_BYTE_LEVEL_H
#define PT_TEXT_BYTE_LEVEL_H

#include "base/buffer.h"

/* Writes the character of a byte as UTF-8 and returns its length (1 or 2). */
size_t pt_byte_to_character(uint8_t byte, char out[2]);

/* Appends the bytes that a token stands for; a token with a character outside of the alphabet stands for its
 * own UTF-8 bytes. */
int pt_byte_level_decode(const char *token, size_t n, struct pt_buffer *bytes,
                         struct pt_error *err) PT_MUST_USE;

#endif
