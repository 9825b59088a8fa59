/*
 * A place is one cache line.
 */
#include "text/word_cache.h"

#include "base/memory.h"

_Static_assert(sizeof(struct pt_cached_pair) == 64, "a place is a cache line");
_Static_assert(PT_CACHED_PAIRS == 1 << (64 - 50), "the place is the hash's upper bits");

struct pt_word_cache *pt_word_cache_new(struct pt_error *err)
{
    return pt_new_table(sizeof(struct pt_word_cache), err);
}

void pt_cached_pair_add(struct pt_cached_pair *pair, struct pt_word_key key, size_t n, const uint32_t *ids,
                        size_t n_ids)
{
    struct pt_cached_word *word = &pair->words[0];
    if (n_ids > PT_CACHED_IDS)
        return;
    pair->words[1] = *word;
    word->key = key;
    word->n_bytes = (uint8_t)n;
    word->n_ids = (uint8_t)n_ids;
    memcpy(word->ids, ids, n_ids * sizeof *ids);
}
