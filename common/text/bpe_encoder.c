/*
 * From text to ids: cut at added tokens, normalise, cut at added tokens again, split into pieces, and merge
 * the bytes of each piece (the order of huggingface/tokenizers' encode). Short pieces are remembered with
 * their ids.
 */
#include "text/bpe_tokenizer.h"

#include "base/memory.h"
#include "text/byte_level.h"
#include "text/compose.h"
#include "text/word_cache.h"

#include <stdlib.h>
#include <string.h>

struct pt_bpe_encoder {
    const struct pt_bpe_tokenizer *tokenizer;
    struct pt_word_cache *cache;
    struct pt_splitter *splitter;
    struct pt_spans pieces, next_pieces;
    struct pt_bpe_scratch scratch;
    uint32_t *symbols;
    size_t symbols_capacity;
    struct pt_buffer composed, prefixed, characters;
};

int pt_bpe_encoder_new(struct pt_bpe_encoder **out, const struct pt_bpe_tokenizer *tokenizer,
                       struct pt_error *err)
{
    struct pt_bpe_encoder *encoder = pt_new_array(1, sizeof *encoder, err);
    if (!encoder)
        return (int)err->status;
    encoder->tokenizer = tokenizer;
    encoder->cache = pt_word_cache_new(err);
    if (!encoder->cache || pt_splitter_new(&encoder->splitter, err)) {
        pt_bpe_encoder_free(encoder);
        return (int)err->status;
    }
    *out = encoder;
    return PT_OK;
}

void pt_bpe_encoder_free(struct pt_bpe_encoder *encoder)
{
    if (!encoder)
        return;
    free(encoder->cache);
    pt_splitter_free(encoder->splitter);
    pt_spans_free(&encoder->pieces);
    pt_spans_free(&encoder->next_pieces);
    pt_bpe_scratch_free(&encoder->scratch);
    free(encoder->symbols);
    pt_buffer_free(&encoder->composed);
    pt_buffer_free(&encoder->prefixed);
    pt_buffer_free(&encoder->characters);
    free(encoder);
}

