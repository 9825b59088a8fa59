/*
 * The inputs run once, in one pass; further samples of an input start from a copy of its keys and values.
 * After that every step feeds the newest token of each continuation that is still going.
 */
#include "generate/generator.h"

#include "base/buffer.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/number.h"
#include "generate/scores.h"
#include "model/cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One continuation. */
struct slot {
    struct pt_words text; /* input and new tokens, owned */
    size_t n_input;
    uint64_t limit; /* of text */
    bool active;
    struct pt_rng rng;
};

struct pt_generator {
    struct pt_engine *engine;
    const struct pt_config *config;
    const struct pt_generation_settings *settings;
    uint64_t seed, memory;
    struct pt_scores_workspace workspace;
    struct pt_cache *cache; /* opened for the first run, again when a run needs more room */
    size_t cache_slots, cache_capacity;
    /* Of the current run. */
    struct slot *slots; /* [n_slots], owned */
    size_t n_slots;
    struct pt_cache_input *inputs; /* [n_slots], owned */
    float *scores;                 /* [n_slots, vocab], owned: row i belongs to inputs[i] */
};

int pt_generator_open(struct pt_generator **generator, struct pt_engine *engine,
                      const struct pt_config *config, const struct pt_generation_settings *settings,
                      uint64_t seed, uint64_t memory, struct pt_error *err)
{
    struct pt_generator *made = pt_new_array(1, sizeof *made, err);
    *generator = made;
    if (!made)
        return (int)err->status;
    made->engine = engine;
    made->config = config;
    made->settings = settings;
    made->seed = seed;
    made->memory = memory;
    return pt_scores_workspace_init(&made->workspace, config->vocab_size, err);
}

static void end_run(struct pt_generator *generator)
{
    for (size_t i = 0; generator->slots && i < generator->n_slots; i++)
        pt_words_free(&generator->slots[i].text);
    free(generator->slots);
    free(generator->inputs);
    free(generator->scores);
    generator->slots = NULL;
    generator->inputs = NULL;
    generator->scores = NULL;
    generator->n_slots = 0;
}

void pt_generator_close(struct pt_generator *generator)
{
    if (!generator)
        return;
    end_run(generator);
    pt_cache_close(generator->cache);
    pt_scores_workspace_fini(&generator->workspace);
    free(generator);
}

/* Bytes of keys and values; UINT64_MAX where they are more than can be counted. */
static uint64_t cache_bytes(const struct pt_generator *generator, uint64_t n_slots, uint64_t capacity)
{
    const struct pt_config *config = generator->config;
    uint64_t row_bytes = 2 * config->n_layers * config->n_kv_heads * config->head_dim * sizeof(float), rows,
             bytes;
    if (!pt_multiply(n_slots, capacity, &rows) || !pt_multiply(rows, row_bytes, &bytes))
        bytes = UINT64_MAX;
    return bytes;
}

size_t pt_generator_room(const struct pt_generator *generator, const struct pt_generation_input *inputs,
                         size_t n_inputs, size_t n_samples)
{
    uint64_t capacity = 0;
    size_t n_rows = 0;
    for (size_t n = 0; n < n_inputs; n++) {
        const uint64_t limit = pt_generation_limit(generator->settings, inputs[n].n);
        capacity = limit > capacity ? limit : capacity;
        n_rows += inputs[n].n;
        if (n && generator->memory &&
            (cache_bytes(generator, (n + 1) * n_samples, capacity) > generator->memory ||
             pt_engine_bytes(generator->engine, n_rows) > generator->memory))
            return n;
    }
    return n_inputs;
}

static int check_memory(const struct pt_generator *generator, size_t n_slots, size_t capacity,
                        struct pt_error *err)
{
    char needed[PT_NUMBER_TEXT], allowed[PT_NUMBER_TEXT];
    const uint64_t bytes = cache_bytes(generator, n_slots, capacity);
    if (!generator->memory || bytes <= generator->memory)
        return PT_OK;
    return pt_fail(err, PT_FAILED,
                   "keys and values need %s, where %s are allowed (continuations: %zu, tokens of each: %zu)",
                   pt_format_size(bytes, needed), pt_format_size(generator->memory, allowed), n_slots,
                   capacity);
}

static int provide_cache(struct pt_generator *generator, size_t n_slots, size_t capacity,
                         struct pt_error *err)
{
    if (generator->cache && n_slots <= generator->cache_slots && capacity <= generator->cache_capacity) {
        for (size_t i = 0; i < n_slots; i++)
            pt_cache_clear(generator->cache, i);
        return PT_OK;
    }
    if (check_memory(generator, n_slots, capacity, err))
        return (int)err->status;
    pt_cache_close(generator->cache);
    generator->cache = NULL;
    generator->cache_slots = n_slots;
    generator->cache_capacity = capacity;
    return pt_cache_open(&generator->cache, generator->engine, n_slots, capacity, err);
}

