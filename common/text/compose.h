/*
 * Unicode normalisation form C.
 */
#ifndef PT_TEXT_COMPOSE_H
#define PT_TEXT_COMPOSE_H

#include "base/buffer.h"

#include <stdbool.h>

/* Appends text[0..n), which must be valid UTF-8, in form NFC. */
int pt_compose(const char *text, size_t n, struct pt_buffer *out, struct pt_error *err) PT_MUST_USE;

/* True where it is quick to see that the text, which must be valid UTF-8, is in form NFC already: it has
 * nothing but Latin characters below U+0300, and Chinese, Japanese and Korean ones that never change. */
bool pt_is_surely_composed(const char *text, size_t n);

#endif
