/*
 * The backward pass, the forward's steps in reverse. It carries one gradient of the stream down
 * (space->gradient), forms the inputs of trained linears again from what was kept, and stops below the lowest
 * thing that is trained. Where only the inputs of layers were kept it computes each layer again before its
 * backward. Contributions of the sequences to the keys and values of the rows in front gather in
 * front_key_gradients until the last pass takes the rows in front along (`from` is 0).
 */
#include "model/pass.h"

#include "fmt/stream.h"
#include "math/activation.h"
#include "model/read_ahead.h"

#include <string.h>

static void backward_norm(const struct pt_pass *pass, const struct pt_norm *norm, struct pt_span span,
                          const float *x, struct pt_statistics kept, const float *dy, bool add, float *dx)
{
    size_t hidden = pass->config->hidden_size, at = span.first * hidden;
    if (span.n)
        pt_norm_backward(pass->config->family->norm, span.n, hidden, x + at, kept.mean + span.first,
                         kept.rstd + span.first, norm->weight, dy + at, add, dx + at);
}

static void norm_gradients(const struct pt_pass *pass, const struct pt_norm *norm, struct pt_span span,
                           const float *x, struct pt_statistics kept, const float *dy)
{
    size_t hidden = pass->config->hidden_size, at = span.first * hidden;
    if (span.n && pt_norm_is_trained(norm))
        pt_norm_weight_gradient(pass->config->family->norm, span.n, hidden, x + at, kept.mean + span.first,
                                kept.rstd + span.first, dy + at, norm->weight_gradient, norm->bias_gradient);
}

/* A norm's output, formed again. */
static void norm_again(const struct pt_pass *pass, const struct pt_norm *norm, struct pt_span span,
                       const float *x, float *y)
{
    size_t hidden = pass->config->hidden_size, at = span.first * hidden;
    if (span.n)
        pt_norm_forward(pass->config->family->norm, span.n, hidden, x + at, norm->weight, norm->bias,
                        (float)pass->config->norm_epsilon, y + at, NULL, NULL);
}

static void linear_gradients(const struct pt_pass *pass, const struct pt_linear *linear, struct pt_span span,
                             const float *x, const float *dy)
{
    size_t n_out = linear->weight.n_out;
    pt_linear_gradients(linear, pass->math, span.n, x + span.first * linear->weight.n_in,
                        dy + span.first * n_out, n_out, &pass->space->low);
}

static void backward_linear(const struct pt_pass *pass, const struct pt_linear *linear, struct pt_span span,
                            const float *dy, float *dx)
{
    size_t n_out = linear->weight.n_out;
    pt_linear_backward(linear, pass->math, span.n, dy + span.first * n_out, n_out, false,
                       dx + span.first * linear->weight.n_in, &pass->space->low);
}

static void projection_gradients(const struct pt_pass *pass, const struct pt_projection *projection,
                                 struct pt_span span, const float *x, const float *dy, size_t row)
{
    pt_projection_gradients(projection, pass->math, span.n, x + span.first * pass->config->hidden_size,
                            dy + span.first * row, row, &pass->space->low);
}

static void backward_projection(const struct pt_pass *pass, const struct pt_projection *projection,
                                struct pt_span span, const float *dy, size_t row, float *dx)
{
    pt_projection_backward(projection, pass->math, span.n, dy + span.first * row, row,
                           dx + span.first * pass->config->hidden_size, &pass->space->low);
}

static void add_rows(const struct pt_pass *pass, struct pt_span span, const float *x, float *y)
{
    size_t hidden = pass->config->hidden_size;
    pt_add(span.n * hidden, x + span.first * hidden, y + span.first * hidden);
}

/* True where nothing at or below the step of this layer is trained: the backward ends above it. */
static bool ends_above(const struct pt_pass *pass, size_t layer, enum pt_step step)
{
    return !pt_weights_reach_step(pass->weights, layer, step);
}

/*
 * space->gradient is that of the stream behind a half; it becomes that of the sum inside, which is the
 * residual's too. Returns the gradient of what the half's last linear gave, which may be the same.
 */
static const float *backward_close(const struct pt_pass *pass, const struct pt_half *half,
                                   const struct pt_norm *norm, const struct pt_norm *branch_norm,
                                   struct pt_span span)
{
    float *gradient = pass->space->gradient, *branch = pass->space->normed;
    if (half->sum) {
        norm_gradients(pass, norm, span, half->sum, half->norm, gradient);
        backward_norm(pass, norm, span, half->sum, half->norm, gradient, false, gradient);
    }
    if (!half->branch)
        return gradient;
    norm_gradients(pass, branch_norm, span, half->branch, half->branch_norm, gradient);
    backward_norm(pass, branch_norm, span, half->branch, half->branch_norm, gradient, false, branch);
    return branch;
}

