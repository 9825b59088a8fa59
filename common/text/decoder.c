/*
 * Ids to text as they come. What a tokenizer.json says about it is in decoding.c. SentencePiece drops the
 * blank in front of the first word, so until some text has come out the library decodes all ids so far; from
 * then on each piece alone, behind one that is known (its text is cut off again).
 */
#include "text/tokenizer_inside.h"

#include "base/memory.h"
#include "text/lossy_text.h"

#include <stdlib.h>
#include <string.h>

struct pt_decoder {
    const struct pt_tokenizer *tokenizer;
    bool skip_special;
    struct pt_detokenizer bpe; /* and for SentencePiece: */
    struct pt_buffer bytes;    /* not yet text */
    struct pt_words lead;      /* ids that gave no text so far, then one that gave some */
    size_t lead_bytes;         /* the length of their text */
};

int pt_decoder_new(struct pt_decoder **out, const struct pt_tokenizer *tokenizer, bool skip_special,
                   struct pt_error *err)
{
    struct pt_decoder *decoder = pt_new_array(1, sizeof *decoder, err);
    if (!decoder)
        return (int)err->status;
    decoder->tokenizer = tokenizer;
    decoder->skip_special = skip_special;
    *out = decoder;
    return PT_OK;
}

void pt_decoder_free(struct pt_decoder *decoder)
{
    if (!decoder)
        return;
    pt_detokenizer_free(&decoder->bpe);
    pt_buffer_free(&decoder->bytes);
    pt_words_free(&decoder->lead);
    free(decoder);
}

static int push_bpe(struct pt_decoder *decoder, uint32_t id, struct pt_buffer *text, struct pt_error *err)
{
    const struct pt_bpe_tokenizer *tokenizer = decoder->tokenizer->bpe;
    size_t n;
    const char *token = pt_vocabulary_token(&tokenizer->vocabulary, id, &n);
    if (!token)
        return pt_fail(err, PT_MISMATCH, "%s: no token has the id %u", decoder->tokenizer->name, id);
    if (decoder->skip_special && tokenizer->is_special[id])
        return PT_OK;
    return pt_detokenizer_push(&decoder->bpe, &tokenizer->decoding, token, n, text, err);
}

/* The text of the lead, its newest id included: appends what is new of it. Once there is some, the newest id
 * leaves the lead again. */
static int decode_lead(struct pt_decoder *decoder, struct pt_buffer *text, struct pt_error *err)
{
    char reason[300], *decoded;
    size_t n;
    if (!pt_sentencepiece_decode(decoder->tokenizer->sentencepiece, decoder->lead.data, decoder->lead.n,
                                 &decoded, &n, reason, sizeof reason))
        return pt_fail(err, PT_FAILED, "sentencepiece: %s", reason);
    size_t known = decoder->lead_bytes;
    int status = text && n > known ? pt_buffer_append(text, decoded + known, n - known, err) : PT_OK;
    free(decoded);
    if (known)
        decoder->lead.n--;
    else
        decoder->lead_bytes = n;
    return status;
}

/* A piece that stands for a byte counts as text, also where its character is not whole yet. */
static int push_byte(struct pt_decoder *decoder, uint32_t id, char byte, struct pt_buffer *text,
                     struct pt_error *err)
{
    if (!decoder->lead_bytes && (pt_words_push(&decoder->lead, id, err) || decode_lead(decoder, NULL, err)))
        return (int)err->status;
    if (pt_buffer_append(&decoder->bytes, &byte, 1, err))
        return (int)err->status;
    return pt_lossy_text_move(&decoder->bytes, PT_REPLACE_BYTES, text, err);
}

static int push_sentencepiece(struct pt_decoder *decoder, uint32_t id, struct pt_buffer *text,
                              struct pt_error *err)
{
    const struct pt_sentencepiece *model = decoder->tokenizer->sentencepiece;
    if (id >= pt_sentencepiece_size(model))
        return pt_fail(err, PT_MISMATCH, "%s: no token has the id %u", decoder->tokenizer->name, id);
    int byte = pt_sentencepiece_byte(model, id);
    if (byte >= 0)
        return push_byte(decoder, id, (char)byte, text, err);
    if (pt_lossy_text_finish(&decoder->bytes, PT_REPLACE_BYTES, text, err) ||
        pt_words_push(&decoder->lead, id, err))
        return (int)err->status;
    return decode_lead(decoder, text, err);
}

int pt_decoder_push(struct pt_decoder *decoder, uint32_t id, struct pt_buffer *text, struct pt_error *err)
{
    return decoder->tokenizer->bpe ? push_bpe(decoder, id, text, err)
                                   : push_sentencepiece(decoder, id, text, err);
}

int pt_decoder_finish(struct pt_decoder *decoder, struct pt_buffer *text, struct pt_error *err)
{
    if (decoder->tokenizer->bpe)
        return pt_detokenizer_finish(&decoder->bpe, &decoder->tokenizer->bpe->decoding, text, err);
    decoder->lead.n = decoder->lead_bytes = 0;
    return pt_lossy_text_finish(&decoder->bytes, PT_REPLACE_BYTES, text, err);
}
