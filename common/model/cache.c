/*
 * The keys and values of each sequence lie by layer in one block. A pass takes the new tokens' rows alone;
 * attention finds the rest in the cache. The rows in front are computed when the cache is opened, and their
 * keys and values kept for all sequences.
 */
#include "model/cache.h"

#include "base/memory.h"
#include "model/engine_state.h"

#include <stdlib.h>
#include <string.h>

struct pt_cache {
    struct pt_engine *engine; /* borrowed */
    size_t n_sequences, capacity;
    size_t row_floats;   /* of keys and values of one row in one layer */
    float *keys;         /* [n_layers, n_sequences, capacity, 2 * kv], owned */
    size_t *lengths;     /* [n_sequences], owned */
    bool *taken;         /* [n_sequences] scratch, owned */
    struct pt_rows rows; /* owned */
    struct pt_pass pass; /* the engine's, but with the cache's own rows, segments and keys in front */
};

/* The first call of the forward: nothing but the rows in front, whose keys and values it leaves in
 * front_keys. */
static int compute_front(struct pt_cache *cache, struct pt_error *err)
{
    size_t n_front = cache->engine->weights.rows.n;
    if (!n_front)
        return PT_OK;
    if (pt_engine_reserve(cache->engine, n_front, false, err) ||
        pt_rows_start(&cache->rows, n_front, cache->engine->weights.n_keys, false, err))
        return (int)err->status;
    return pt_pass_forward(&cache->pass, 0, err);
}

/* Untouched pages of a zeroed block cost no memory, so sequences that stay short are cheap. */
static int allocate(struct pt_cache *cache, struct pt_error *err)
{
    uint64_t floats = cache->row_floats * cache->pass.config->n_layers;
    if (!pt_multiply(floats, cache->n_sequences, &floats) || !pt_multiply(floats, cache->capacity, &floats))
        return pt_fail(err, PT_FAILED, "out of memory (a cache of %zu sequences of %zu tokens)",
                       cache->n_sequences, cache->capacity);
    cache->keys = pt_new_array(floats, sizeof *cache->keys, err);
    cache->lengths = pt_new_array(cache->n_sequences, sizeof *cache->lengths, err);
    cache->taken = pt_new_array(cache->n_sequences, sizeof *cache->taken, err);
    cache->pass.front_keys = pt_engine_new_front_keys(cache->engine, err);
    return (int)err->status;
}

int pt_cache_open(struct pt_cache **cache, struct pt_engine *engine, size_t n_sequences, size_t capacity,
                  struct pt_error *err)
{
    struct pt_cache *opened = pt_new_array(1, sizeof *opened, err);
    *cache = NULL;
    if (!opened)
        return (int)err->status;
    *opened = (struct pt_cache){
        .engine = engine, .n_sequences = n_sequences, .capacity = capacity, .pass = engine->pass};
    opened->row_floats = 2 * pt_config_kv_size(engine->pass.config);
    opened->pass.rows = &opened->rows;
    opened->pass.segments = NULL;
    opened->pass.segments_capacity = 0;
    opened->pass.front_keys = NULL;
    if (allocate(opened, err) || compute_front(opened, err)) {
        pt_cache_close(opened);
        return (int)err->status;
    }
    *cache = opened;
    return PT_OK;
}

void pt_cache_close(struct pt_cache *cache)
{
    if (!cache)
        return;
    pt_rows_free(&cache->rows);
    free(cache->pass.segments);
    free(cache->pass.front_keys);
    free(cache->keys);
    free(cache->lengths);
    free(cache->taken);
    free(cache);
}

static int check_input(struct pt_cache *cache, const struct pt_cache_input *input, struct pt_error *err)
{
    if (input->sequence >= cache->n_sequences || cache->taken[input->sequence] || !input->n)
        return pt_fail(err, PT_FAILED, "sequence %zu of %zu is not there, given twice, or without a token",
                       input->sequence, cache->n_sequences);
    cache->taken[input->sequence] = true;
    size_t length = cache->lengths[input->sequence];
    if (input->n > cache->capacity - length)
        return pt_fail(err, PT_MISMATCH, "a sequence of %zu tokens does not fit a cache of %zu",
                       length + input->n, cache->capacity);
    return pt_engine_check_ids(cache->engine, input->ids, input->n, input->sequence, err);
}

static int add_inputs(struct pt_cache *cache, const struct pt_cache_input *inputs, size_t n_inputs,
                      struct pt_error *err)
{
    size_t sequence_floats = cache->capacity * cache->row_floats;
    if (pt_rows_start(&cache->rows, cache->engine->weights.rows.n, cache->engine->weights.n_keys, false, err))
        return (int)err->status;
    memset(cache->taken, 0, cache->n_sequences * sizeof *cache->taken);
    for (size_t i = 0; i < n_inputs; i++) {
        if (check_input(cache, &inputs[i], err))
            return (int)err->status;
        struct pt_run run = {.n = inputs[i].n,
                             .words = inputs[i].ids,
                             .n_past = cache->lengths[inputs[i].sequence],
                             .cache = cache->keys + inputs[i].sequence * sequence_floats,
                             .cache_stride = cache->n_sequences * sequence_floats};
        if (pt_rows_add_run(&cache->rows, &run, 1, err))
            return (int)err->status;
    }
    return pt_engine_reserve(cache->engine, cache->rows.n, false, err);
}

int pt_cache_append(struct pt_cache *cache, const struct pt_cache_input *inputs, size_t n_inputs,
                    float *logits, struct pt_error *err)
{
    if (!n_inputs)
        return PT_OK;
    if (add_inputs(cache, inputs, n_inputs, err) || pt_pass_forward(&cache->pass, cache->rows.n_front, err))
        return (int)err->status;
    pt_pass_logits(&cache->pass, logits);
    for (size_t i = 0; i < n_inputs; i++)
        cache->lengths[inputs[i].sequence] += inputs[i].n;
    return PT_OK;
}

void pt_cache_clear(struct pt_cache *cache, size_t sequence)
{
    cache->lengths[sequence] = 0;
}

void pt_cache_copy(struct pt_cache *cache, size_t from, size_t to)
{
    size_t sequence_floats = cache->capacity * cache->row_floats,
           used = cache->lengths[from] * cache->row_floats;
    for (size_t l = 0; from != to && l < cache->pass.config->n_layers; l++) {
        float *layer = cache->keys + l * cache->n_sequences * sequence_floats;
        memcpy(layer + to * sequence_floats, layer + from * sequence_floats, used * sizeof *layer);
    }
    cache->lengths[to] = cache->lengths[from];
}
