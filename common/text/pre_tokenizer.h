/*
 * From a normalised text to the pieces that byte-pair encoding sees one by one: the steps of a
 * tokenizer.json's pre_tokenizer, one after the other.
 */
#ifndef PT_TEXT_PRE_TOKENIZER_H
#define PT_TEXT_PRE_TOKENIZER_H

#include "text/split.h"

/* Which pieces get a blank in front, unless they begin with one. */
enum pt_prefixing {
    PT_PREFIX_NONE,
    PT_PREFIX_FIRST, /* the one at the beginning of the whole text */
    PT_PREFIX_ALL,
};

/* Pieces are rewritten first and then split. */
struct pt_pre_step {
    char blank[5]; /* what stands for a blank from here on, UTF-8; empty: nothing is rewritten */
    enum pt_prefixing prefixing;
    struct pt_split *split; /* owned; NULL: pieces stay whole */
    bool spelled; /* it stands behind ByteLevel and sees the characters of the bytes (byte_level.h) */
};

/* Pieces of a text, and the working space to make them. Starts zeroed but for `splitter`. */
struct pt_pieces {
    const char *text; /* what the spans are offsets in; the caller's, or a copy */
    struct pt_spans spans;
    struct pt_splitter *splitter; /* owned */
    struct pt_spans spare;
    struct pt_buffer copies[2], spelled;
};
void pt_pieces_free(struct pt_pieces *pieces);

/* Pieces of text[0..n), n > 0. `is_first`: the whole text begins with it. */
int pt_pre_tokenize(const struct pt_pre_step *steps, size_t n_steps, const char *text, size_t n,
                    bool is_first, struct pt_pieces *pieces, struct pt_error *err) PT_MUST_USE;

#endif
