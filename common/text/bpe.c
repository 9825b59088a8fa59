/*
 * Pairs are looked up once, when they come to be, and what they merge to is kept with their left symbol. A
 * short piece is searched for its lowest rank again and again and closes up after each merge, which is faster
 * than any queue; a long one has a linked list and a heap of (rank, position), whose outdated entries are
 * recognised by their rank.
 */
#include "text/bpe.h"

#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT_PIECE = 96 };
#define NO_MERGE UINT64_MAX

int pt_merges_init(struct pt_merges *merges, size_t n, struct pt_error *err)
{
    size_t n_slots = 16;
    unsigned bits = 4;
    for (; n_slots / 2 < n; n_slots *= 2)
        bits++;
    merges->slots = pt_new_array(n_slots, sizeof *merges->slots, err);
    merges->filter = pt_new_array(n_slots / 16, sizeof *merges->filter, err);
    if (!merges->slots || !merges->filter)
        return (int)err->status;
    memset(merges->slots, 0xff, n_slots * sizeof *merges->slots);
    merges->n_slots = n_slots;
    merges->shift = 64 - bits;
    merges->n_ranks = n;
    return PT_OK;
}

void pt_merges_free(struct pt_merges *merges)
{
    free(merges->slots);
    free(merges->filter);
    *merges = (struct pt_merges){0};
}

static inline uint64_t mix(uint64_t pair)
{
    return (pair ^ (pair >> 29)) * UINT64_C(0x9e3779b97f4a7c15);
}

/* The pair's slot, or the free one where it would stand. */
static inline struct pt_merge *slot_of(const struct pt_merges *merges, uint64_t pair, uint64_t mixed)
{
    size_t at = (size_t)(mixed >> merges->shift);
    while (merges->slots[at].pair != pair && merges->slots[at].pair != UINT64_MAX)
        at = (at + 1) & (merges->n_slots - 1);
    return &merges->slots[at];
}

void pt_merges_add(struct pt_merges *merges, uint32_t left, uint32_t right, uint32_t rank, uint32_t merged)
{
    uint64_t pair = (uint64_t)left << 32 | right, value = (uint64_t)rank << 32 | merged, mixed = mix(pair);
    uint64_t quarter = mixed >> (merges->shift - 2);
    *slot_of(merges, pair, mixed) = (struct pt_merge){pair, value};
    merges->filter[quarter / 64] |= (uint64_t)1 << quarter % 64;
}

/* Most pairs do not merge. The filter, which is small enough for the caches, knows that of nearly all of
 * them. */
static inline uint64_t look_up(const struct pt_merges *merges, uint32_t left, uint32_t right)
{
    uint64_t pair = (uint64_t)left << 32 | right, mixed = mix(pair), quarter = mixed >> (merges->shift - 2);
    if (!(merges->filter[quarter / 64] >> quarter % 64 & 1))
        return NO_MERGE;
    return slot_of(merges, pair, mixed)->value;
}

uint64_t pt_merges_find(const struct pt_merges *merges, uint32_t left, uint32_t right)
{
    return look_up(merges, left, right);
}

struct pt_merge_rule *pt_merges_by_rank(const struct pt_merges *merges, struct pt_error *err)
{
    struct pt_merge_rule *list = pt_new_array(merges->n_ranks, sizeof *list, err);
    for (size_t i = 0; list && i < merges->n_slots; i++) {
        const struct pt_merge *slot = &merges->slots[i];
        if (slot->pair != UINT64_MAX)
            list[slot->value >> 32] = (struct pt_merge_rule){
                (uint32_t)(slot->pair >> 32), (uint32_t)slot->pair, (uint32_t)slot->value, true};
    }
    return list;
}

void pt_bpe_scratch_free(struct pt_bpe_scratch *scratch)
{
    free(scratch->value);
    free(scratch->next);
    free(scratch->previous);
    free(scratch->heap);
    *scratch = (struct pt_bpe_scratch){0};
}

/* The leftmost of the lowest values. */
static inline size_t lowest(const uint64_t *value, size_t n)
{
    size_t best = 0;
    uint64_t best_value = value[0];
    for (size_t i = 1; i < n; i++) {
        best = value[i] < best_value ? i : best;
        best_value = value[i] < best_value ? value[i] : best_value;
    }
    return best;
}

static size_t merge_short(const struct pt_merges *merges, uint64_t *value, uint32_t *symbols, size_t n)
{
    while (n > 1) {
        size_t at = lowest(value, n - 1);
        if (value[at] == NO_MERGE)
            break;
        symbols[at] = (uint32_t)value[at];
        n--;
        memmove(symbols + at + 1, symbols + at + 2, (n - at - 1) * sizeof *symbols);
        if (at + 1 < n) {
            memmove(value + at, value + at + 1, (n - at - 1) * sizeof *value);
            value[at] = look_up(merges, symbols[at], symbols[at + 1]);
        }
        if (at > 0)
            value[at - 1] = look_up(merges, symbols[at - 1], symbols[at]);
    }
    return n;
}

