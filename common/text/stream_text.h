/*
 * A token stream back to text.
 */
#ifndef PT_TEXT_STREAM_TEXT_H
#define PT_TEXT_STREAM_TEXT_H

#include "fmt/stream.h"
#include "text/tokenizer.h"

/* What stands around counted parts where they are shown: U+27E6 and U+27E7. */
#define PT_TARGET_OPEN "\xe2\x9f\xa6"
#define PT_TARGET_CLOSE "\xe2\x9f\xa7"

/*
 * Writes the text of each example, special tokens included, and a line feed. With `show_targets` counted
 * parts stand between the two marks. Examples of updates are written in the order in which they stand there.
 */
int pt_stream_text_write(struct pt_stream_reader *reader, const struct pt_tokenizer *tokenizer,
                         bool show_targets, struct pt_sink *sink, struct pt_error *err) PT_MUST_USE;

#endif
