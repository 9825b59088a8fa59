/*
 * Examples kept for being read in any order: their words in memory up to a bound, beyond it in a scratch
 * file. An example costs 16 bytes of memory beside its words.
 */
#ifndef PT_TUNE_SPOOL_H
#define PT_TUNE_SPOOL_H

#include "fmt/stream.h"

struct pt_spool;

/* `memory` bounds the bytes of words that stay in memory. */
int pt_spool_open(struct pt_spool **spool, uint64_t memory, struct pt_error *err) PT_MUST_USE;
void pt_spool_close(struct pt_spool *spool); /* NULL is allowed */

/* Appends an example of n < 2^32 words. */
int pt_spool_add(struct pt_spool *spool, const uint32_t *words, uint64_t n, struct pt_error *err) PT_MUST_USE;

/* Tokens and counted tokens of an example. */
uint64_t pt_spool_tokens(const struct pt_spool *spool, uint64_t example);
uint64_t pt_spool_targets(const struct pt_spool *spool, uint64_t example);

/* The examples at these places, borrowed until the next call of any of these functions. */
int pt_spool_get(struct pt_spool *spool, const uint64_t *places, uint64_t n,
                 const struct pt_example **examples, struct pt_error *err) PT_MUST_USE;

#endif
