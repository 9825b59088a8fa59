/*
 * A BPE tokenizer as a tokenizer.json describes it: added tokens, normaliser, splits, merges, special ids
 * around a text. The symbols that are merged are bytes (byte-level, as GPT-2, BLOOM and Llama 3 have it) or
 * characters, of which those without a token fall back to tokens of their bytes (as SentencePiece has it:
 * Llama 2, Mistral, Gemma).
 */
#ifndef PT_TEXT_BPE_TOKENIZER_H
#define PT_TEXT_BPE_TOKENIZER_H

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/character_table.h"
#include "text/decoding.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/vocabulary.h"

struct pt_bpe_tokenizer {
    struct pt_vocabulary vocabulary; /* of the model and the added tokens */
    size_t n_model_ids;              /* below it are the model's, all others are added tokens' */
    struct pt_merges merges;
    struct pt_character_rules characters; /* not usable unless symbols are bytes */
    bool is_byte_level;                   /* symbols are bytes, not characters */
    uint32_t byte_ids[256];               /* the token of each byte, or ASCII character; PT_NO_TOKEN: none */
    bool byte_fallback;         /* a character without a token becomes the next ones, if it has all of them */
    uint32_t fallback_ids[256]; /* the tokens <0x00> to <0xFF>; PT_NO_TOKEN: none */
    uint32_t unknown_id;        /* for symbols without a token; PT_NO_TOKEN: they are left out */
    bool join_unknown;          /* a run of such symbols is one token */
    bool ignore_merges;         /* a piece that is a token itself becomes that token */

    struct pt_added_token *added; /* [n_added], owned */
    size_t n_added;
    bool *is_special;                                  /* [vocabulary.n_ids], owned */
    struct pt_token_matcher raw_matcher, late_matcher; /* before and after normalising */

    struct pt_normalizer normalizer;
    struct pt_pre_step *pre_steps; /* [n_pre_steps], owned */
    size_t n_pre_steps, pre_steps_capacity;
    bool has_metaspace; /* one of them is Metaspace */
    struct pt_decoding decoding;

    struct pt_words front, behind; /* special ids around a single text */
};

/* Reads the text of a tokenizer.json. `name` is for messages. */
int pt_bpe_tokenizer_new(struct pt_bpe_tokenizer **tokenizer, const char *text, size_t n, const char *name,
                         struct pt_error *err) PT_MUST_USE;
void pt_bpe_tokenizer_free(struct pt_bpe_tokenizer *tokenizer);
/* A token of the model's. */
bool pt_bpe_find(const struct pt_bpe_tokenizer *tokenizer, const char *text, size_t n, uint32_t *id);

struct pt_bpe_encoder;
int pt_bpe_encoder_new(struct pt_bpe_encoder **encoder, const struct pt_bpe_tokenizer *tokenizer,
                       struct pt_error *err) PT_MUST_USE;
void pt_bpe_encoder_free(struct pt_bpe_encoder *encoder);
/* Appends the ids of valid UTF-8, without the special ids around it. */
int pt_bpe_encode(struct pt_bpe_encoder *encoder, const char *text, size_t n, struct pt_words *ids,
                  struct pt_error *err) PT_MUST_USE;

#endif
