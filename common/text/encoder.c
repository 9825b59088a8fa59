/*
 * Text to ids: checks the text, puts the special ids around it, and leaves the rest to the tokenizer's kind.
 */
#include "text/tokenizer_inside.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <stdlib.h>

struct pt_encoder {
    const struct pt_tokenizer *tokenizer;
    struct pt_bpe_encoder *bpe; /* owned, NULL for SentencePiece */
};

int pt_encoder_new(struct pt_encoder **out, const struct pt_tokenizer *tokenizer, struct pt_error *err)
{
    struct pt_encoder *encoder = pt_new_array(1, sizeof *encoder, err);
    if (!encoder)
        return (int)err->status;
    encoder->tokenizer = tokenizer;
    if (tokenizer->bpe && pt_bpe_encoder_new(&encoder->bpe, tokenizer->bpe, err)) {
        free(encoder);
        return (int)err->status;
    }
    *out = encoder;
    return PT_OK;
}

void pt_encoder_free(struct pt_encoder *encoder)
{
    if (!encoder)
        return;
    pt_bpe_encoder_free(encoder->bpe);
    free(encoder);
}

static int encode_sentencepiece(const struct pt_tokenizer *tokenizer, const char *text, size_t n,
                                struct pt_words *ids, struct pt_error *err)
{
    char reason[300];
    uint32_t *found;
    size_t n_found;
    if (!pt_sentencepiece_encode(tokenizer->sentencepiece, text, n, &found, &n_found, reason, sizeof reason))
        return pt_fail(err, PT_FAILED, "sentencepiece: %s", reason);
    int status = pt_words_append(ids, found, n_found, err);
    free(found);
    return status;
}

int pt_encode(struct pt_encoder *encoder, const char *text, size_t n, bool with_special, struct pt_words *ids,
              struct pt_error *err)
{
    const struct pt_tokenizer *tokenizer = encoder->tokenizer;
    const struct pt_words *behind = tokenizer->bpe ? &tokenizer->bpe->behind : &tokenizer->behind;
    size_t valid = pt_utf8_check(text, n);
    if (valid < n)
        return pt_fail(err, PT_BAD_INPUT, "byte %zu: not UTF-8", valid);
    if (with_special && pt_encode_front(encoder, ids, err))
        return (int)err->status;
    if (tokenizer->bpe ? pt_bpe_encode(encoder->bpe, text, n, ids, err)
                       : encode_sentencepiece(tokenizer, text, n, ids, err))
        return (int)err->status;
    return with_special ? pt_words_append(ids, behind->data, behind->n, err) : PT_OK;
}

int pt_encode_front(struct pt_encoder *encoder, struct pt_words *ids, struct pt_error *err)
{
    const struct pt_tokenizer *tokenizer = encoder->tokenizer;
    const struct pt_words *front = tokenizer->bpe ? &tokenizer->bpe->front : &tokenizer->front;
    return pt_words_append(ids, front->data, front->n, err);
}
