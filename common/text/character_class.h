/*
 * Classes of characters as Unicode defines them and the reference's regular expressions understand them.
 */
#ifndef PT_TEXT_CHARACTER_CLASS_H
#define PT_TEXT_CHARACTER_CLASS_H

#include <stdbool.h>
#include <stdint.h>

/* The property White_Space: what \s means. */
bool pt_is_white_space(uint32_t point);
/* White_Space and U+001C to U+001F: what Python's str.strip takes. */
bool pt_is_python_space(uint32_t point);
/* Letters, marks, decimal digits, connectors and joiners: what \w means (UTS 18, Annex C), by general
 * category. */
bool pt_is_word(uint32_t point);

#endif