/* space->normed is the gradient of a half's input behind its norm in front; what it means for the stream is
 * added to space->gradient. */
static void backward_open(const struct pt_pass *pass, const struct pt_half *half, const struct pt_norm *norm,
                          struct pt_span span, const float *x)
{
    float *gradient = pass->space->gradient, *normed = pass->space->normed;
    bool after = pass->config->residual_after_norm;
    if (half->sum) {
        add_rows(pass, span, normed, gradient);
        return;
    }
    if (after)
        add_rows(pass, span, gradient, normed);
    norm_gradients(pass, norm, span, x, half->norm, normed);
    backward_norm(pass, norm, span, x, half->norm, normed, !after, gradient);
}

/* What a half's first projection read: x, or its norm, formed again where a gradient needs it. */
static const float *input_again(const struct pt_pass *pass, const struct pt_half *half,
                                const struct pt_norm *norm, const struct pt_projection *reader,
                                struct pt_span span, const float *x)
{
    if (half->sum)
        return x;
    if (pt_projection_needs_input(reader))
        norm_again(pass, norm, span, x, pass->space->normed);
    return pass->space->normed;
}

/* The MLP and its norms: the gradient of the layer's output becomes the one of the stream in the middle, or,
 * where the halves are parallel, gets the MLP's share of the one of the layer's input added. */
static void backward_mlp(const struct pt_pass *pass, size_t index, struct pt_span span)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    const struct pt_kept *kept = &pass->space->kept[index];
    const struct pt_half *half = &kept->mlp_half;
    float *wide = pass->space->wide, *inner = pass->space->inner, *normed = pass->space->normed;
    size_t row = pt_config_up_size(pass->config);
    const float *branch = backward_close(pass, half, &layer->mlp_norm, &layer->mlp_out_norm, span);
    if (pt_linear_needs_input(&layer->mlp_down))
        pt_pass_activate(pass, index, span);
    linear_gradients(pass, &layer->mlp_down, span, inner, branch);
    if (ends_above(pass, index, PT_STEP_MLP_UP))
        return;
    backward_linear(pass, &layer->mlp_down, span, branch, inner);
    pt_pass_activate_backward(pass, index, span);
    const float *input = input_again(pass, half, &layer->mlp_norm, &layer->up, span, kept->mlp_x);
    projection_gradients(pass, &layer->up, span, input, wide, row);
    if (ends_above(pass, index, PT_STEP_MLP_NORM))
        return;
    backward_projection(pass, &layer->up, span, wide, row, normed);
    backward_open(pass, half, &layer->mlp_norm, span, kept->mlp_x);
}

/* Moves final rows back to their places in the matrix, from the last to the first; rows that are no final
 * rows become zero. */
static void scatter_final_rows(const struct pt_pass *pass, size_t from, size_t columns, float *rows)
{
    struct pt_span final = pt_pass_final_rows(pass, from);
    size_t end = pass->rows->n;
    for (size_t i = final.first + final.n; i-- > final.first;) {
        size_t row = pass->rows->final_rows[i];
        memset(rows + (row + 1) * columns, 0, (end - row - 1) * columns * sizeof *rows);
        memmove(rows + row * columns, rows + i * columns, columns * sizeof *rows);
        end = row;
    }
    memset(rows + from * columns, 0, (end - from) * columns * sizeof *rows);
}

/* What the sequences, and the rows in front themselves, did to the keys and values of the rows in front. */
static void take_front_gradients(const struct pt_pass *pass, size_t layer, float *dqkv)
{
    for (unsigned which = 0; which < 2; which++)
        pt_copy_heads(pass, pass->rows->n_front,
                      pt_pass_front_heads(pass, pass->front_key_gradients, layer, which),
                      pt_pass_qkv_heads(pass, dqkv, 1 + which));
}

/* space->attention holds the gradient of attention's output; the gradient of q, k and v goes to space->wide.
 */
