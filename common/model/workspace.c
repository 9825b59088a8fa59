/*
 * One function lays the buffers out. It runs once over nothing to learn the size, and once over the block.
 */
#include "model/workspace.h"

#include "base/memory.h"

#include <stdlib.h>

enum { ALIGNMENT = 64 };

struct arena {
    char *base; /* NULL: only count */
    size_t used;
};

static float *take(struct arena *arena, size_t rows, size_t columns)
{
    float *taken = arena->base ? (float *)(void *)(arena->base + arena->used) : NULL;
    arena->used += (rows * columns * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return taken;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static struct pt_statistics take_statistics(struct arena *arena, size_t n)
{
    float *mean = take(arena, n, 1), *rstd = take(arena, n, 1);
    return (struct pt_statistics){mean, rstd};
}

static struct pt_half lay_out_half(struct arena *arena, const struct pt_config *config, enum pt_role out_norm,
                                   size_t n)
{
    struct pt_half half = {.norm = take_statistics(arena, n)};
    if (pt_config_has_role(config, out_norm)) {
        half.branch = take(arena, n, config->hidden_size);
        half.branch_norm = take_statistics(arena, n);
    }
    if (config->norm_behind)
        half.sum = take(arena, n, config->hidden_size);
    return half;
}

/* What a layer has besides its input. */
static struct pt_kept lay_out_layer(struct arena *arena, const struct pt_config *config, size_t n)
{
    struct pt_kept kept = {0};
    if (pt_config_has_role(config, PT_Q_NORM_WEIGHT)) {
        kept.raw = take(arena, n, pt_config_qkv_size(config));
        kept.q_rstd = take(arena, n, config->n_heads);
        kept.k_rstd = take(arena, n, config->n_kv_heads);
    }
    kept.qkv = take(arena, n, pt_config_qkv_size(config));
    kept.log_sums = take(arena, n, config->n_heads);
    kept.attention_half = lay_out_half(arena, config, PT_ATTENTION_OUT_NORM_WEIGHT, n);
    kept.mlp_half = lay_out_half(arena, config, PT_MLP_OUT_NORM_WEIGHT, n);
    kept.mid = take(arena, n, config->hidden_size);
    kept.up = take(arena, n, pt_config_up_size(config));
    return kept;
}

static void lay_out_scratch(struct arena *arena, const struct pt_config *config,
                            const struct pt_weights *weights, struct pt_workspace *space)
{
    size_t n = space->n_rows, hidden = config->hidden_size;
    space->embedding_norm = take_statistics(arena, n);
    space->output = take(arena, n, hidden);
    space->final = take(arena, n, hidden);
    space->final_norm = take_statistics(arena, n);
    space->normed = take(arena, n, hidden);
    space->gradient = take(arena, n, hidden);
    space->attention = take(arena, n, larger(pt_config_q_size(config), hidden));
    space->wide = take(arena, n, larger(pt_config_up_size(config), pt_config_qkv_size(config)));
    if (config->qkv_layout == PT_QKV_BY_GROUP)
        space->grouped = take(arena, n, pt_config_qkv_size(config));
    space->inner = pt_config_is_gated(config) ? take(arena, n, config->intermediate_size) : space->wide;
    space->logits = take(arena, n < PT_LOGIT_ROWS ? n : PT_LOGIT_ROWS, config->vocab_size);
    if (config->logit_cap > 0)
        space->capped = take(arena, PT_CAPPED_ROWS, config->vocab_size);
    space->low.rows = take(arena, n, weights->largest_rank);
    space->low.transposed = take(arena, weights->largest_rank, weights->largest_delta_out);
}

/* Whether attention's output outlives the forward in the buffers of a layer; where all share them, that of any.
 */
static bool keeps_attention(const struct pt_weights *weights, size_t n_layers, enum pt_keep keep,
                            size_t layer)
{
    if (keep == PT_KEEP_ALL)
        return pt_linear_needs_input(&weights->layers[layer].attention_out);
    for (size_t l = 0; keep && l < n_layers; l++)
        if (pt_linear_needs_input(&weights->layers[l].attention_out))
            return true;
    return false;
}

static size_t lay_out(struct arena arena, const struct pt_config *config, const struct pt_weights *weights,
                      struct pt_workspace *space)
{
    const size_t n = space->n_rows, n_layers = config->n_layers;
    struct pt_kept kept = {0};
    float *x = NULL;
    lay_out_scratch(&arena, config, weights, space);
    for (size_t l = 0; l < n_layers; l++) {
        if (!l || space->keep)
            x = take(&arena, n, config->hidden_size);
        if (!l || space->keep == PT_KEEP_ALL) {
            kept = lay_out_layer(&arena, config, n);
            kept.attention = keeps_attention(weights, n_layers, space->keep, l)
                                 ? take(&arena, n, pt_config_q_size(config))
                                 : space->attention;
        }
        kept.x = x;
        kept.mlp_x = config->parallel ? x : kept.mid;
        /* Where halves are parallel the last layer's final rows of its input are moved together, and a
         * backward still needs the others where they were. */
        if (config->parallel && space->keep && l + 1 == n_layers)
            kept.mlp_x = take(&arena, n, config->hidden_size);
        if (space->kept)
            space->kept[l] = kept;
    }
    return arena.used;
}

size_t pt_workspace_bytes(const struct pt_config *config, const struct pt_weights *weights, size_t n_rows,
                          enum pt_keep keep)
{
    struct pt_workspace space = {.n_rows = n_rows, .keep = keep};
    return lay_out((struct arena){0}, config, weights, &space) + ALIGNMENT;
}

int pt_workspace_ensure(struct pt_workspace *space, const struct pt_config *config,
                        const struct pt_weights *weights, size_t n_rows, enum pt_keep keep,
                        struct pt_error *err)
{
    if (space->n_rows >= n_rows && (keep == PT_KEEP_NOTHING || keep == space->keep))
        return PT_OK;
    pt_workspace_free(space);
    space->n_rows = n_rows;
    space->keep = keep;
    space->kept = pt_new_array(config->n_layers, sizeof *space->kept, err);
    space->block =
        err->status ? NULL : pt_new_array(pt_workspace_bytes(config, weights, n_rows, keep), 1, err);
    if (!space->block) {
        pt_workspace_free(space);
        return (int)err->status;
    }
    pt_memory_use_large_pages(space->block, pt_workspace_bytes(config, weights, n_rows, keep));
    size_t skip = (ALIGNMENT - (uintptr_t)space->block % ALIGNMENT) % ALIGNMENT;
    lay_out((struct arena){.base = (char *)space->block + skip}, config, weights, space);
    return PT_OK;
}

void pt_workspace_free(struct pt_workspace *space)
{
    free(space->kept);
    free(space->block);
    *space = (struct pt_workspace){0};
}
