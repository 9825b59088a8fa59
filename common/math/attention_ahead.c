/*
 * The lines of a row are fetched into the second-level cache: a block's rows have room there, not in the
 * first. A step asks for few of them, since a CPU that has too many on their way waits.
 */
#include "math/attention_ahead.h"

/* To compilers what only fetches has no effect, and they drop calls of it. */
#define FETCHES static inline __attribute__((always_inline))

enum { ROWS_A_STEP = 2, LINE_FLOATS = 16 /* a line of cache */ };

FETCHES void fetch_row(const struct pt_heads *heads, size_t row, size_t head, size_t dim)
{
    const float *from = pt_head(heads, row, head);
    for (size_t j = 0; j < dim; j += LINE_FLOATS)
        __builtin_prefetch(from + j, 0, 2);
    __builtin_prefetch(from + dim - 1, 0, 2); /* rows need not begin with a line */
}

FETCHES void fetch_queries(const struct pt_ahead *ahead, size_t i)
{
    const struct pt_query_row at = pt_query_row_at(&ahead->next, i);
    for (size_t m = 0; m < PT_QUERY_MATRICES && ahead->queries[m]; m++)
        fetch_row(ahead->queries[m], at.row, at.head, ahead->next.room->shape->head_dim);
}

FETCHES void fetch_key(const struct pt_ahead *ahead, size_t key)
{
    const struct pt_segment *segment = ahead->next.segment;
    const struct pt_key_block *block = segment->blocks;
    for (; key >= block->n_rows; block++)
        key -= block->n_rows;
    const bool own = block == &segment->blocks[segment->n_blocks - 1];
    const struct pt_heads *all[] = {&block->k, &block->v, &block->dk, &block->dv};
    for (size_t m = 0; m < (ahead->gradients && own ? 4 : 2); m++)
        if (all[m]->data)
            fetch_row(all[m], key, ahead->next.kv_head, ahead->next.room->shape->head_dim);
}

void pt_ahead_turn(struct pt_ahead *ahead, const struct pt_query_block *next, const struct pt_near_keys *keys)
{
    ahead->next = *next;
    ahead->row = 0;
    ahead->key = next->n ? pt_near_already(keys, next->segment, next->kv_head) : 0;
}

void pt_ahead_step(struct pt_ahead *ahead)
{
    for (int i = 0; i < ROWS_A_STEP && ahead->row < ahead->next.n; i++)
        fetch_queries(ahead, ahead->row++);
    for (int i = 0; i < ROWS_A_STEP && ahead->key < ahead->next.end; i++)
        fetch_key(ahead, ahead->key++);
}