static int backward_attention(struct pt_pass *pass, size_t index, size_t from, struct pt_error *err)
{
    struct pt_workspace *space = pass->space;
    const struct pt_kept *kept = &space->kept[index];
    struct pt_span span = pt_pass_rows(pass, from);
    size_t qkv_size = pt_config_qkv_size(pass->config), n_segments;
    float *dqkv = space->wide;
    struct pt_heads dout = {space->attention, pt_config_q_size(pass->config), pass->config->head_dim};
    memset(dqkv + span.first * qkv_size, 0, span.n * qkv_size * sizeof *dqkv);
    if (pt_pass_segments(pass, index, from, dqkv, &n_segments, err) ||
        pt_attention_backward(pass->math, pt_pass_shape(pass, index), pass->segments, n_segments,
                              pt_pass_qkv_heads(pass, kept->qkv, 0), dout, kept->log_sums,
                              pt_pass_qkv_heads(pass, dqkv, 0), err))
        return (int)err->status;
    if (!from)
        take_front_gradients(pass, index, dqkv);
    return PT_OK;
}

static struct pt_heads heads_from(const struct pt_pass *pass, float *qkv, struct pt_span span, unsigned which)
{
    return pt_pass_qkv_heads(pass, qkv + span.first * pt_config_qkv_size(pass->config), which);
}

/* From the gradients of q and k as attention reads them to those of what the projection gave, in space->wide.
 */
static void backward_heads(const struct pt_pass *pass, size_t index, struct pt_span span)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    const struct pt_kept *kept = &pass->space->kept[index];
    const struct pt_norm *norms[] = {&layer->q_norm, &layer->k_norm};
    const float *rstds[] = {kept->q_rstd, kept->k_rstd};
    enum pt_norm_kind kind = pass->config->family->norm;
    size_t dim = pass->config->head_dim;
    for (unsigned which = 0; which < 2; which++) {
        struct pt_heads gradient = heads_from(pass, pass->space->wide, span, which);
        size_t n_heads = pt_pass_n_heads(pass, which);
        if (pass->config->positions == PT_ROTARY)
            pt_rotary_backward(pt_pass_rotary(pass, index), pass->rows->positions + span.first, span.n,
                               n_heads, gradient);
        if (!kept->raw)
            continue;
        struct pt_heads raw = heads_from(pass, kept->raw, span, which);
        const float *rstd = rstds[which] + span.first * n_heads;
        if (pt_norm_is_trained(norms[which]))
            pt_norm_heads_weight_gradient(kind, span.n, n_heads, dim, raw, NULL, rstd, gradient,
                                          norms[which]->weight_gradient, norms[which]->bias_gradient);
        pt_norm_heads_backward(kind, span.n, n_heads, dim, raw, NULL, rstd, norms[which]->weight, gradient,
                               false, gradient);
    }
}

/* Below the first layer often only the rows in front have anything to train. */
static struct pt_span rows_below_attention(const struct pt_pass *pass, size_t index, size_t from)
{
    struct pt_span span = pt_pass_rows(pass, from);
    if (!index && pt_weights_front_rows_alone(pass->weights))
        span.n = from ? 0 : pass->rows->n_front;
    return span;
}

/* The projection to q, k and v and its norms: the gradient of the stream that attention's result was added to
 * becomes the one of the layer's input. */
static void backward_qkv(const struct pt_pass *pass, size_t index, size_t from)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    const struct pt_kept *kept = &pass->space->kept[index];
    const struct pt_half *half = &kept->attention_half;
    float *dqkv = pass->space->wide;
    size_t row = pt_config_qkv_size(pass->config);
    struct pt_span span = pt_pass_rows(pass, from);
    backward_heads(pass, index, span);
    if (pass->space->grouped) {
        pt_pass_group(pass, span, dqkv, pass->space->grouped);
        dqkv = pass->space->grouped;
    }
    const float *input = input_again(pass, half, &layer->attention_norm, &layer->qkv, span, kept->x);
    projection_gradients(pass, &layer->qkv, span, input, dqkv, row);
    if (ends_above(pass, index, PT_STEP_ATTENTION_NORM))
        return;
    span = rows_below_attention(pass, index, from);
    backward_projection(pass, &layer->qkv, span, dqkv, row, pass->space->normed);
    backward_open(pass, half, &layer->attention_norm, span, kept->x);
}

/* From the gradient of the stream behind attention to that of attention's output, in space->attention. */
static void backward_attention_out(const struct pt_pass *pass, size_t index, struct pt_span span)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    const struct pt_kept *kept = &pass->space->kept[index];
    const float *branch =
        backward_close(pass, &kept->attention_half, &layer->attention_norm, &layer->attention_out_norm, span);
    linear_gradients(pass, &layer->attention_out, span, kept->attention, branch);
    if (!ends_above(pass, index, PT_STEP_QKV))
        backward_linear(pass, &layer->attention_out, span, branch, pass->space->attention);
}

