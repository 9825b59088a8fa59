/*
 * Bytes that should become text: well-formed characters pass, and what can never become one turns into U+FFFD, one for each
 * maximal part of a character (Unicode 15, section 3.9, as Rust's from_utf8_lossy does it). An unfinished character waits for its rest.
 */
#ifndef PT_TEXT_LOSSY_TEXT_H
#define PT_TEXT_LOSSY_TEXT_H

#include "base/buffer.h"

/* Moves what is certain from the front of `bytes` to `text`. */
int pt_lossy_text_move(struct pt_buffer *bytes, struct pt_buffer *text, struct pt_error *err) PT_MUST_USE;
/* Moves everything: nothing comes behind it. */
int pt_lossy_text_finish(struct pt_buffer *bytes, struct pt_buffer *text, struct pt_error *err) PT_MUST_USE;

#endif
