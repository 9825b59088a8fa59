/*
 * Rows that are asked for while the products of the block before run. Rows of one head lie a page or more
 * apart, which no CPU foresees: waiting for them took a quarter of attention's time. Inside of `math` only.
 */
#ifndef PT_MATH_ATTENTION_AHEAD_H
#define PT_MATH_ATTENTION_AHEAD_H

#include "math/attention_blocks.h"

enum { PT_QUERY_MATRICES = 3 };

struct pt_ahead {
    const struct pt_heads *queries[PT_QUERY_MATRICES]; /* matrices with a row for each query; NULL: no more */
    bool gradients;                                    /* of the block's own keys, too */
    struct pt_query_block next;                        /* n 0: none is known */
    size_t row, key;                                   /* asked for so far */
};

/* From now on steps ask for what `next` needs beyond the keys that are there already. */
void pt_ahead_turn(struct pt_ahead *ahead, const struct pt_query_block *next,
                   const struct pt_near_keys *keys);
/* Asks for a few rows. Results do not depend on it. */
void pt_ahead_step(struct pt_ahead *ahead);

#endif
