/*
 * Pieces that were encoded before: short words, which make up most of a text in languages that have them. A
 * newer piece takes an older one's place.
 */
#ifndef PT_TEXT_WORD_CACHE_H
#define PT_TEXT_WORD_CACHE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PT_CACHED_BYTES = 16, PT_CACHED_IDS = 3, PT_CACHED_PAIRS = 1 << 14 };

/* The first and the last bytes of a piece, which may overlap: with the length they are the piece. */
struct pt_word_key {
    uint64_t front, behind;
};

struct pt_cached_word {
    struct pt_word_key key;
    uint32_t ids[PT_CACHED_IDS];
    uint8_t n_bytes, n_ids; /* n_bytes 0: free */
};

/* Two words that share a place, the newer one first. */
struct pt_cached_pair {
    struct pt_cached_word words[2];
};

struct pt_word_cache {
    struct pt_cached_pair pairs[PT_CACHED_PAIRS]; /* 64 bytes each */
};

/* NULL with err filled when memory is out. Released with free(). */
struct pt_word_cache *pt_word_cache_new(struct pt_error *err) PT_MUST_USE;

/* 1 <= n <= PT_CACHED_BYTES */
static inline struct pt_word_key pt_word_key_of(const char *text, size_t n)
{
    struct pt_word_key key = {0, 0};
    if (n >= 8) {
        memcpy(&key.front, text, 8);
        memcpy(&key.behind, text + n - 8, 8);
        return key;
    }
    if (n >= 4) {
        uint32_t first, last;
        memcpy(&first, text, 4);
        memcpy(&last, text + n - 4, 4);
        key.front = first | (uint64_t)last << 32;
        return key;
    }
    key.front = (uint64_t)(uint8_t)text[0] | (uint64_t)(uint8_t)text[n / 2] << 8 |
                (uint64_t)(uint8_t)text[n - 1] << 16;
    return key;
}

/* Where the piece stands if it is there. */
static inline struct pt_cached_pair *pt_word_cache_pair(struct pt_word_cache *cache, struct pt_word_key key)
{
    uint64_t mixed = (key.front ^ (key.behind * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xd6e8feb86659fd93);
    return &cache->pairs[(mixed ^ mixed >> 29) * UINT64_C(0x9e3779b97f4a7c15) >> 50];
}

/* NULL where the piece is not there. */
static inline const struct pt_cached_word *pt_cached_pair_find(const struct pt_cached_pair *pair,
                                                               struct pt_word_key key, size_t n)
{
    for (const struct pt_cached_word *word = pair->words; word < pair->words + 2; word++)
        if (word->key.front == key.front && word->key.behind == key.behind && word->n_bytes == n)
            return word;
    return NULL;
}

/* Remembers a piece, unless it has too many ids. */
void pt_cached_pair_add(struct pt_cached_pair *pair, struct pt_word_key key, size_t n, const uint32_t *ids,
                        size_t n_ids);

#endif
