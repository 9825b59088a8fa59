/*
 * A byte-level BPE tokenizer as a tokenizer.json describes it: added tokens, normaliser, splits, merges,
 * special ids around a text.
 */
#ifndef PT_TEXT_BPE_TOKENIZER_H
#define PT_TEXT_BPE_TOKENIZER_H

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/split.h"
#include "text/vocabulary.h"

#define PT_NO_TOKEN UINT32_MAX

struct pt_bpe_tokenizer {
    struct pt_vocabulary vocabulary; /* of the model and the added tokens */
    struct pt_merges merges;
    uint32_t byte_ids[256]; /* the token of each byte; PT_NO_TOKEN: none */
    uint32_t unknown_id;    /* for bytes without a token; PT_NO_TOKEN: they are left out */
    bool join_unknown;      /* a run of such bytes is one token */
    bool ignore_merges;     /* a piece that is a token itself becomes that token */
    bool compose;           /* the text is put into Unicode's form NFC */

    struct pt_added_token *added; /* [n_added], owned */
    size_t n_added;
    bool *is_special;                                  /* [vocabulary.n_ids], owned */
    struct pt_token_matcher raw_matcher, late_matcher; /* before and after normalising */

    struct pt_split **splits; /* [n_splits], owned, one after the other */
    size_t n_splits;
    bool is_byte_level;    /* the chain of splits is complete */
    bool add_prefix_space; /* before the byte-level split each piece gets a blank in front, unless it has one
                            */
    struct pt_split *byte_level_split; /* owned; NULL: pieces stay whole */

    struct pt_words front, behind; /* special ids around a single text */
};

/* Reads the text of a tokenizer.json. `name` is for messages. */
int pt_bpe_tokenizer_new(struct pt_bpe_tokenizer **tokenizer, const char *text, size_t n, const char *name,
                         struct pt_error *err) PT_MUST_USE;
void pt_bpe_tokenizer_free(struct pt_bpe_tokenizer *tokenizer);

struct pt_bpe_encoder;
int pt_bpe_encoder_new(struct pt_bpe_encoder **encoder, const struct pt_bpe_tokenizer *tokenizer,
                       struct pt_error *err) PT_MUST_USE;
void pt_bpe_encoder_free(struct pt_bpe_encoder *encoder);
/* Appends the ids of valid UTF-8, without the special ids around it. */
int pt_bpe_encode(struct pt_bpe_encoder *encoder, const char *text, size_t n, struct pt_words *ids,
                  struct pt_error *err) PT_MUST_USE;

#endif
