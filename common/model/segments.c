/*
 * Who attends to what: a method's keys in front of the layer, the rows in front of every sequence, the
 * sequence's own rows. The keys and values of the rows in front are read from their own store in every pass,
 * so that a later pass need not compute them again.
 */
#include "model/pass.h"

#include "base/memory.h"

#include <string.h>

struct pt_span pt_pass_rows(const struct pt_pass *pass, size_t from)
{
    return (struct pt_span){from, pass->rows->n - from};
}

struct pt_span pt_pass_final_rows(const struct pt_pass *pass, size_t from)
{
    size_t first = from ? pass->rows->n_final_front : 0;
    return (struct pt_span){first, pass->rows->n_final - first};
}

bool pt_pass_is_last(const struct pt_pass *pass, size_t layer)
{
    return layer + 1 == pass->config->n_layers;
}

const struct pt_attention_shape *pt_pass_shape(const struct pt_pass *pass, size_t layer)
{
    return &pass->shapes[pass->config->local[layer]];
}

const struct pt_rotary_table *pt_pass_rotary(const struct pt_pass *pass, size_t layer)
{
    return &pass->tables->rotary[pass->config->local[layer]].table;
}

size_t pt_pass_n_heads(const struct pt_pass *pass, unsigned which)
{
    return which ? pass->config->n_kv_heads : pass->config->n_heads;
}

struct pt_heads pt_pass_qkv_heads(const struct pt_pass *pass, float *qkv, unsigned which)
{
    const size_t head_dim = pass->config->head_dim, row = pt_config_qkv_size(pass->config);
    const size_t starts[] = {0, pt_config_q_size(pass->config), row - pt_config_kv_size(pass->config)};
    switch (pass->config->qkv_layout) {
    case PT_QKV_BY_HEAD:
        return (struct pt_heads){qkv + which * head_dim, row, 3 * head_dim};
    case PT_QKV_BLOCKS:
    case PT_QKV_BY_GROUP: /* only between the projection and the blocks that it is taken apart to */
        break;
    }
    return (struct pt_heads){qkv + starts[which], row, head_dim};
}

/* Keys and values side by side: [rows, 2, kv]. */
static struct pt_heads store_heads(const struct pt_pass *pass, float *store, unsigned which)
{
    size_t kv = pt_config_kv_size(pass->config);
    return (struct pt_heads){store ? store + which * kv : NULL, 2 * kv, pass->config->head_dim};
}

struct pt_heads pt_pass_front_heads(const struct pt_pass *pass, float *front, size_t layer, unsigned which)
{
    size_t layer_floats = pass->rows->n_front * 2 * pt_config_kv_size(pass->config);
    return store_heads(pass, front ? front + layer * layer_floats : NULL, which);
}

void pt_copy_heads(const struct pt_pass *pass, size_t n_rows, struct pt_heads from, struct pt_heads to)
{
    size_t head_dim = pass->config->head_dim;
    for (size_t r = 0; r < n_rows; r++)
        for (size_t h = 0; h < pass->config->n_kv_heads; h++)
            memcpy(to.data + r * to.row_stride + h * to.head_stride,
                   from.data + r * from.row_stride + h * from.head_stride, head_dim * sizeof(float));
}

static struct pt_key_block method_block(const struct pt_pass *pass, const struct pt_plug_keys *keys)
{
    size_t stride = pt_config_kv_size(pass->config), head_dim = pass->config->head_dim;
    return (struct pt_key_block){
        .k = {(float *)keys->k, stride, head_dim},
        .v = {(float *)keys->v, stride, head_dim},
        .dk = {keys->dk, stride, head_dim},
        .dv = {keys->dv, stride, head_dim},
        .n_rows = keys->n,
    };
}

static struct pt_key_block front_block(const struct pt_pass *pass, size_t layer)
{
    return (struct pt_key_block){
        .k = pt_pass_front_heads(pass, pass->front_keys, layer, 0),
        .v = pt_pass_front_heads(pass, pass->front_keys, layer, 1),
        .dk = pt_pass_front_heads(pass, pass->front_key_gradients, layer, 0),
        .dv = pt_pass_front_heads(pass, pass->front_key_gradients, layer, 1),
        .n_rows = pass->rows->n_front,
    };
}

static struct pt_key_block own_block(const struct pt_pass *pass, const struct pt_run *run, size_t layer,
                                     float *dqkv)
{
    if (run->cache) {
        float *store = run->cache + layer * run->cache_stride;
        return (struct pt_key_block){.k = store_heads(pass, store, 0),
                                     .v = store_heads(pass, store, 1),
                                     .n_rows = run->n_past + run->n};
    }
    size_t at = run->first * pt_config_qkv_size(pass->config);
    float *qkv = pass->space->kept[layer].qkv + at;
    struct pt_key_block block = {
        .k = pt_pass_qkv_heads(pass, qkv, 1), .v = pt_pass_qkv_heads(pass, qkv, 2), .n_rows = run->n};
    if (dqkv) {
        block.dk = pt_pass_qkv_heads(pass, dqkv + at, 1);
        block.dv = pt_pass_qkv_heads(pass, dqkv + at, 2);
    }
    return block;
}

static void add_block(struct pt_segment *segment, struct pt_key_block block)
{
    if (block.n_rows)
        segment->blocks[segment->n_blocks++] = block;
}

int pt_pass_segments(struct pt_pass *pass, size_t layer, size_t from, float *dqkv, size_t *n_segments,
                     struct pt_error *err)
{
    const struct pt_rows *rows = pass->rows;
    const struct pt_plug_keys *keys = pass->weights->layers[layer].keys;
    bool last = pt_pass_is_last(pass, layer);
    *n_segments = 0;
    if (pt_reserve(&pass->segments, &pass->segments_capacity, rows->n_runs + 1, sizeof *pass->segments, err))
        return (int)err->status;
    if (!from && rows->n_front && (!last || rows->n_final_front)) {
        size_t first = last ? rows->n_front - 1 : 0;
        struct pt_segment *segment = &pass->segments[(*n_segments)++];
        *segment = (struct pt_segment){.first_query = first, .n_queries = rows->n_front - first};
        if (keys)
            add_block(segment, method_block(pass, keys));
        add_block(segment, front_block(pass, layer));
    }
    for (size_t i = 0; i < rows->n_runs; i++) {
        const struct pt_run *run = &rows->runs[i];
        size_t first = last ? run->first_query : 0;
        if (first == run->n)
            continue;
        struct pt_segment *segment = &pass->segments[(*n_segments)++];
        *segment = (struct pt_segment){.first_query = run->first + first, .n_queries = run->n - first};
        if (keys)
            add_block(segment, method_block(pass, keys));
        add_block(segment, front_block(pass, layer));
        add_block(segment, own_block(pass, run, layer, dqkv));
    }
    return PT_OK;
}
