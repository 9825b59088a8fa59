/*
 * Continues several texts at once: one pass over the weights a step serves all of them.
 */
#ifndef PT_GENERATE_GENERATOR_H
#define PT_GENERATE_GENERATOR_H

#include "generate/settings.h"
#include "model/engine.h"

#include <stddef.h>
#include <stdint.h>

enum pt_finish {
    PT_UNFINISHED,
    PT_FINISH_STOP,   /* an end-of-sequence token, or the taker's wish */
    PT_FINISH_LENGTH, /* as long as allowed */
};

/* A text to continue: at least one token. */
struct pt_generation_input {
    const uint32_t *ids; /* borrowed */
    size_t n;
};

/*
 * Takes the next token of a continuation; number n_samples * input + sample. *finish says whether it was the
 * last one; the taker may set it to PT_FINISH_STOP to end the continuation here.
 */
typedef int pt_token_taker(void *context, size_t continuation, uint32_t id, enum pt_finish *finish,
                           struct pt_error *err);

struct pt_generator;

/* Engine and settings are borrowed. `memory` bounds the bytes of keys and values; 0: no bound. */
int pt_generator_open(struct pt_generator **generator, struct pt_engine *engine,
                      const struct pt_config *config, const struct pt_generation_settings *settings,
                      uint64_t seed, uint64_t memory, struct pt_error *err) PT_MUST_USE;
void pt_generator_close(struct pt_generator *generator);

/* How many of the inputs, from the first one on, the memory has room for side by side; at least one. */
size_t pt_generator_room(const struct pt_generator *generator, const struct pt_generation_input *inputs,
                         size_t n_inputs, size_t n_samples);

/*
 * Continues each input n_samples times; all run side by side. `first` is the number of the first of these
 * continuations in the whole run: continuation `first + i` draws from a stream of its own, so that what it
 * says does not depend on how inputs are grouped. Too many for the memory, or an input that is as long as
 * allowed, is refused.
 */
int pt_generator_run(struct pt_generator *generator, const struct pt_generation_input *inputs,
                     size_t n_inputs, size_t n_samples, uint64_t first, pt_token_taker *take, void *context,
                     struct pt_error *err) PT_MUST_USE;

#endif
