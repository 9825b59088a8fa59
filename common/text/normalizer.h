/*
 * What is done to a text before it is split: the steps of a tokenizer.json's normalizer, one after the other
 * (huggingface/tokenizers, normalizers/).
 */
#ifndef PT_TEXT_NORMALIZER_H
#define PT_TEXT_NORMALIZER_H

#include "base/buffer.h"

struct pt_normalizer {
    struct pt_normalizer_step {
        enum pt_normalizing {
            PT_NORMALIZE_COMPOSE, /* to Unicode's form NFC */
            PT_NORMALIZE_PREPEND, /* `text` in front, unless there is nothing */
            PT_NORMALIZE_REPLACE, /* `pattern` by `text`, wherever it stands */
        } kind;
        char *pattern, *text; /* owned, NULL where the kind needs none */
    } * steps;                /* [n], owned */
    size_t n, capacity;
};

/* Copies the strings; a pattern is not empty. */
int pt_normalizer_add(struct pt_normalizer *normalizer, enum pt_normalizing kind, const char *pattern,
                      const char *text, struct pt_error *err) PT_MUST_USE;
void pt_normalizer_free(struct pt_normalizer *normalizer);

/* Puts *text [*n], which must be valid UTF-8, into its normal form. Where that changes it, the result lies in
 * one of the two scratch buffers. */
int pt_normalize(const struct pt_normalizer *normalizer, const char **text, size_t *n,
                 struct pt_buffer scratch[2], struct pt_error *err) PT_MUST_USE;

/* Appends text[0..n) with `by` in place of each `pattern`, from left to right. */
int pt_replace(const char *text, size_t n, const char *pattern, const char *by, struct pt_buffer *out,
               struct pt_error *err) PT_MUST_USE;

#endif
