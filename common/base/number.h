/*
 * Strict parsing and exact printing of numbers. The whole text must be a number in range; the locale plays no
 * part.
 */
#ifndef PT_BASE_NUMBER_H
#define PT_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool pt_parse_u64(const char *text, uint64_t low, uint64_t high, uint64_t *value);
/* A finite decimal number. */
bool pt_parse_double(const char *text, double low, double high, double *value);
/* A count of bytes: "4096", "512M", "1.5G" (K, M, G, T are powers of 1024, an "iB" or "B" behind them is
 * allowed), or "80%" of pt_memory_available(). */
bool pt_parse_size(const char *text, uint64_t *bytes);

enum { PT_NUMBER_TEXT = 32 };
/* The shortest decimal text that reads back exactly; "nan", "inf" and "-inf" where it applies. Returns
 * `text`. */
char *pt_format_double(double value, char text[PT_NUMBER_TEXT]);
/* "1,303,128,064" */
char *pt_format_thousands(uint64_t value, char text[PT_NUMBER_TEXT]);
/* "1.2 GiB" */
char *pt_format_size(uint64_t bytes, char text[PT_NUMBER_TEXT]);

#endif