/* Where the halves are parallel, attention's output comes first: its gradient is the one of the layer's
 * output, before the MLP's share is added. */
static int backward_layer(struct pt_pass *pass, size_t index, size_t from, struct pt_error *err)
{
    struct pt_workspace *space = pass->space;
    bool last = pt_pass_is_last(pass, index), parallel = pass->config->parallel;
    struct pt_span span = last ? pt_pass_final_rows(pass, from) : pt_pass_rows(pass, from);
    if (parallel)
        backward_attention_out(pass, index, span);
    backward_mlp(pass, index, span);
    if (ends_above(pass, index, PT_STEP_ATTENTION_OUT_NORM))
        return PT_OK;
    if (!parallel)
        backward_attention_out(pass, index, span);
    if (ends_above(pass, index, PT_STEP_QKV))
        return PT_OK;
    if (last) {
        scatter_final_rows(pass, from, pt_config_q_size(pass->config), space->attention);
        scatter_final_rows(pass, from, pass->config->hidden_size, space->gradient);
    }
    if (backward_attention(pass, index, from, err))
        return (int)err->status;
    backward_qkv(pass, index, from);
    return PT_OK;
}

/* Adds to the gradients of the embedding's rows and of the rows in front. */
static void input_gradients(const struct pt_pass *pass, size_t from, const float *gradient)
{
    const struct pt_weights *weights = pass->weights;
    const struct pt_rows *rows = pass->rows;
    size_t hidden = pass->config->hidden_size;
    float scale = weights->embedding_scale != 0 ? weights->embedding_scale : 1;
    if (!from && weights->rows.gradient)
        pt_add(rows->n_front * hidden, gradient, weights->rows.gradient);
    if (weights->embedding_gradient)
        for (size_t r = 0; r < rows->n_runs; r++)
            for (size_t i = 0; i < rows->runs[r].n; i++)
                pt_add_scaled(hidden, scale, gradient + (rows->runs[r].first + i) * hidden,
                              weights->embedding_gradient + PT_TOKEN_ID(rows->runs[r].words[i]) * hidden);
    if (weights->position_gradient)
        for (size_t r = from; r < rows->n; r++)
            pt_add(hidden, gradient + r * hidden,
                   weights->position_gradient +
                       (rows->positions[r] + pass->config->position_offset) * hidden);
}

static void backward_input(const struct pt_pass *pass, size_t from)
{
    const struct pt_norm *norm = &pass->weights->embedding_norm;
    struct pt_workspace *space = pass->space;
    struct pt_span span = rows_below_attention(pass, 0, from);
    if (norm->weight && span.n) {
        pt_pass_input(pass, from, space->normed);
        norm_gradients(pass, norm, span, space->normed, space->embedding_norm, space->gradient);
        backward_norm(pass, norm, span, space->normed, space->embedding_norm, space->gradient, false,
                      space->gradient);
    }
    input_gradients(pass, from, space->gradient);
}

int pt_pass_backward(struct pt_pass *pass, size_t from, struct pt_error *err)
{
    struct pt_workspace *space = pass->space;
    struct pt_span final = pt_pass_final_rows(pass, from);
    size_t n_layers = pass->config->n_layers, hidden = pass->config->hidden_size;
    if (ends_above(pass, n_layers, PT_STEP_FINAL_NORM))
        return PT_OK;
    if (!from && pass->rows->n_final_front)
        memcpy(space->gradient, pass->front_final_gradient, hidden * sizeof(float));
    const struct pt_norm *norm = &pass->weights->final_norm;
    if (norm->weight) {
        norm_gradients(pass, norm, final, space->output, space->final_norm, space->gradient);
        backward_norm(pass, norm, final, space->output, space->final_norm, space->gradient, false,
                      space->gradient);
    }
    for (size_t l = n_layers; l-- > 0;) {
        if (ends_above(pass, l, PT_STEP_MLP_OUT_NORM))
            return PT_OK;
        pt_model_read_ahead(pass->model, l - 1, l + 1);
        if (space->keep == PT_KEEP_INPUTS && pt_pass_layer_again(pass, l, from, err))
            return (int)err->status;
        if (backward_layer(pass, l, from, err))
            return (int)err->status;
    }
    if (pt_weights_reach_input(pass->weights))
        backward_input(pass, from);
    return PT_OK;
}
