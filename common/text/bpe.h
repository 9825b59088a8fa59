/*
 * Byte-pair encoding: a table of merges, and the loop that applies them to the symbols of one piece of text.
 * The lowest rank goes first, the leftmost among equals (huggingface/tokenizers, models/bpe).
 */
#ifndef PT_TEXT_BPE_H
#define PT_TEXT_BPE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pt_merges {
    struct pt_merge {
        uint64_t pair;  /* left id << 32 | right id; UINT64_MAX: free */
        uint64_t value; /* rank << 32 | merged id; UINT64_MAX: no merge */
    } * slots;          /* [n_slots], owned, a power of two */
    size_t n_slots, n_ranks;
    unsigned shift; /* 64 - log2(n_slots) */
    uint64_t
        *filter; /* [n_slots / 16], owned: a bit for each quarter of a slot that some pair is meant for */
};

/* Room for n merges, of ranks below n. */
int pt_merges_init(struct pt_merges *merges, size_t n, struct pt_error *err) PT_MUST_USE;
void pt_merges_free(struct pt_merges *merges);
/* At most as many as there is room for. A pair that is there already takes the new rank, as in the reference.
 */
void pt_merges_add(struct pt_merges *merges, uint32_t left, uint32_t right, uint32_t rank, uint32_t merged);

/* rank << 32 | merged id of the pair, UINT64_MAX where it does not merge. */
uint64_t pt_merges_find(const struct pt_merges *merges, uint32_t left, uint32_t right);

struct pt_merge_rule {
    uint32_t left, right, merged;
    bool exists; /* false for the rank that a pair lost when it came again */
};
/* [n_ranks], released with free(). NULL with err filled. */
struct pt_merge_rule *pt_merges_by_rank(const struct pt_merges *merges, struct pt_error *err);

/* Working space of one thread. Starts zeroed. */
struct pt_bpe_scratch {
    uint64_t *value;           /* [capacity], owned: the merge of each symbol with the next one */
    uint32_t *next, *previous; /* [capacity], owned */
    size_t value_capacity, next_capacity, previous_capacity;
    uint64_t *heap; /* [heap_capacity], owned: rank << 32 | position */
    size_t heap_capacity;
};
void pt_bpe_scratch_free(struct pt_bpe_scratch *scratch);

/* Added to a symbol of which it is known that it does not merge with the next one as they are. */
#define PT_SETTLED UINT32_C(0x80000000)

/* Merges symbols[0..*n) in place and sets *n to what is left. */
int pt_bpe_merge(const struct pt_merges *merges, struct pt_bpe_scratch *scratch, uint32_t *symbols, size_t *n,
                 struct pt_error *err) PT_MUST_USE;

#endif
