/*
 * The forward pass, one loop over layers for every family and every purpose. Both halves of a layer do
 *
 *     a = norm(x); b = norm(f(a)); y = norm(b + residual)
 *
 * with f attention or the MLP, where a model has the norm in front or the one behind, most have none in the
 * middle, and the residual is x, or a if the configuration says so. The MLP's x is attention's y; where the
 * halves are parallel it is attention's x. In the last layer only the final rows go past attention: their
 * rows are moved together first, and what follows sees a shorter matrix.
 */
#include "model/pass.h"

#include "base/profile.h"
#include "fmt/stream.h"
#include "math/activation.h"
#include "model/read_ahead.h"

#include <string.h>

static void norm_rows(const struct pt_pass *pass, const struct pt_norm *norm, struct pt_span span,
                      const float *x, float *y, struct pt_statistics kept)
{
    size_t hidden = pass->config->hidden_size, at = span.first * hidden;
    if (span.n)
        pt_norm_forward(pass->config->family->norm, span.n, hidden, x + at, norm->weight, norm->bias,
                        (float)pass->config->norm_epsilon, y + at, kept.mean + span.first,
                        kept.rstd + span.first);
}

static void linear_rows(const struct pt_pass *pass, const struct pt_linear *linear, struct pt_span span,
                        const float *x, float *y)
{
    size_t n_out = linear->weight.n_out;
    pt_linear_forward(linear, pass->math, span.n, x + span.first * linear->weight.n_in,
                      y + span.first * n_out, n_out, &pass->space->low);
}

static void projection_rows(const struct pt_pass *pass, const struct pt_projection *projection,
                            struct pt_span span, const float *x, float *y, size_t row)
{
    pt_projection_forward(projection, pass->math, span.n, x + span.first * pass->config->hidden_size,
                          y + span.first * row, row, &pass->space->low);
}

/* The table's row of each row's position is added. */
static void add_positions(const struct pt_pass *pass, size_t from, float *to)
{
    const struct pt_matrix *table = &pass->weights->position_embedding;
    size_t hidden = table->n_in, row_bytes = hidden * pt_dtype_bytes(table->dtype);
    float *scratch = pass->space->wide;
    for (size_t r = from; r < pass->rows->n; r++) {
        size_t place = pass->rows->positions[r] + pass->config->position_offset;
        pt_to_f32(scratch, (const char *)table->data + place * row_bytes, table->dtype, hidden);
        pt_add(hidden, scratch, to + r * hidden);
    }
}

/* The embedding's row of a run's token, as it is stored. */
static const void *embedding_row(const struct pt_pass *pass, const struct pt_run *run, size_t i)
{
    const struct pt_matrix *table = &pass->weights->embedding;
    return (const char *)table->data +
           PT_TOKEN_ID(run->words[i]) * table->n_in * pt_dtype_bytes(table->dtype);
}

static void read_embedding_ahead(const struct pt_pass *pass)
{
    const struct pt_matrix *table = &pass->weights->embedding;
    const struct pt_rows *rows = pass->rows;
    for (const struct pt_run *run = rows->runs; run < rows->runs + rows->n_runs; run++)
        for (size_t i = 0; i < run->n; i++)
            pt_model_read_ahead_row(embedding_row(pass, run, i), table->n_in * pt_dtype_bytes(table->dtype));
}

void pt_pass_input(const struct pt_pass *pass, size_t from, float *to)
{
    PT_PROFILED(PT_PART_EMBEDDING, PT_FORWARD,
                2 * (pass->rows->n - from) * pass->config->hidden_size * sizeof(float));
    const struct pt_matrix *table = &pass->weights->embedding;
    const struct pt_rows *rows = pass->rows;
    size_t hidden = table->n_in;
    float scale = pass->weights->embedding_scale;
    if (!from && rows->n_front)
        memcpy(to, pass->weights->rows.values, rows->n_front * hidden * sizeof *to);
    if (pass->streamed)
        read_embedding_ahead(pass);
    for (const struct pt_run *run = rows->runs; run < rows->runs + rows->n_runs; run++)
        for (size_t i = 0; i < run->n; i++)
            pt_to_f32(to + (run->first + i) * hidden, embedding_row(pass, run, i), table->dtype, hidden);
    for (size_t i = rows->n_front * hidden; scale != 0 && i < rows->n * hidden; i++)
        to[i] *= scale;
    if (pass->weights->position_embedding.data)
        add_positions(pass, from, to);
}

static void embed(const struct pt_pass *pass, size_t from)
{
    struct pt_workspace *space = pass->space;
    bool norm = pass->weights->embedding_norm.weight;
    pt_pass_input(pass, from, norm ? space->normed : space->kept[0].x);
    if (norm)
        norm_rows(pass, &pass->weights->embedding_norm, pt_pass_rows(pass, from), space->normed,
                  space->kept[0].x, space->embedding_norm);
}

