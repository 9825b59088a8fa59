/*
 * The forward pass, one loop over layers for every family and every purpose:
 *
 *     a = norm(x); mid = attention(a) + (x or a); b = norm(mid); y = MLP(b) + (mid or b)
 *
 * where the residual is the normed input if the configuration says so. In the last layer only the final rows
 * go past attention: their rows are moved together first, and what follows sees a shorter matrix.
 */
#include "model/pass.h"

#include "base/profile.h"
#include "fmt/stream.h"
#include "math/activation.h"

#include <string.h>

static void norm_rows(const struct pt_pass *pass, const struct pt_norm *norm, struct pt_span span,
                      const float *x, float *y, float *mean, float *rstd)
{
    size_t hidden = pass->config->hidden_size, at = span.first * hidden;
    if (span.n)
        pt_norm_forward(pass->config->family->norm, span.n, hidden, x + at, norm->weight, norm->bias,
                        (float)pass->config->norm_epsilon, y + at, mean + span.first, rstd + span.first);
}

static void linear_rows(const struct pt_pass *pass, const struct pt_linear *linear, struct pt_span span,
                        const float *x, float *y)
{
    pt_linear_forward(linear, pass->math, span.n, x + span.first * linear->weight.n_in,
                      y + span.first * linear->weight.n_out, &pass->space->low);
}

void pt_pass_input(const struct pt_pass *pass, size_t from, float *to)
{
    PT_PROFILED(PT_PART_EMBEDDING, PT_FORWARD,
                2 * (pass->rows->n - from) * pass->config->hidden_size * sizeof(float));
    const struct pt_matrix *table = &pass->weights->embedding;
    const struct pt_rows *rows = pass->rows;
    size_t hidden = table->n_in, row_bytes = hidden * pt_dtype_bytes(table->dtype);
    if (!from && rows->n_front)
        memcpy(to, pass->weights->rows.values, rows->n_front * hidden * sizeof *to);
    for (size_t r = 0; r < rows->n_runs; r++)
        for (size_t i = 0; i < rows->runs[r].n; i++)
            pt_to_f32(to + (rows->runs[r].first + i) * hidden,
                      (const char *)table->data + PT_TOKEN_ID(rows->runs[r].words[i]) * row_bytes,
                      table->dtype, hidden);
}

static void embed(const struct pt_pass *pass, size_t from)
{
    struct pt_workspace *space = pass->space;
    bool norm = pass->weights->embedding_norm.weight;
    pt_pass_input(pass, from, norm ? space->normed : space->kept[0].x);
    if (norm)
        norm_rows(pass, &pass->weights->embedding_norm, pt_pass_rows(pass, from), space->normed,
                  space->kept[0].x, space->embedding_mean, space->embedding_rstd);
}

/* Takes new keys and values to where later passes look for them. */
static void store_keys(const struct pt_pass *pass, size_t layer, size_t from)
{
    const struct pt_rows *rows = pass->rows;
    float *qkv = pass->space->kept[layer].qkv;
    size_t qkv_size = pt_config_qkv_size(pass->config), kv = pt_config_kv_size(pass->config);
    for (unsigned which = 0; !from && which < 2; which++)
        pt_copy_heads(pass, rows->n_front, pt_pass_qkv_heads(pass, qkv, 1 + which),
                      pt_pass_front_heads(pass, pass->front_keys, layer, which));
    for (size_t i = 0; i < rows->n_runs; i++) {
        const struct pt_run *run = &rows->runs[i];
        for (unsigned which = 0; run->cache && which < 2; which++) {
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
    return pt_attention_forward(pass->math, &pass->shape, pass->segments, n_segments,
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

static void add_rows(const struct pt_pass *pass, struct pt_span span, const float *x, float *y)
{
    size_t hidden = pass->config->hidden_size;
    pt_add(span.n * hidden, x + span.first * hidden, y + span.first * hidden);
}

/* The second half of a layer, on `span` rows. The stream in front of attention comes in `residual`. */
static void forward_mlp(const struct pt_pass *pass, size_t index, struct pt_span span, const float *residual,
                        float *output)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    const struct pt_kept *kept = &pass->space->kept[index];
    float *normed = pass->space->normed, *wide = pass->space->wide;
    size_t inner = pass->config->intermediate_size;
    linear_rows(pass, &layer->attention_out, span, kept->attention, kept->mid);
    add_rows(pass, span, residual, kept->mid);
    norm_rows(pass, &layer->mlp_norm, span, kept->mid, normed, kept->mlp_mean, kept->mlp_rstd);
    linear_rows(pass, &layer->mlp_up, span, normed, kept->up);
    pt_activation_forward(pass->config->family->activation, span.n * inner, kept->up + span.first * inner,
                          wide + span.first * inner);
    linear_rows(pass, &layer->mlp_down, span, wide, output);
    add_rows(pass, span, pass->config->residual_after_norm ? normed : kept->mid, output);
}

static int forward_layer(struct pt_pass *pass, size_t index, size_t from, struct pt_error *err)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    struct pt_workspace *space = pass->space;
    const struct pt_kept *kept = &space->kept[index];
    struct pt_span span = pt_pass_rows(pass, from);
    bool last = pt_pass_is_last(pass, index);
    float *output = last ? space->output : space->kept[index + 1].x;
    norm_rows(pass, &layer->attention_norm, span, kept->x, space->normed, kept->attention_mean,
              kept->attention_rstd);
    linear_rows(pass, &layer->qkv, span, space->normed, kept->qkv);
    if (attend(pass, index, from, err))
        return (int)err->status;
    const float *residual = pass->config->residual_after_norm ? space->normed : kept->x;
    if (last) {
        gather_final_rows(pass, from, pt_config_q_size(pass->config), kept->attention, kept->attention);
        gather_final_rows(pass, from, pass->config->hidden_size, residual, output);
        span = pt_pass_final_rows(pass, from);
        residual = output;
    }
    forward_mlp(pass, index, span, residual, output);
    return PT_OK;
}

int pt_pass_forward(struct pt_pass *pass, size_t from, struct pt_error *err)
{
    struct pt_workspace *space = pass->space;
    embed(pass, from);
    for (size_t l = 0; l < pass->config->n_layers; l++)
        if (forward_layer(pass, l, from, err))
            return (int)err->status;
    norm_rows(pass, &pass->weights->final_norm, pt_pass_final_rows(pass, from), space->output, space->final,
              space->final_mean, space->final_rstd);
    return PT_OK;
}
