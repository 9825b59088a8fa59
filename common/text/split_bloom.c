/*
 * Only the first bytes of the excluded characters are looked at closely; a letter costs one table look-up a
 * byte.
 */
#include "text/split_bloom.h"

#include "base/utf8.h"
#include "text/character_class.h"

const char pt_bloom_pattern[] = " ?[^(\\s|[.,!?…。，、।۔،])]+";

/* 1: excluded; 2: may begin an excluded character; 0: part of a word. */
static const uint8_t byte_kind[256] = {
    ['\t'] = 1, ['\n'] = 1, ['\v'] = 1, ['\f'] = 1, ['\r'] = 1, [' '] = 1,  ['('] = 1,
    [')'] = 1,  ['|'] = 1,  ['.'] = 1,  [','] = 1,  ['!'] = 1,  ['?'] = 1,  [0xc2] = 2,
    [0xd8] = 2, [0xdb] = 2, [0xe0] = 2, [0xe1] = 2, [0xe2] = 2, [0xe3] = 2, [0xef] = 2,
};

static bool is_excluded_point(uint32_t point)
{
    switch (point) {
    case 0x060c: /* Arabic comma */
    case 0x06d4: /* Arabic full stop */
    case 0x0964: /* danda */
    case 0x2026: /* ellipsis */
    case 0x3001: /* ideographic comma */
    case 0x3002: /* ideographic full stop */
    case 0xff0c: /* full-width comma */
        return true;
    default:
        return pt_is_white_space(point);
    }
}

/* The length of the excluded character at text[at], 0 if there is none. */
static inline size_t excluded(const char *text, size_t at, size_t end)
{
    uint8_t kind = byte_kind[(uint8_t)text[at]];
    if (kind < 2)
        return kind;
    uint32_t point;
    size_t n = pt_utf8_decode(text + at, end - at, &point);
    return n && is_excluded_point(point) ? n : 0;
}

int pt_split_bloom(const char *text, struct pt_span piece, struct pt_spans *pieces, struct pt_error *err)
{
    size_t end = piece.end;
    for (size_t at = piece.begin; at < end;) {
        size_t begin = at;
        for (size_t n; at < end && (n = excluded(text, at, end)) > 0;)
            at += n;
        size_t word = at;
        /* Continuation bytes have kind 0 as well. */
        while (at < end && !excluded(text, at, end))
            at++;
        if (at > word && word > begin && text[word - 1] == ' ')
            word--;
        if ((word > begin && pt_spans_push(pieces, begin, word, err)) ||
            (at > word && pt_spans_push(pieces, word, at, err)))
            return (int)err->status;
    }
    return PT_OK;
}
