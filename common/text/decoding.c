/*
 * A run of byte tokens is text or not as a whole, as in the reference; so it waits until the run ends.
 */
#include "text/decoding.h"

#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/lossy_text.h"
#include "text/normalizer.h"

#include <stdlib.h>
#include <string.h>

void pt_decoding_free(struct pt_decoding *decoding)
{
    for (size_t i = 0; i < decoding->n_replacements; i++) {
        free(decoding->replacements[i].pattern);
        free(decoding->replacements[i].text);
    }
    free(decoding->replacements);
    free(decoding->stripped);
    *decoding = (struct pt_decoding){0};
}

void pt_detokenizer_free(struct pt_detokenizer *detokenizer)
{
    pt_buffer_free(&detokenizer->bytes);
    pt_buffer_free(&detokenizer->scratch[0]);
    pt_buffer_free(&detokenizer->scratch[1]);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)((found - digits) % 16) : -1;
}

int pt_fallback_byte(const char *token, size_t n)
{
    if (n != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>')
        return -1;
    int high = hex_digit(token[3]), low = hex_digit(token[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* Text behind which nothing of it changes any more: takes away what is stripped from the beginning. */
static int emit(struct pt_detokenizer *detokenizer, const struct pt_decoding *decoding, const char *piece,
                size_t n, struct pt_buffer *text, struct pt_error *err)
{
    size_t width = decoding->stripped ? strlen(decoding->stripped) : 0;
    while (width && !detokenizer->has_text && n >= width && detokenizer->n_stripped < decoding->n_stripped &&
           !memcmp(piece, decoding->stripped, width)) {
        detokenizer->n_stripped++;
        piece += width;
        n -= width;
    }
    detokenizer->has_text = detokenizer->has_text || n > 0;
    return pt_buffer_append(text, piece, n, err);
}

/* The run of bytes has ended. */
static int emit_bytes(struct pt_detokenizer *detokenizer, const struct pt_decoding *decoding,
                      struct pt_buffer *text, struct pt_error *err)
{
    struct pt_buffer *bytes = &detokenizer->bytes;
    bool is_text = pt_utf8_check(bytes->data, bytes->size) == bytes->size;
    int status =
        is_text && bytes->size ? emit(detokenizer, decoding, bytes->data, bytes->size, text, err) : 0;
    for (size_t i = 0; i < bytes->size && !is_text && !status; i++)
        status = emit(detokenizer, decoding, "\xef\xbf\xbd", 3, text, err);
    pt_buffer_clear(bytes);
    return status;
}

static int replace_all(struct pt_detokenizer *detokenizer, const struct pt_decoding *decoding,
                       const char **token, size_t *n, struct pt_error *err)
{
    for (size_t i = 0; i < decoding->n_replacements; i++) {
        const struct pt_decoding_replacement *replacement = &decoding->replacements[i];
        struct pt_buffer *out = &detokenizer->scratch[i % 2];
        bool vanishes = replacement->vanishes_first && !detokenizer->has_token;
        pt_buffer_clear(out);
        if (pt_replace(*token, *n, replacement->pattern, vanishes ? "" : replacement->text, out, err))
            return (int)err->status;
        *token = out->data;
        *n = out->size;
    }
    detokenizer->has_token = true;
    return PT_OK;
}

int pt_detokenizer_push(struct pt_detokenizer *detokenizer, const struct pt_decoding *decoding,
                        const char *token, size_t n, struct pt_buffer *text, struct pt_error *err)
{
    if (decoding->byte_level)
        return pt_byte_level_decode(token, n, &detokenizer->bytes, err)
                   ? (int)err->status
                   : pt_lossy_text_move(&detokenizer->bytes, PT_REPLACE_PARTS, text, err);
    if (replace_all(detokenizer, decoding, &token, &n, err))
        return (int)err->status;
    int byte = decoding->byte_fallback ? pt_fallback_byte(token, n) : -1;
    if (byte >= 0)
        return pt_buffer_append(&detokenizer->bytes, &(char){(char)byte}, 1, err);
    return emit_bytes(detokenizer, decoding, text, err) ? (int)err->status
                                                        : emit(detokenizer, decoding, token, n, text, err);
}

int pt_detokenizer_finish(struct pt_detokenizer *detokenizer, const struct pt_decoding *decoding,
                          struct pt_buffer *text, struct pt_error *err)
{
    int status = decoding->byte_level ? pt_lossy_text_finish(&detokenizer->bytes, PT_REPLACE_PARTS, text, err)
                                      : emit_bytes(detokenizer, decoding, text, err);
    detokenizer->has_token = detokenizer->has_text = false;
    detokenizer->n_stripped = 0;
    return status;
}
