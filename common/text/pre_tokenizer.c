/*
 * Splitting moves spans only; rewriting copies all pieces, one behind the other.
 */
#include "text/pre_tokenizer.h"

#include "text/byte_level.h"
#include "text/normalizer.h"

#include <string.h>

void pt_pieces_free(struct pt_pieces *pieces)
{
    pt_spans_free(&pieces->spans);
    pt_spans_free(&pieces->spare);
    pt_splitter_free(pieces->splitter);
    pt_buffer_free(&pieces->copies[0]);
    pt_buffer_free(&pieces->copies[1]);
    pt_buffer_free(&pieces->spelled);
}

static int spell(struct pt_pieces *pieces, struct pt_span piece, struct pt_error *err)
{
    pt_buffer_clear(&pieces->spelled);
    for (size_t i = piece.begin; i < piece.end; i++) {
        char character[2];
        size_t n = pt_byte_to_character((uint8_t)pieces->text[i], character);
        if (pt_buffer_append(&pieces->spelled, character, n, err))
            return (int)err->status;
    }
    return PT_OK;
}

/* Bytes that the characters from `begin` to `end` of a spelled piece stand for: as many as begin there. */
static size_t count_bytes(const char *spelled, size_t begin, size_t end)
{
    size_t n = 0;
    for (; begin < end; begin++)
        n += ((uint8_t)spelled[begin] & 0xC0) != 0x80;
    return n;
}

/* Splits a piece as it is spelled. The new pieces may end within a character of the text. */
static int split_spelled(struct pt_pieces *pieces, const struct pt_split *split, struct pt_span piece,
                         struct pt_error *err)
{
    size_t i = pieces->spare.n, from = 0, at = piece.begin;
    if (spell(pieces, piece, err) ||
        pt_split_apply(split, pieces->splitter, pieces->spelled.data,
                       (struct pt_span){0, pieces->spelled.size}, &pieces->spare, err))
        return (int)err->status;
    for (; i < pieces->spare.n; i++) {
        const struct pt_span span = pieces->spare.data[i];
        const size_t begin = at + count_bytes(pieces->spelled.data, from, span.begin);
        at = begin + count_bytes(pieces->spelled.data, span.begin, span.end);
        from = span.end;
        pieces->spare.data[i] = (struct pt_span){begin, at};
    }
    return PT_OK;
}

static int split(struct pt_pieces *pieces, const struct pt_pre_step *step, struct pt_error *err)
{
    pieces->spare.n = 0;
    for (size_t i = 0; i < pieces->spans.n; i++) {
        const struct pt_span piece = pieces->spans.data[i];
        if (step->spelled
                ? split_spelled(pieces, step->split, piece, err)
                : pt_split_apply(step->split, pieces->splitter, pieces->text, piece, &pieces->spare, err))
            return (int)err->status;
    }
    struct pt_spans swap = pieces->spans;
    pieces->spans = pieces->spare;
    pieces->spare = swap;
    return PT_OK;
}

static int rewrite(struct pt_pieces *pieces, const struct pt_pre_step *step, bool is_first,
                   struct pt_error *err)
{
    struct pt_buffer *copy = &pieces->copies[pieces->text == pieces->copies[0].data];
    size_t n_blank = strlen(step->blank);
    pt_buffer_clear(copy);
    for (size_t i = 0; i < pieces->spans.n; i++) {
        struct pt_span *piece = &pieces->spans.data[i];
        const char *text = pieces->text + piece->begin;
        size_t begin = copy->size, n = piece->end - piece->begin;
        bool has_blank = *text == ' ' || (n >= n_blank && !memcmp(text, step->blank, n_blank));
        bool prefixed = step->prefixing == PT_PREFIX_ALL ||
                        (step->prefixing == PT_PREFIX_FIRST && is_first && piece->begin == 0);
        if ((prefixed && !has_blank && pt_buffer_append(copy, step->blank, n_blank, err)) ||
            pt_replace(text, n, " ", step->blank, copy, err))
            return (int)err->status;
        *piece = (struct pt_span){begin, copy->size};
    }
    pieces->text = copy->data;
    return PT_OK;
}

int pt_pre_tokenize(const struct pt_pre_step *steps, size_t n_steps, const char *text, size_t n,
                    bool is_first, struct pt_pieces *pieces, struct pt_error *err)
{
    pieces->text = text;
    pieces->spans.n = 0;
    if (pt_spans_push(&pieces->spans, 0, n, err))
        return (int)err->status;
    for (size_t i = 0; i < n_steps; i++)
        if ((*steps[i].blank && rewrite(pieces, &steps[i], is_first, err)) ||
            (steps[i].split && split(pieces, &steps[i], err)))
            return (int)err->status;
    return PT_OK;
}