static int fill_slot(const struct pt_generator *generator, struct slot *slot,
                     const struct pt_generation_input *input, uint64_t text, uint64_t number,
                     struct pt_error *err)
{
    slot->limit = pt_generation_limit(generator->settings, input->n);
    slot->n_input = input->n;
    slot->active = true;
    if (!input->n)
        return pt_fail(err, PT_BAD_INPUT, "text %llu: no token to continue", (unsigned long long)text);
    if (input->n >= slot->limit) {
        pt_fail(err, PT_BAD_INPUT,
                "text %llu: its %zu tokens leave no room: at most %llu with the continuation",
                (unsigned long long)text, input->n, (unsigned long long)slot->limit);
        return pt_error_hint(err, "raise --max-length or use --max-new-tokens");
    }
    pt_rng_seed(&slot->rng, pt_hash64(&number, sizeof number, generator->seed));
    return pt_words_append(&slot->text, input->ids, input->n, err);
}

/* Lays out the run and computes the scores behind every input. */
static int begin_run(struct pt_generator *generator, const struct pt_generation_input *inputs,
                     size_t n_inputs, size_t n_samples, uint64_t first, struct pt_error *err)
{
    size_t n_slots = n_inputs * n_samples, vocab = generator->config->vocab_size;
    uint64_t capacity = 0;
    generator->slots = pt_new_array(n_slots, sizeof *generator->slots, err);
    generator->inputs = pt_new_array(n_slots, sizeof *generator->inputs, err);
    generator->scores = pt_new_floats(n_slots * vocab, err);
    if (err->status)
        return (int)err->status;
    generator->n_slots = n_slots;
    for (size_t i = 0; i < n_slots; i++) {
        struct slot *slot = &generator->slots[i];
        if (fill_slot(generator, slot, &inputs[i / n_samples], (first + i) / n_samples + 1, first + i, err))
            return (int)err->status;
        capacity = slot->limit > capacity ? slot->limit : capacity;
    }
    if (provide_cache(generator, n_slots, capacity, err))
        return (int)err->status;
    for (size_t i = 0; i < n_inputs; i++)
        generator->inputs[i] = (struct pt_cache_input){i * n_samples, inputs[i].ids, inputs[i].n};
    if (pt_cache_append(generator->cache, generator->inputs, n_inputs, generator->scores, err))
        return (int)err->status;
    for (size_t i = n_slots; i-- > 0;) {
        size_t original = i / n_samples;
        if (i % n_samples)
            pt_cache_copy(generator->cache, original * n_samples, i);
        memmove(generator->scores + i * vocab, generator->scores + original * vocab, vocab * sizeof(float));
        generator->inputs[i] = (struct pt_cache_input){i, NULL, 1};
    }
    return PT_OK;
}

static int choose(struct pt_generator *generator, struct slot *slot, float *scores, uint32_t *id,
                  struct pt_error *err)
{
    size_t vocab = generator->config->vocab_size;
    for (size_t i = 0; i < vocab; i++)
        if (!isfinite(scores[i]))
            return pt_fail(err, PT_NUMERIC, "token %zu of a continuation: the model's scores are not finite",
                           slot->text.n - slot->n_input);
    pt_scores_process(generator->settings, &generator->workspace, slot->text.data, slot->text.n,
                      slot->n_input, scores);
    if (!pt_scores_remain(vocab, scores))
        return pt_fail(err, PT_MISMATCH,
                       "token %zu of a continuation: the settings forbid every token of the vocabulary",
                       slot->text.n - slot->n_input);
    if (!generator->settings->greedy)
        pt_scores_warp(generator->settings, &generator->workspace, scores);
    *id = generator->settings->greedy ? pt_scores_best(vocab, scores)
                                      : pt_scores_draw(vocab, scores, &slot->rng);
    return PT_OK;
}

/* Chooses the next token of one continuation and hands it over. */
static int advance(struct pt_generator *generator, size_t number, float *scores, pt_token_taker *take,
                   void *context, struct pt_error *err)
{
    struct slot *slot = &generator->slots[number];
    uint32_t id = 0;
    if (choose(generator, slot, scores, &id, err) || pt_words_push(&slot->text, id, err))
        return (int)err->status;
    enum pt_finish finish = pt_generation_ends(generator->settings, id) ? PT_FINISH_STOP
                            : slot->text.n >= slot->limit               ? PT_FINISH_LENGTH
                                                                        : PT_UNFINISHED;
    if (take(context, number, id, &finish, err))
        return (int)err->status;
    slot->active = finish == PT_UNFINISHED;
    return PT_OK;
}

int pt_generator_run(struct pt_generator *generator, const struct pt_generation_input *inputs,
                     size_t n_inputs, size_t n_samples, uint64_t first, pt_token_taker *take, void *context,
                     struct pt_error *err)
{
    size_t vocab = generator->config->vocab_size;
    int status = begin_run(generator, inputs, n_inputs, n_samples, first, err);
    size_t n_rows = generator->n_slots;
    while (!status && n_rows) {
        size_t n_next = 0;
        for (size_t row = 0; row < n_rows && !status; row++) {
            size_t number = generator->inputs[row].sequence;
            struct slot *slot = &generator->slots[number];
            status = advance(generator, number, generator->scores + row * vocab, take, context, err);
            if (!status && slot->active)
                generator->inputs[n_next++] =
                    (struct pt_cache_input){number, slot->text.data + slot->text.n - 1, 1};
        }
        n_rows = n_next;
        if (!status && n_rows)
            status = pt_cache_append(generator->cache, generator->inputs, n_rows, generator->scores, err);
    }
    end_run(generator);
    return status;
}