/* The heads of q (0), k (1) or v (2) from the span's first row on. */
static struct pt_heads heads_from(const struct pt_pass *pass, float *qkv, struct pt_span span, unsigned which)
{
    return pt_pass_qkv_heads(pass, qkv + span.first * pt_config_qkv_size(pass->config), which);
}

/* q and k normed head by head from where the projection left them to where attention reads them. */
static void norm_heads(const struct pt_pass *pass, size_t index, struct pt_span span)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    const struct pt_kept *kept = &pass->space->kept[index];
    const struct pt_norm *norms[] = {&layer->q_norm, &layer->k_norm};
    float *rstds[] = {kept->q_rstd, kept->k_rstd};
    for (unsigned which = 0; which < 2; which++) {
        size_t n_heads = pt_pass_n_heads(pass, which);
        pt_norm_heads_forward(pass->config->family->norm, span.n, n_heads, pass->config->head_dim,
                              heads_from(pass, kept->raw, span, which), norms[which]->weight,
                              norms[which]->bias, (float)pass->config->norm_epsilon,
                              heads_from(pass, kept->qkv, span, which), NULL,
                              rstds[which] + span.first * n_heads);
    }
    pt_copy_heads(pass, span.n, heads_from(pass, kept->raw, span, 2), heads_from(pass, kept->qkv, span, 2));
}

static void project(const struct pt_pass *pass, size_t index, struct pt_span span, const float *x)
{
    const struct pt_kept *kept = &pass->space->kept[index];
    float *blocks = kept->raw ? kept->raw : kept->qkv, *grouped = pass->space->grouped;
    projection_rows(pass, &pass->weights->layers[index].qkv, span, x, grouped ? grouped : blocks,
                    pt_config_qkv_size(pass->config));
    if (grouped)
        pt_pass_ungroup(pass, span, grouped, blocks);
    if (kept->raw)
        norm_heads(pass, index, span);
    for (unsigned which = 0; pass->config->positions == PT_ROTARY && which < 2; which++)
        pt_rotary_forward(pt_pass_rotary(pass, index), pass->rows->positions + span.first, span.n,
                          pt_pass_n_heads(pass, which), heads_from(pass, kept->qkv, span, which));
}

/* Takes new keys and values to where later passes look for them. */
static void store_keys(const struct pt_pass *pass, size_t layer, size_t from)
{
    const struct pt_rows *rows = pass->rows;
    float *qkv = pass->space->kept[layer].qkv;
    size_t qkv_size = pt_config_qkv_size(pass->config), kv = pt_config_kv_size(pass->config);
    if (!from)
        for (unsigned which = 0; which < 2; which++)
            pt_copy_heads(pass, rows->n_front, pt_pass_qkv_heads(pass, qkv, 1 + which),
                          pt_pass_front_heads(pass, pass->front_keys, layer, which));
    for (size_t i = 0; i < rows->n_runs; i++) {
        const struct pt_run *run = &rows->runs[i];
        if (!run->cache)
            continue;
        for (unsigned which = 0; which < 2; which++) {
            float *to = run->cache + layer * run->cache_stride + (run->n_past * 2 + which) * kv;
            pt_copy_heads(pass, run->n, pt_pass_qkv_heads(pass, qkv + run->first * qkv_size, 1 + which),
                          (struct pt_heads){to, 2 * kv, pass->config->head_dim});
        }
    }
}

static int attend(struct pt_pass *pass, size_t layer, size_t from, struct pt_error *err)
{
    const struct pt_kept *kept = &pass->space->kept[layer];
    struct pt_heads out = {kept->attention, pt_config_q_size(pass->config), pass->config->head_dim};
    size_t n_segments;
    store_keys(pass, layer, from);
    if (pt_pass_segments(pass, layer, from, NULL, &n_segments, err))
        return (int)err->status;
    return pt_attention_forward(pass->math, pt_pass_shape(pass, layer), pass->segments, n_segments,
                                pt_pass_qkv_heads(pass, kept->qkv, 0), out, kept->log_sums, err);
}

/* Moves the final rows together; `to` may be `rows`, since no row moves up. */
static void gather_final_rows(const struct pt_pass *pass, size_t from, size_t columns, const float *rows,
                              float *to)
{
    struct pt_span span = pt_pass_final_rows(pass, from);
    for (size_t i = span.first; i < span.first + span.n; i++)
        memmove(to + i * columns, rows + pass->rows->final_rows[i] * columns, columns * sizeof *to);
}

/* Where a half's last linear writes: as far from the stream as there are norms between. */
static float *result_of(const struct pt_half *half, float *stream)
{
    return half->branch ? half->branch : half->sum ? half->sum : stream;
}

