/*
 * Patterns of a tokenizer.json are written for Oniguruma (Ruby syntax, Unicode). This puts them into the
 * words of PCRE2, such that both match the same. Nested classes and every class shorthand are spelt out,
 * since the two engines define them differently.
 */
#ifndef PT_TEXT_ONIGURUMA_H
#define PT_TEXT_ONIGURUMA_H

#include "base/buffer.h"

/*
 * Appends the PCRE2 pattern, to be compiled with UTF, UCP, MULTILINE and line feed as the only newline. What
 * could not be put exactly (negated nested classes, intersections, stacked quantifiers, back references, ...)
 * is PT_MISMATCH and named.
 */
int pt_pattern_translate(const char *pattern, size_t n, struct pt_buffer *out,
                         struct pt_error *err) PT_MUST_USE;

#endif
