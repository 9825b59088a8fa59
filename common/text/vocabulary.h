/*
 * A vocabulary: texts of tokens to ids and back. Both are unique; ids may have gaps.
 */
#ifndef PT_TEXT_VOCABULARY_H
#define PT_TEXT_VOCABULARY_H

#include "base/buffer.h"

#include <stdbool.h>

/* Ids beyond this are refused: a damaged number must not reserve gigabytes. */
enum { PT_LARGEST_TOKEN_ID = (1 << 24) - 1 };

struct pt_vocabulary {
    struct pt_buffer text; /* all tokens, each followed by a NUL byte */
    struct pt_vocabulary_entry {
        uint32_t offset, n_bytes; /* in text; offset UINT32_MAX: no token has this id */
    } * entries;                  /* [n_ids], owned */
    size_t n_ids, n_tokens, capacity;
    struct pt_vocabulary_slot {
        uint32_t hash, id; /* id UINT32_MAX: free */
    } * slots;             /* [n_slots], owned, a power of two */
    size_t n_slots;
};

void pt_vocabulary_free(struct pt_vocabulary *vocabulary);

/* A text or an id that is there already is PT_BAD_INPUT. */
int pt_vocabulary_add(struct pt_vocabulary *vocabulary, const char *text, size_t n, uint32_t id,
                      struct pt_error *err) PT_MUST_USE;
bool pt_vocabulary_find(const struct pt_vocabulary *vocabulary, const char *text, size_t n, uint32_t *id);
/* NUL-terminated; NULL where no token has this id. */
const char *pt_vocabulary_token(const struct pt_vocabulary *vocabulary, uint32_t id, size_t *n);

#endif
