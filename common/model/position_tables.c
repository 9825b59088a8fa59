/*
 * Angles are computed once and kept, since every layer and every update asks for the same ones. As in
 * transformers an angle is the f32 product of position and frequency.
 */
#include "model/position_tables.h"

#include "base/memory.h"
#include "fmt/dtype.h"
#include "math/attention.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static int init_rotary(struct pt_rotary *rotary, const struct pt_rope *rope, uint64_t head_dim,
                       struct pt_error *err)
{
    size_t dimension = pt_rope_dimension(rope, head_dim);
    rotary->table.rotary_dim = dimension;
    rotary->frequencies = pt_new_floats(dimension / 2, err);
    if (!rotary->frequencies)
        return (int)err->status;
    rotary->factor = pt_rope_frequencies(rope, dimension, rotary->frequencies);
    return PT_OK;
}

static void compute_slopes(const struct pt_config *config, float *slopes)
{
    pt_alibi_slopes(config->n_heads, slopes);
    if (!config->alibi_scaled)
        return;
    for (size_t h = 0; h < config->n_heads; h++) {
        uint16_t rounded = pt_bf16_from_f32(slopes[h]);
        pt_to_f32(&slopes[h], &rounded, PT_BF16, 1);
        slopes[h] /= sqrtf((float)config->head_dim);
    }
}

int pt_position_tables_init(struct pt_position_tables *tables, const struct pt_config *config,
                            struct pt_error *err)
{
    *tables = (struct pt_position_tables){0};
    switch (config->positions) {
    case PT_ALIBI:
        tables->slopes = pt_new_floats(config->n_heads, err);
        if (tables->slopes)
            compute_slopes(config, tables->slopes);
        break;
    case PT_ROTARY:
        if (!init_rotary(&tables->rotary[0], &config->rope, config->head_dim, err))
            (void)!init_rotary(&tables->rotary[1], &config->local_rope, config->head_dim, err);
        break;
    case PT_LEARNED:
        break;
    }
    return (int)err->status;
}

void pt_position_tables_free(struct pt_position_tables *tables)
{
    for (size_t i = 0; i < 2; i++) {
        free(tables->rotary[i].angles);
        free(tables->rotary[i].frequencies);
    }
    free(tables->slopes);
    *tables = (struct pt_position_tables){0};
}

static int compute_angles(struct pt_rotary *rotary, size_t n, struct pt_error *err)
{
    const size_t half = rotary->table.rotary_dim / 2;
    float *angles = pt_new_floats(2 * n * half, err);
    if (!angles)
        return (int)err->status;
    for (size_t p = 0; p < n; p++)
        for (size_t i = 0; i < half; i++) {
            float angle = (float)p * rotary->frequencies[i];
            angles[p * half + i] = (float)cos((double)angle) * rotary->factor;
            angles[(n + p) * half + i] = (float)sin((double)angle) * rotary->factor;
        }
    free(rotary->angles);
    rotary->angles = angles;
    rotary->table.cos = angles;
    rotary->table.sin = angles + n * half;
    return PT_OK;
}

static bool is_bounded(const struct pt_config *config)
{
    return config->positions == PT_LEARNED ||
           (config->positions == PT_ROTARY &&
            (config->rope.kind == PT_ROPE_DYNAMIC || config->local_rope.kind == PT_ROPE_DYNAMIC));
}

int pt_position_tables_check(const struct pt_config *config, size_t n, struct pt_error *err)
{
    if (is_bounded(config) && n > config->n_positions)
        return pt_fail(err, PT_MISMATCH,
                       "a sequence of %zu positions, those in front included: the model has %" PRIu64, n,
                       config->n_positions);
    return PT_OK;
}

int pt_position_tables_reach(struct pt_position_tables *tables, const struct pt_config *config, size_t n,
                             struct pt_error *err)
{
    if (pt_position_tables_check(config, n, err))
        return (int)err->status;
    if (config->positions != PT_ROTARY || n <= tables->n_positions)
        return PT_OK;
    n = n > 2 * tables->n_positions ? n : 2 * tables->n_positions;
    for (size_t i = 0; i < (config->window ? 2 : 1); i++)
        if (compute_angles(&tables->rotary[i], n, err))
            return (int)err->status;
    tables->n_positions = n;
    return PT_OK;
}