/* From what the last linear wrote to the stream behind the half. */
static void close_half(const struct pt_pass *pass, const struct pt_half *half, const struct pt_norm *norm,
                       const struct pt_norm *branch_norm, struct pt_span span, const float *residual,
                       float *stream)
{
    size_t hidden = pass->config->hidden_size, at = span.first * hidden;
    float *sum = half->sum ? half->sum : stream;
    if (half->branch)
        norm_rows(pass, branch_norm, span, half->branch, sum, half->branch_norm);
    pt_add(span.n * hidden, residual + at, sum + at);
    if (half->sum)
        norm_rows(pass, norm, span, sum, stream, half->norm);
}

/* The second half of a layer, on `span` rows; without `output` no further than its first projection. */
static void forward_mlp(const struct pt_pass *pass, size_t index, struct pt_span span, float *output)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    const struct pt_kept *kept = &pass->space->kept[index];
    const float *normed = kept->mlp_x;
    if (!kept->mlp_half.sum) {
        norm_rows(pass, &layer->mlp_norm, span, kept->mlp_x, pass->space->normed, kept->mlp_half.norm);
        normed = pass->space->normed;
    }
    projection_rows(pass, &layer->up, span, normed, kept->up, pt_config_up_size(pass->config));
    if (!output)
        return;
    pt_pass_activate(pass, index, span);
    linear_rows(pass, &layer->mlp_down, span, pass->space->inner, result_of(&kept->mlp_half, output));
    close_half(pass, &kept->mlp_half, &layer->mlp_norm, &layer->mlp_out_norm, span,
               pass->config->residual_after_norm ? normed : kept->mid, output);
}

/* In the last layer: what the MLP needs of the rows, final rows only. Returns the residual's. */
static const float *drop_rows(const struct pt_pass *pass, size_t from, const struct pt_kept *kept,
                              const float *residual)
{
    float *gathered = pass->config->parallel ? kept->mlp_x : pass->space->output;
    gather_final_rows(pass, from, pt_config_q_size(pass->config), kept->attention, kept->attention);
    gather_final_rows(pass, from, pass->config->hidden_size, residual, gathered);
    return gathered;
}

static int forward_layer(struct pt_pass *pass, size_t index, size_t from, float *output, struct pt_error *err)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    struct pt_workspace *space = pass->space;
    const struct pt_kept *kept = &space->kept[index];
    struct pt_span span = pt_pass_rows(pass, from);
    bool last = pt_pass_is_last(pass, index);
    const float *normed = kept->x;
    if (!kept->attention_half.sum) {
        norm_rows(pass, &layer->attention_norm, span, kept->x, space->normed, kept->attention_half.norm);
        normed = space->normed;
    }
    project(pass, index, span, normed);
    if (attend(pass, index, from, err))
        return (int)err->status;
    const float *residual = pass->config->residual_after_norm ? normed : kept->x;
    if (last) {
        residual = drop_rows(pass, from, kept, residual);
        span = pt_pass_final_rows(pass, from);
    }
    linear_rows(pass, &layer->attention_out, span, kept->attention,
                result_of(&kept->attention_half, kept->mid));
    close_half(pass, &kept->attention_half, &layer->attention_norm, &layer->attention_out_norm, span,
               residual, kept->mid);
    forward_mlp(pass, index, span, output);
    return PT_OK;
}

static float *output_of(const struct pt_pass *pass, size_t layer)
{
    return pt_pass_is_last(pass, layer) ? pass->space->output : pass->space->kept[layer + 1].x;
}

int pt_pass_layer_again(struct pt_pass *pass, size_t layer, size_t from, struct pt_error *err)
{
    const struct pt_half *half = &pass->space->kept[layer].mlp_half;
    const bool norm_behind = half->branch || half->sum; /* whose backward reads what the last linear gave */
    return forward_layer(pass, layer, from, norm_behind ? output_of(pass, layer) : NULL, err);
}

static size_t positions_reached(const struct pt_pass *pass, size_t from)
{
    size_t most = 0;
    for (size_t r = from; r < pass->rows->n; r++)
        most = pass->rows->positions[r] > most ? pass->rows->positions[r] : most;
    return most + 1;
}

int pt_pass_forward(struct pt_pass *pass, size_t from, struct pt_error *err)
{
    struct pt_workspace *space = pass->space;
    struct pt_span final = pt_pass_final_rows(pass, from);
    if (pt_position_tables_reach(pass->tables, pass->config, positions_reached(pass, from), err))
        return (int)err->status;
    pt_weights_refresh(pass->weights);
    embed(pass, from);
    for (size_t l = 0; l < pass->config->n_layers; l++) {
        pt_model_read_ahead(pass->model, l + 1, l - 1);
        if (forward_layer(pass, l, from, output_of(pass, l), err))
            return (int)err->status;
    }
    if (pass->weights->final_norm.weight)
        norm_rows(pass, &pass->weights->final_norm, final, space->output, space->final, space->final_norm);
    else if (final.n)
        memcpy(space->final + final.first * pass->config->hidden_size,
               space->output + final.first * pass->config->hidden_size,
               final.n * pass->config->hidden_size * sizeof *space->final);
    return PT_OK;
}
