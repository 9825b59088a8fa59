/*
 * A cache of short pieces and their ids: most words of a text come again. Of fixed size and without
 * allocation: a piece has one slot, and the latest one keeps it.
 */
#ifndef PT_TEXT_WORD_CACHE_H
#define PT_TEXT_WORD_CACHE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum { PT_CACHED_BYTES = 34, PT_CACHED_IDS = 7, PT_CACHED_WORDS = 1 << 14 };

struct pt_word_cache {
    struct pt_cached_word {
        uint8_t n_bytes, n_ids; /* n_bytes 0: free */
        char text[PT_CACHED_BYTES];
        uint32_t ids[PT_CACHED_IDS];
    } words[PT_CACHED_WORDS]; /* 64 bytes each */
};

/* NULL with err filled when memory is out. Released with free(). */
struct pt_word_cache *pt_word_cache_new(struct pt_error *err) PT_MUST_USE;

/* The slot for a piece, NULL for one that is empty or too long. It holds the piece only if pt_cached_word_is
 * says so. */
struct pt_cached_word *pt_word_cache_slot(struct pt_word_cache *cache, const char *text, size_t n);
int pt_cached_word_is(const struct pt_cached_word *word, const char *text, size_t n);
/* Remembers a piece, unless it has too many ids. */
void pt_cached_word_set(struct pt_cached_word *word, const char *text, size_t n, const uint32_t *ids,
                        size_t n_ids);

#endif
