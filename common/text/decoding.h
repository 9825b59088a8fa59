/*
 * How tokens become text again: the steps of a tokenizer.json's decoder (huggingface/tokenizers, decoders/),
 * in the order in which they are taken here. A file that asks for another order is refused.
 */
#ifndef PT_TEXT_DECODING_H
#define PT_TEXT_DECODING_H

#include "base/buffer.h"

#include <stdbool.h>

struct pt_decoding {
    bool byte_level; /* tokens are written in the byte alphabet (byte_level.h); nothing else is done then */
    struct pt_decoding_replacement {
        char *pattern, *text; /* owned; in each token */
        bool vanishes_first;  /* in the first token the pattern is left out instead */
    } * replacements;         /* [n_replacements], owned */
    size_t n_replacements, capacity;
    bool byte_fallback; /* tokens such as <0xE4> stand for a byte; a run of them that is not UTF-8 becomes one
                           U+FFFD for each */
    bool is_joined;     /* tokens are joined: only then can the beginning of the text be stripped */
    char *stripped; /* owned character, NULL: none; from the beginning of the whole text it is taken away */
    uint64_t n_stripped; /* so many times at most */
};

void pt_decoding_free(struct pt_decoding *decoding);

/* The byte that a token such as <0xE4> stands for, or -1. */
int pt_fallback_byte(const char *token, size_t n);

/* Text on its way out of tokens. Starts zeroed. */
struct pt_detokenizer {
    struct pt_buffer bytes; /* a run of bytes that is not text yet */
    struct pt_buffer scratch[2];
    bool has_token; /* a token came */
    bool has_text;  /* text came that does not begin with what is stripped */
    uint64_t n_stripped;
};
void pt_detokenizer_free(struct pt_detokenizer *detokenizer);

/* Appends what is certain after this token. */
int pt_detokenizer_push(struct pt_detokenizer *detokenizer, const struct pt_decoding *decoding,
                        const char *token, size_t n, struct pt_buffer *text,
                        struct pt_error *err) PT_MUST_USE;
/* Appends what is left and starts anew. */
int pt_detokenizer_finish(struct pt_detokenizer *detokenizer, const struct pt_decoding *decoding,
                          struct pt_buffer *text, struct pt_error *err) PT_MUST_USE;

#endif
