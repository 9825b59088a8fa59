/*
 * Splitting a text into the pieces that byte-pair encoding then sees one by one (huggingface/tokenizers,
 * pre_tokenizers/split.rs).
 */
#ifndef PT_TEXT_SPLIT_H
#define PT_TEXT_SPLIT_H

#include "base/buffer.h"

#include <stdbool.h>

struct pt_span {
    size_t begin, end; /* byte offsets */
};

struct pt_spans {
    struct pt_span *data; /* owned */
    size_t n, capacity;
};
int pt_spans_grow(struct pt_spans *spans, struct pt_error *err) PT_MUST_USE;
static inline PT_MUST_USE int pt_spans_push(struct pt_spans *spans, size_t begin, size_t end,
                                            struct pt_error *err)
{
    if (spans->n == spans->capacity && pt_spans_grow(spans, err))
        return (int)err->status;
    spans->data[spans->n++] = (struct pt_span){begin, end};
    return PT_OK;
}
void pt_spans_free(struct pt_spans *spans);

/* What becomes of a match. */
enum pt_split_behavior {
    PT_SPLIT_REMOVED,    /* it is left out */
    PT_SPLIT_ISOLATED,   /* a piece of its own */
    PT_SPLIT_CONTIGUOUS, /* one piece with the matches next to it */
    PT_SPLIT_MERGED_WITH_PREVIOUS,
    PT_SPLIT_MERGED_WITH_NEXT,
};

/* GPT-2's pattern, which the ByteLevel pre-tokenizer uses. */
extern const char pt_gpt2_pattern[];

struct pt_split;
/* `pattern` is a regular expression, or with `literal` a plain string. One that is not supported is
 * PT_MISMATCH. */
int pt_split_new(struct pt_split **split, const char *pattern, size_t n, bool literal,
                 enum pt_split_behavior behavior, bool invert, struct pt_error *err) PT_MUST_USE;
void pt_split_free(struct pt_split *split); /* NULL is allowed */

/* One thread's working space. */
struct pt_splitter;
int pt_splitter_new(struct pt_splitter **splitter, struct pt_error *err) PT_MUST_USE;
void pt_splitter_free(struct pt_splitter *splitter);

/* Appends the pieces of text[piece.begin..piece.end), none of them empty. Text must be valid UTF-8. */
int pt_split_apply(const struct pt_split *split, struct pt_splitter *splitter, const char *text,
                   struct pt_span piece, struct pt_spans *pieces, struct pt_error *err) PT_MUST_USE;

#endif
