/*
 * Keys and values of sequences that grow: generation. The prompt's are computed once and shared by all
 * sequences.
 */
#ifndef PT_MODEL_CACHE_H
#define PT_MODEL_CACHE_H

#include "model/engine.h"

struct pt_cache;

struct pt_cache_input {
    size_t sequence; /* which one grows; each at most once a call */
    const uint32_t *ids;
    size_t n; /* at least 1 */
};

/* Room for n_sequences of at most `capacity` tokens each (prompt rows not counted). The engine is borrowed.
 */
int pt_cache_open(struct pt_cache **cache, struct pt_engine *engine, size_t n_sequences, size_t capacity,
                  struct pt_error *err) PT_MUST_USE;
void pt_cache_close(struct pt_cache *cache);

/* Runs the new tokens of all inputs in one pass; logits [n_inputs, vocab] f32: the scores behind each input's
 * last token. */
int pt_cache_append(struct pt_cache *cache, const struct pt_cache_input *inputs, size_t n_inputs,
                    float *logits, struct pt_error *err) PT_MUST_USE;
void pt_cache_clear(struct pt_cache *cache, size_t sequence);       /* length 0 again */
void pt_cache_copy(struct pt_cache *cache, size_t from, size_t to); /* to becomes from */

#endif
