/*
 * Small operations on whole numbers.
 */
#ifndef PT_BASE_INTEGER_H
#define PT_BASE_INTEGER_H

#include <stddef.h>
#include <stdint.h>

static inline size_t pt_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A little-endian number of 1 to 8 bytes. */
static inline uint64_t pt_little_endian(const uint8_t *bytes, size_t width)
{
    uint64_t value = 0;
    while (width--)
        value = value << 8 | bytes[width];
    return value;
}

#endif
