/*
 * Pairs are looked up once, when they come to be, and their rank is kept with their left symbol. A short
 * piece is searched for its lowest rank again and again and closes up after each merge, which is faster than
 * any queue; a long one has a linked list and a heap of (rank, position), whose outdated entries are
 * recognised by their rank.
 */
#include "text/bpe.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { SHORT_PIECE = 96 };
#define NO_MERGE UINT32_MAX

int pt_merges_init(struct pt_merges *merges, size_t n, struct pt_error *err)
{
    size_t n_slots = 16;
    unsigned bits = 4;
    for (; n_slots / 2 < n; n_slots *= 2)
        bits++;
    merges->slots = pt_new_array(n_slots, sizeof *merges->slots, err);
    if (!merges->slots)
        return (int)err->status;
    memset(merges->slots, 0xff, n_slots * sizeof *merges->slots);
    merges->n_slots = n_slots;
    merges->shift = 64 - bits;
    return PT_OK;
}

void pt_merges_free(struct pt_merges *merges)
{
    free(merges->slots);
    *merges = (struct pt_merges){0};
}

/* The pair's slot, or the free one where it would stand. */
static struct pt_merge *slot_of(const struct pt_merges *merges, uint64_t pair)
{
    uint64_t mixed = (pair ^ (pair >> 29)) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(mixed >> merges->shift);
    while (merges->slots[at].pair != pair && merges->slots[at].pair != UINT64_MAX)
        at = (at + 1) & (merges->n_slots - 1);
    return &merges->slots[at];
}

void pt_merges_add(struct pt_merges *merges, uint32_t left, uint32_t right, uint32_t rank, uint32_t merged)
{
    uint64_t pair = (uint64_t)left << 32 | right;
    *slot_of(merges, pair) = (struct pt_merge){pair, rank, merged};
}

/* A free slot reads as rank NO_MERGE. */
static inline struct pt_merge look_up(const struct pt_merges *merges, uint32_t left, uint32_t right)
{
    return *slot_of(merges, (uint64_t)left << 32 | right);
}

void pt_bpe_scratch_free(struct pt_bpe_scratch *scratch)
{
    free(scratch->rank);
    free(scratch->heap);
    *scratch = (struct pt_bpe_scratch){0};
}

static int make_room(struct pt_bpe_scratch *scratch, size_t n, struct pt_error *err)
{
    if (n <= scratch->capacity)
        return PT_OK;
    size_t capacity = n < 256 ? 256 : 2 * n;
    uint32_t *space = pt_new_array(capacity, 4 * sizeof *space, err);
    if (!space)
        return (int)err->status;
    free(scratch->rank);
    scratch->rank = space;
    scratch->merged = space + capacity;
    scratch->next = space + 2 * capacity;
    scratch->previous = space + 3 * capacity;
    scratch->capacity = capacity;
    return PT_OK;
}

static void set_pair(const struct pt_merges *merges, struct pt_bpe_scratch *scratch, size_t at, uint32_t left,
                     uint32_t right)
{
    struct pt_merge merge = look_up(merges, left, right);
    scratch->rank[at] = merge.rank;
    scratch->merged[at] = merge.merged;
}

static size_t lowest(const uint32_t *rank, size_t n)
{
    size_t best = 0;
    uint32_t best_rank = rank[0];
    for (size_t i = 1; i < n; i++) {
        best = rank[i] < best_rank ? i : best;
        best_rank = rank[i] < best_rank ? rank[i] : best_rank;
    }
    return best;
}

static void close_up(uint32_t *array, size_t at, size_t n)
{
    for (size_t i = at; i + 1 < n; i++)
        array[i] = array[i + 1];
}

static size_t merge_short(const struct pt_merges *merges, struct pt_bpe_scratch *scratch, uint32_t *symbols,
                          size_t n)
{
    uint32_t *rank = scratch->rank;
    while (n > 1) {
        size_t at = lowest(rank, n - 1);
        if (rank[at] == NO_MERGE)
            break;
        symbols[at] = scratch->merged[at];
        close_up(symbols, at + 1, n);
        close_up(rank, at, n - 1);
        close_up(scratch->merged, at, n - 1);
        n--;
        if (at + 1 < n)
            set_pair(merges, scratch, at, symbols[at], symbols[at + 1]);
        if (at > 0)
            set_pair(merges, scratch, at - 1, symbols[at - 1], symbols[at]);
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

/* The pair at `at` is new: looks it up and queues it. */
static void queue_pair(const struct pt_merges *merges, struct pt_bpe_scratch *scratch,
                       const uint32_t *symbols, size_t at, size_t *n_heap)
{
    set_pair(merges, scratch, at, symbols[at], symbols[scratch->next[at]]);
    if (scratch->rank[at] != NO_MERGE)
        heap_push(scratch->heap, n_heap, (uint64_t)scratch->rank[at] << 32 | at);
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
    /* Each merge queues at most two pairs and removes a symbol. */
    if (pt_reserve(&scratch->heap, &scratch->heap_capacity, 3 * *n, sizeof *scratch->heap, err))
        return (int)err->status;
    size_t n_heap = 0;
    uint32_t end = (uint32_t)*n, *next = scratch->next, *previous = scratch->previous;
    for (uint32_t i = 0; i < end; i++) {
        next[i] = i + 1;
        previous[i] = i - 1;
    }
    for (uint32_t i = 0; i + 1 < end; i++)
        if (scratch->rank[i] != NO_MERGE)
            heap_push(scratch->heap, &n_heap, (uint64_t)scratch->rank[i] << 32 | i);
    while (n_heap) {
        uint64_t top = heap_pop(scratch->heap, &n_heap);
        uint32_t at = (uint32_t)top;
        if (scratch->rank[at] != (uint32_t)(top >> 32))
            continue;
        symbols[at] = scratch->merged[at];
        uint32_t gone = next[at];
        next[at] = next[gone];
        scratch->rank[gone] = scratch->rank[at] = NO_MERGE;
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

int pt_bpe_merge(const struct pt_merges *merges, struct pt_bpe_scratch *scratch, uint32_t *symbols, size_t *n,
                 struct pt_error *err)
{
    if (*n < 2)
        return PT_OK;
    if (*n > UINT32_MAX / 4)
        return pt_fail(err, PT_BAD_INPUT, "a piece of %zu bytes without a place to split it", *n);
    if (make_room(scratch, *n, err))
        return (int)err->status;
    for (size_t i = 0; i + 1 < *n; i++)
        set_pair(merges, scratch, i, symbols[i], symbols[i + 1]);
    if (*n > SHORT_PIECE)
        return merge_long(merges, scratch, symbols, n, err);
    *n = merge_short(merges, scratch, symbols, *n);
    return PT_OK;
}