/* The piece as one token, for vocabularies that ask for it. */
static bool find_whole(struct pt_bpe_encoder *encoder, const char *text, size_t n, uint32_t *id,
                       struct pt_error *err)
{
    struct pt_buffer *characters = &encoder->characters;
    pt_buffer_clear(characters);
    if (pt_buffer_reserve(characters, 2 * n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        characters->size += pt_byte_to_character((uint8_t)text[i], characters->data + characters->size);
    return pt_vocabulary_find(&encoder->tokenizer->vocabulary, characters->data, characters->size, id);
}

/* The tokens of single bytes; returns how many. */
static size_t byte_symbols(const struct pt_bpe_tokenizer *tokenizer, const char *text, size_t n,
                           uint32_t *symbols)
{
    size_t count = 0;
    bool in_unknown = false;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = tokenizer->byte_ids[(uint8_t)text[i]];
        bool unknown = id == PT_NO_TOKEN;
        if (!unknown)
            symbols[count++] = id;
        else if (tokenizer->unknown_id != PT_NO_TOKEN && !(in_unknown && tokenizer->join_unknown))
            symbols[count++] = tokenizer->unknown_id;
        in_unknown = unknown;
    }
    return count;
}

static int merge_piece(struct pt_bpe_encoder *encoder, const char *text, size_t n, size_t *n_symbols,
                       struct pt_error *err)
{
    const struct pt_bpe_tokenizer *tokenizer = encoder->tokenizer;
    if (pt_reserve(&encoder->symbols, &encoder->symbols_capacity, n, sizeof *encoder->symbols, err))
        return (int)err->status;
    if (tokenizer->ignore_merges && find_whole(encoder, text, n, &encoder->symbols[0], err)) {
        *n_symbols = 1;
        return PT_OK;
    }
    if (err->status)
        return (int)err->status;
    *n_symbols = byte_symbols(tokenizer, text, n, encoder->symbols);
    return pt_bpe_merge(&tokenizer->merges, &encoder->scratch, encoder->symbols, n_symbols, err);
}

static int encode_piece(struct pt_bpe_encoder *encoder, const char *text, size_t n, struct pt_words *ids,
                        struct pt_error *err)
{
    struct pt_cached_word *word = pt_word_cache_slot(encoder->cache, text, n);
    if (word && pt_cached_word_is(word, text, n))
        return pt_words_append(ids, word->ids, word->n_ids, err);
    size_t n_symbols;
    if (merge_piece(encoder, text, n, &n_symbols, err))
        return (int)err->status;
    if (word)
        pt_cached_word_set(word, text, n, encoder->symbols, n_symbols);
    return pt_words_append(ids, encoder->symbols, n_symbols, err);
}

/* Applies one split to all pieces. */
static int split_pieces(struct pt_bpe_encoder *encoder, const struct pt_split *split, const char *text,
                        struct pt_error *err)
{
    encoder->next_pieces.n = 0;
    for (size_t i = 0; i < encoder->pieces.n; i++)
        if (pt_split_apply(split, encoder->splitter, text, encoder->pieces.data[i], &encoder->next_pieces,
                           err))
            return (int)err->status;
    struct pt_spans swap = encoder->pieces;
    encoder->pieces = encoder->next_pieces;
    encoder->next_pieces = swap;
    return PT_OK;
}

/* Copies all pieces, each with a blank in front unless it has one; *text is the copy afterwards. */
static int prefix_pieces(struct pt_bpe_encoder *encoder, const char **text, struct pt_error *err)
{
    struct pt_buffer *copy = &encoder->prefixed;
    pt_buffer_clear(copy);
    for (size_t i = 0; i < encoder->pieces.n; i++) {
        struct pt_span *piece = &encoder->pieces.data[i];
        size_t begin = copy->size;
        if (((*text)[piece->begin] != ' ' && pt_buffer_append(copy, " ", 1, err)) ||
            pt_buffer_append(copy, *text + piece->begin, piece->end - piece->begin, err))
            return (int)err->status;
        *piece = (struct pt_span){begin, copy->size};
    }
    *text = copy->data;
    return PT_OK;
}

/* Text without added tokens in it. */
static int encode_plain(struct pt_bpe_encoder *encoder, const char *text, size_t n, struct pt_words *ids,
                        struct pt_error *err)
{
    const struct pt_bpe_tokenizer *tokenizer = encoder->tokenizer;
    encoder->pieces.n = 0;
    if (pt_spans_push(&encoder->pieces, 0, n, err))
        return (int)err->status;
    for (size_t i = 0; i < tokenizer->n_splits; i++)
        if (split_pieces(encoder, tokenizer->splits[i], text, err))
            return (int)err->status;
    if (tokenizer->add_prefix_space && prefix_pieces(encoder, &text, err))
        return (int)err->status;
    if (tokenizer->byte_level_split && split_pieces(encoder, tokenizer->byte_level_split, text, err))
        return (int)err->status;
    for (size_t i = 0; i < encoder->pieces.n; i++) {
        struct pt_span piece = encoder->pieces.data[i];
        if (encode_piece(encoder, text + piece.begin, piece.end - piece.begin, ids, err))
            return (int)err->status;
    }
    return PT_OK;
}

/* Text without raw added tokens in it: normalises, and cuts at those that are looked for afterwards. */
static int encode_normalized(struct pt_bpe_encoder *encoder, const char *text, size_t n, struct pt_words *ids,
                             struct pt_error *err)
{
    const struct pt_bpe_tokenizer *tokenizer = encoder->tokenizer;
    if (tokenizer->compose && !pt_is_surely_composed(text, n)) {
        pt_buffer_clear(&encoder->composed);
        if (pt_compose(text, n, &encoder->composed, err))
            return (int)err->status;
        text = encoder->composed.data;
        n = encoder->composed.size;
    }
    struct pt_token_cut cut;
    struct pt_stretch stretch;
    pt_token_cut_init(&cut, &tokenizer->late_matcher, tokenizer->added, text, n);
    while (pt_token_cut_next(&cut, &stretch)) {
        int status = stretch.token != PT_NO_TOKEN
                         ? pt_words_push(ids, tokenizer->added[stretch.token].id, err)
                         : encode_plain(encoder, text + stretch.begin, stretch.end - stretch.begin, ids, err);
        if (status)
            return status;
    }
    return PT_OK;
}

int pt_bpe_encode(struct pt_bpe_encoder *encoder, const char *text, size_t n, struct pt_words *ids,
                  struct pt_error *err)
{
    const struct pt_bpe_tokenizer *tokenizer = encoder->tokenizer;
    struct pt_token_cut cut;
    struct pt_stretch stretch;
    pt_token_cut_init(&cut, &tokenizer->raw_matcher, tokenizer->added, text, n);
    while (pt_token_cut_next(&cut, &stretch)) {
        int status =
            stretch.token != PT_NO_TOKEN
                ? pt_words_push(ids, tokenizer->added[stretch.token].id, err)
                : encode_normalized(encoder, text + stretch.begin, stretch.end - stretch.begin, ids, err);
        if (status)
            return status;
    }
    return PT_OK;
}
