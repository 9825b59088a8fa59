/*
 * GPT-2's own two files, vocab.json and merges.txt, as the tokenizer.json that transformers makes of them
 * (models/gpt2/tokenization_gpt2.py). OPT has no other ones.
 */
#ifndef PT_TEXT_GPT2_FILES_H
#define PT_TEXT_GPT2_FILES_H

#include "base/hash.h"
#include "text/json_scan.h"

#include <jansson.h>

#define PT_GPT2_VOCABULARY "vocab.json"
#define PT_GPT2_MERGES "merges.txt"

/* What is beside the two. */
struct pt_gpt2_settings {
    const json_t *tokenizer_config, *special_tokens_map, *config; /* NULL: there is none */
    bool has_added_tokens;                                        /* an added_tokens.json */
};

/* Of the two, one behind the other. */
int pt_gpt2_fingerprint(struct pt_fingerprint *fingerprint, const void *vocabulary, size_t n_vocabulary,
                        const void *merges, size_t n_merges, struct pt_error *err) PT_MUST_USE;
/* Appends the document. What only other classes of transformers have is PT_MISMATCH, what is malformed
 * PT_BAD_INPUT. */
int pt_gpt2_document(struct pt_json_slice vocabulary, struct pt_json_slice merges,
                     const struct pt_gpt2_settings *settings, struct pt_buffer *document,
                     struct pt_error *err) PT_MUST_USE;

#endif
