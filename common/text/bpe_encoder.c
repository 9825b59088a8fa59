/*
 * From text to ids: cut at added tokens, normalise, cut at added tokens again, split into pieces, and merge
 * the symbols of each piece (the order of huggingface/tokenizers' encode). Short pieces are remembered with
 * their ids.
 */
#include "text/bpe_tokenizer.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/word_cache.h"

#include <stdlib.h>
#include <string.h>

struct pt_bpe_encoder {
    const struct pt_bpe_tokenizer *tokenizer;
    struct pt_word_cache *cache;
    struct pt_character_table *character_table;
    struct pt_pieces pieces;
    struct pt_bpe_scratch scratch;
    uint32_t *symbols;
    size_t symbols_capacity;
    struct pt_buffer normalized[2], characters;
};

int pt_bpe_encoder_new(struct pt_bpe_encoder **out, const struct pt_bpe_tokenizer *tokenizer,
                       struct pt_error *err)
{
    struct pt_bpe_encoder *encoder = pt_new_array(1, sizeof *encoder, err);
    if (!encoder)
        return (int)err->status;
    encoder->tokenizer = tokenizer;
    encoder->cache = pt_word_cache_new(err);
    if (!encoder->cache || pt_splitter_new(&encoder->pieces.splitter, err) ||
        pt_character_table_new(&encoder->character_table, &tokenizer->characters, err)) {
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
    pt_character_table_free(encoder->character_table);
    pt_pieces_free(&encoder->pieces);
    pt_bpe_scratch_free(&encoder->scratch);
    free(encoder->symbols);
    pt_buffer_free(&encoder->normalized[0]);
    pt_buffer_free(&encoder->normalized[1]);
    pt_buffer_free(&encoder->characters);
    free(encoder);
}

/* The piece as one token, for vocabularies that ask for it. */
static bool find_whole(struct pt_bpe_encoder *encoder, const char *text, size_t n, uint32_t *id,
                       struct pt_error *err)
{
    const struct pt_bpe_tokenizer *tokenizer = encoder->tokenizer;
    struct pt_buffer *characters = &encoder->characters;
    if (!tokenizer->is_byte_level)
        return pt_bpe_find(tokenizer, text, n, id);
    pt_buffer_clear(characters);
    if (pt_buffer_reserve(characters, 2 * n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        characters->size += pt_byte_to_character((uint8_t)text[i], characters->data + characters->size);
    return pt_bpe_find(tokenizer, characters->data, characters->size, id);
}

/* The token of the byte or character at text[0..*length), PT_NO_TOKEN if there is none. */
static inline uint32_t symbol_id(const struct pt_bpe_tokenizer *tokenizer, const char *text, size_t n,
                                 size_t *length)
{
    uint32_t id;
    *length = 1;
    if (tokenizer->is_byte_level || (uint8_t)*text < 0x80)
        return tokenizer->byte_ids[(uint8_t)*text];
    *length = pt_utf8_decode(text, n, NULL);
    return pt_bpe_find(tokenizer, text, *length, &id) ? id : PT_NO_TOKEN;
}

/* The tokens of the character's bytes; 0 where one of them has none. */
static size_t fall_back(const struct pt_bpe_tokenizer *tokenizer, const char *text, size_t length,
                        uint32_t *symbols)
{
    for (size_t i = 0; i < length; i++) {
        symbols[i] = tokenizer->fallback_ids[(uint8_t)text[i]];
        if (symbols[i] == PT_NO_TOKEN)
            return 0;
    }
    return length;
}

/*
 * The symbols of a piece, at most n; returns how many. What is unknown waits for the next symbol that has a
 * token of its own (not for one that falls back), as in the reference.
 */
static size_t first_symbols(const struct pt_bpe_tokenizer *tokenizer, const char *text, size_t n,
                            uint32_t *symbols)
{
    size_t count = 0, length, fallen;
    bool waiting = false;
    for (size_t at = 0; at < n; at += length) {
        uint32_t id = symbol_id(tokenizer, text + at, n - at, &length);
        if (id != PT_NO_TOKEN) {
            if (waiting)
                symbols[count++] = tokenizer->unknown_id;
            waiting = false;
            symbols[count++] = id;
        } else if (tokenizer->byte_fallback &&
                   (fallen = fall_back(tokenizer, text + at, length, symbols + count))) {
            count += fallen;
        } else if (tokenizer->unknown_id != PT_NO_TOKEN) {
            if (waiting && !tokenizer->join_unknown)
                symbols[count++] = tokenizer->unknown_id;
            waiting = true;
        }
    }
    if (waiting)
        symbols[count++] = tokenizer->unknown_id;
    return count;
}

static int merge_piece(struct pt_bpe_encoder *encoder, const char *text, size_t n, size_t *n_symbols,
                       struct pt_error *err)
{
    const struct pt_bpe_tokenizer *tokenizer = encoder->tokenizer;
    if (pt_reserve(&encoder->symbols, &encoder->symbols_capacity, n + PT_CHARACTER_SYMBOLS,
                   sizeof *encoder->symbols, err))
        return (int)err->status;
    if (tokenizer->ignore_merges && find_whole(encoder, text, n, &encoder->symbols[0], err)) {
        *n_symbols = 1;
        return PT_OK;
    }
    if (err->status)
        return (int)err->status;
    *n_symbols = tokenizer->characters.usable
                     ? pt_character_symbols(encoder->character_table, text, n, encoder->symbols)
                     : first_symbols(tokenizer, text, n, encoder->symbols);
    return pt_bpe_merge(&tokenizer->merges, &encoder->scratch, encoder->symbols, n_symbols, err);
}

static int encode_new_piece(struct pt_bpe_encoder *encoder, const char *text, size_t n,
                            struct pt_cached_pair *pair, struct pt_word_key key, struct pt_words *ids,
                            struct pt_error *err)
{
    size_t n_symbols;
    if (merge_piece(encoder, text, n, &n_symbols, err))
        return (int)err->status;
    if (pair)
        pt_cached_pair_add(pair, key, n, encoder->symbols, n_symbols);
    return pt_words_append(ids, encoder->symbols, n_symbols, err);
}

static inline int encode_piece(struct pt_bpe_encoder *encoder, const char *text, size_t n,
                               struct pt_words *ids, struct pt_error *err)
{
    struct pt_word_key key = {0, 0};
    if (n > PT_CACHED_BYTES)
        return encode_new_piece(encoder, text, n, NULL, key, ids, err);
    key = pt_word_key_of(text, n);
    struct pt_cached_pair *pair = pt_word_cache_pair(encoder->cache, key);
    const struct pt_cached_word *word = pt_cached_pair_find(pair, key, n);
    if (!word || ids->capacity - ids->n < PT_CACHED_IDS)
        return encode_new_piece(encoder, text, n, word ? NULL : pair, key, ids, err);
    memcpy(ids->data + ids->n, word->ids, sizeof word->ids);
    ids->n += word->n_ids;
    return PT_OK;
}

/* Text without added tokens in it. */
static int encode_plain(struct pt_bpe_encoder *encoder, const char *text, size_t n, bool is_first,
                        struct pt_words *ids, struct pt_error *err)
{
    const struct pt_bpe_tokenizer *tokenizer = encoder->tokenizer;
    struct pt_pieces *pieces = &encoder->pieces;
    if (pt_pre_tokenize(tokenizer->pre_steps, tokenizer->n_pre_steps, text, n, is_first, pieces, err))
        return (int)err->status;
    for (size_t i = 0; i < pieces->spans.n; i++) {
        struct pt_span piece = pieces->spans.data[i];
        if (encode_piece(encoder, pieces->text + piece.begin, piece.end - piece.begin, ids, err))
            return (int)err->status;
    }
    return PT_OK;
}

/* Text without raw added tokens in it: normalises, and cuts at those that are looked for afterwards. */
static int encode_normalized(struct pt_bpe_encoder *encoder, const char *text, size_t n, bool is_first,
                             struct pt_words *ids, struct pt_error *err)
{
    const struct pt_bpe_tokenizer *tokenizer = encoder->tokenizer;
    if (pt_normalize(&tokenizer->normalizer, &text, &n, encoder->normalized, err))
        return (int)err->status;
    struct pt_token_cut cut;
    struct pt_stretch stretch;
    pt_token_cut_init(&cut, &tokenizer->late_matcher, tokenizer->added, text, n);
    while (pt_token_cut_next(&cut, &stretch)) {
        int status = stretch.token != PT_NO_TOKEN
                         ? pt_words_push(ids, tokenizer->added[stretch.token].id, err)
                         : encode_plain(encoder, text + stretch.begin, stretch.end - stretch.begin,
                                        is_first && stretch.begin == 0, ids, err);
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
        int status = stretch.token != PT_NO_TOKEN
                         ? pt_words_push(ids, tokenizer->added[stretch.token].id, err)
                         : encode_normalized(encoder, text + stretch.begin, stretch.end - stretch.begin,
                                             stretch.begin == 0, ids, err);
        if (status)
            return status;
    }
    return PT_OK;
}
