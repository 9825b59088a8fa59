/*
 * Bytes that should become text: well-formed characters pass, and what can never become one turns into
 * U+FFFD. An unfinished character waits for its rest.
 */
#ifndef PT_TEXT_LOSSY_TEXT_H
#define PT_TEXT_LOSSY_TEXT_H

#include "base/buffer.h"

/* How many U+FFFD there are. */
enum pt_replacement {
    PT_REPLACE_PARTS, /* one for each maximal part of a character (Unicode 15, section 3.9), as Rust's
                         from_utf8_lossy does it */
    PT_REPLACE_BYTES, /* one for each byte, as sentencepiece does it */
};

/* Moves what is certain from the front of `bytes` to `text`. */
int pt_lossy_text_move(struct pt_buffer *bytes, enum pt_replacement replacement, struct pt_buffer *text,
                       struct pt_error *err) PT_MUST_USE;
/* Moves everything: nothing comes behind it. */
int pt_lossy_text_finish(struct pt_buffer *bytes, enum pt_replacement replacement, struct pt_buffer *text,
                         struct pt_error *err) PT_MUST_USE;

#endif
