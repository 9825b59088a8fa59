/*
 * What a tokenizer is inside: one of two kinds, and the folder it came from.
 */
#ifndef PT_TEXT_TOKENIZER_INSIDE_H
#define PT_TEXT_TOKENIZER_INSIDE_H

#include "text/bpe_tokenizer.h"
#include "text/sentencepiece_shim.h"
#include "text/tokenizer.h"

#include <jansson.h>

struct pt_tokenizer {
    char *name; /* of the file, owned */
    struct pt_fingerprint fingerprint;
    struct pt_bpe_tokenizer *bpe;           /* owned; or */
    struct pt_sentencepiece *sentencepiece; /* owned */
    struct pt_words front, behind;          /* SentencePiece's special ids around a text */
    /* The files beside it, owned; NULL where there is none. */
    json_t *tokenizer_config, *special_tokens_map, *config;
};

#endif
