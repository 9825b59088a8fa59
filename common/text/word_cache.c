/*
 * Direct-mapped; a slot is one cache line.
 */
#include "text/word_cache.h"

#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

struct pt_word_cache *pt_word_cache_new(struct pt_error *err)
{
    return pt_new_array(1, sizeof(struct pt_word_cache), err);
}

struct pt_cached_word *pt_word_cache_slot(struct pt_word_cache *cache, const char *text, size_t n)
{
    if (n == 0 || n > PT_CACHED_BYTES)
        return NULL;
    return &cache->words[pt_hash64(text, n, 0) % PT_CACHED_WORDS];
}

int pt_cached_word_is(const struct pt_cached_word *word, const char *text, size_t n)
{
    return word->n_bytes == n && memcmp(word->text, text, n) == 0;
}

void pt_cached_word_set(struct pt_cached_word *word, const char *text, size_t n, const uint32_t *ids,
                        size_t n_ids)
{
    if (n_ids > PT_CACHED_IDS)
        return;
    word->n_bytes = (uint8_t)n;
    word->n_ids = (uint8_t)n_ids;
    memcpy(word->text, text, n);
    memcpy(word->ids, ids, n_ids * sizeof *ids);
}