static void heap_push(uint64_t *heap, size_t *n, uint64_t entry)
{
    size_t at = (*n)++;
    for (size_t parent; at > 0 && heap[parent = (at - 1) / 2] > entry; at = parent)
        heap[at] = heap[parent];
    heap[at] = entry;
}

static uint64_t heap_pop(uint64_t *heap, size_t *n)
{
    uint64_t top = heap[0], last = heap[--*n];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < *n; at = child) {
        if (child + 1 < *n && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= last)
            break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}

static void queue_value(struct pt_bpe_scratch *scratch, uint32_t at, size_t *n_heap)
{
    if (scratch->value[at] != NO_MERGE)
        heap_push(scratch->heap, n_heap, (scratch->value[at] & ~(uint64_t)UINT32_MAX) | at);
}

/* The pair at `at` is new: looks it up and queues it. */
static void queue_pair(const struct pt_merges *merges, struct pt_bpe_scratch *scratch,
                       const uint32_t *symbols, uint32_t at, size_t *n_heap)
{
    scratch->value[at] = look_up(merges, symbols[at], symbols[scratch->next[at]]);
    queue_value(scratch, at, n_heap);
}

static int prepare_long(struct pt_bpe_scratch *scratch, uint32_t n, struct pt_error *err)
{
    /* Each merge queues at most two pairs and removes a symbol. */
    if (pt_reserve(&scratch->heap, &scratch->heap_capacity, 3 * (size_t)n, sizeof *scratch->heap, err) ||
        pt_reserve(&scratch->next, &scratch->next_capacity, n, sizeof *scratch->next, err) ||
        pt_reserve(&scratch->previous, &scratch->previous_capacity, n, sizeof *scratch->previous, err))
        return (int)err->status;
    for (uint32_t i = 0; i < n; i++) {
        scratch->next[i] = i + 1;
        scratch->previous[i] = i - 1;
    }
    return PT_OK;
}

static size_t gather(const struct pt_bpe_scratch *scratch, uint32_t *symbols, size_t n)
{
    size_t left = 0;
    for (size_t at = 0; at < n; at = scratch->next[at])
        symbols[left++] = symbols[at];
    return left;
}

static int merge_long(const struct pt_merges *merges, struct pt_bpe_scratch *scratch, uint32_t *symbols,
                      size_t *n, struct pt_error *err)
{
    size_t n_heap = 0;
    uint32_t end = (uint32_t)*n;
    if (prepare_long(scratch, end, err))
        return (int)err->status;
    uint32_t *next = scratch->next, *previous = scratch->previous;
    for (uint32_t i = 0; i + 1 < end; i++)
        queue_value(scratch, i, &n_heap);
    while (n_heap) {
        uint64_t top = heap_pop(scratch->heap, &n_heap);
        uint32_t at = (uint32_t)top;
        if (scratch->value[at] >> 32 != top >> 32)
            continue;
        symbols[at] = (uint32_t)scratch->value[at];
        uint32_t gone = next[at];
        next[at] = next[gone];
        scratch->value[gone] = scratch->value[at] = NO_MERGE;
        if (next[at] < end) {
            previous[next[at]] = at;
            queue_pair(merges, scratch, symbols, at, &n_heap);
        }
        if (at > 0)
            queue_pair(merges, scratch, symbols, previous[at], &n_heap);
    }
    *n = gather(scratch, symbols, *n);
    return PT_OK;
}

/* Looks up all pairs but the settled ones; false where none merges. */
static bool find_pairs(const struct pt_merges *merges, uint64_t *value, uint32_t *symbols, size_t n)
{
    uint64_t least = NO_MERGE;
    for (size_t i = 0; i + 1 < n; i++) {
        bool settled = symbols[i] & PT_SETTLED;
        symbols[i] &= ~PT_SETTLED;
        value[i] = settled ? NO_MERGE : look_up(merges, symbols[i], symbols[i + 1] & ~PT_SETTLED);
        least = value[i] < least ? value[i] : least;
    }
    return least != NO_MERGE;
}

int pt_bpe_merge(const struct pt_merges *merges, struct pt_bpe_scratch *scratch, uint32_t *symbols, size_t *n,
                 struct pt_error *err)
{
    if (*n < 2)
        return PT_OK;
    if (*n > UINT32_MAX / 4)
        return pt_fail(err, PT_BAD_INPUT, "a piece of %zu bytes without a place to split it", *n);
    if (pt_reserve(&scratch->value, &scratch->value_capacity, *n, sizeof *scratch->value, err))
        return (int)err->status;
    if (!find_pairs(merges, scratch->value, symbols, *n))
        return PT_OK;
    if (*n > SHORT_PIECE)
        return merge_long(merges, scratch, symbols, n, err);
    *n = merge_short(merges, scratch->value, symbols, *n);
    return PT_OK;
}
