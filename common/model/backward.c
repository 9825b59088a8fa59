/*
 * The backward pass, the forward's steps in reverse. It carries one gradient of the stream down
 * (space->gradient), forms the inputs of trained linears again from what was kept, and stops below the lowest
 * thing that is trained. Contributions of the sequences to the keys and values of the rows in front gather in
 * front_key_gradients until the last pass takes the rows in front along (`from` is 0).
 */
#include "model/pass.h"

#include "fmt/stream.h"
#include "math/activation.h"

#include <string.h>

static void backward_norm(const struct pt_pass *pass, const struct pt_norm *norm, struct pt_span span,
                          const float *x, const float *mean, const float *rstd, const float *dy, bool add,
                          float *dx)
{
    size_t hidden = pass->config->hidden_size, at = span.first * hidden;
    if (span.n)
        pt_norm_backward(pass->config->family->norm, span.n, hidden, x + at, mean + span.first,
                         rstd + span.first, norm->weight, dy + at, add, dx + at);
}

static void norm_gradients(const struct pt_pass *pass, const struct pt_norm *norm, struct pt_span span,
                           const float *x, const float *mean, const float *rstd, const float *dy)
{
    size_t hidden = pass->config->hidden_size, at = span.first * hidden;
    if (span.n && pt_norm_is_trained(norm))
        pt_norm_weight_gradient(pass->config->family->norm, span.n, hidden, x + at, mean + span.first,
                                rstd + span.first, dy + at, norm->weight_gradient, norm->bias_gradient);
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
    pt_linear_gradients(linear, pass->math, span.n, x + span.first * linear->weight.n_in,
                        dy + span.first * linear->weight.n_out, &pass->space->low);
}

static void backward_linear(const struct pt_pass *pass, const struct pt_linear *linear, struct pt_span span,
                            const float *dy, float *dx)
{
    pt_linear_backward(linear, pass->math, span.n, dy + span.first * linear->weight.n_out,
                       dx + span.first * linear->weight.n_in, &pass->space->low);
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

/* The MLP and its norm: the gradient of the layer's output becomes the one of the stream in the middle. */
static void backward_mlp(const struct pt_pass *pass, size_t index, struct pt_span span)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    const struct pt_kept *kept = &pass->space->kept[index];
    float *gradient = pass->space->gradient, *wide = pass->space->wide, *normed = pass->space->normed;
    size_t inner = pass->config->intermediate_size, at = span.first * inner;
    bool after = pass->config->residual_after_norm;
    if (pt_linear_needs_input(&layer->mlp_down))
        pt_activation_forward(pass->config->family->activation, span.n * inner, kept->up + at, wide + at);
    linear_gradients(pass, &layer->mlp_down, span, wide, gradient);
    if (ends_above(pass, index, PT_STEP_MLP_UP))
        return;
    backward_linear(pass, &layer->mlp_down, span, gradient, wide);
    pt_activation_backward(pass->config->family->activation, span.n * inner, kept->up + at, wide + at,
                           wide + at);
    if (pt_linear_needs_input(&layer->mlp_up))
        norm_again(pass, &layer->mlp_norm, span, kept->mid, normed);
    linear_gradients(pass, &layer->mlp_up, span, normed, wide);
    if (ends_above(pass, index, PT_STEP_MLP_NORM))
        return;
    backward_linear(pass, &layer->mlp_up, span, wide, normed);
    if (after)
        add_rows(pass, span, gradient, normed);
    norm_gradients(pass, &layer->mlp_norm, span, kept->mid, kept->mlp_mean, kept->mlp_rstd, normed);
    backward_norm(pass, &layer->mlp_norm, span, kept->mid, kept->mlp_mean, kept->mlp_rstd, normed, !after,
                  gradient);
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
        pt_attention_backward(pass->math, &pass->shape, pass->segments, n_segments,
                              pt_pass_qkv_heads(pass, kept->qkv, 0), dout, kept->log_sums,
                              pt_pass_qkv_heads(pass, dqkv, 0), err))
        return (int)err->status;
    if (!from)
        take_front_gradients(pass, index, dqkv);
    return PT_OK;
}

/* Below the first layer often only the rows in front have anything to train. */
static struct pt_span rows_below_attention(const struct pt_pass *pass, size_t index, size_t from)
{
    struct pt_span span = pt_pass_rows(pass, from);
    if (!index && pt_weights_front_rows_alone(pass->weights))
        span.n = from ? 0 : pass->rows->n_front;
    return span;
}

/* The projection to q, k and v and its norm: the gradient of the stream in the middle becomes the one of the
 * layer's input. */
static void backward_qkv(const struct pt_pass *pass, size_t index, size_t from)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    const struct pt_kept *kept = &pass->space->kept[index];
    float *gradient = pass->space->gradient, *dqkv = pass->space->wide, *normed = pass->space->normed;
    bool after = pass->config->residual_after_norm;
    struct pt_span span = pt_pass_rows(pass, from);
    if (pt_linear_needs_input(&layer->qkv))
        norm_again(pass, &layer->attention_norm, span, kept->x, normed);
    linear_gradients(pass, &layer->qkv, span, normed, dqkv);
    if (ends_above(pass, index, PT_STEP_ATTENTION_NORM))
        return;
    span = rows_below_attention(pass, index, from);
    backward_linear(pass, &layer->qkv, span, dqkv, normed);
    if (after)
        add_rows(pass, span, gradient, normed);
    norm_gradients(pass, &layer->attention_norm, span, kept->x, kept->attention_mean, kept->attention_rstd,
                   normed);
    backward_norm(pass, &layer->attention_norm, span, kept->x, kept->attention_mean, kept->attention_rstd,
                  normed, !after, gradient);
}

static int backward_layer(struct pt_pass *pass, size_t index, size_t from, struct pt_error *err)
{
    const struct pt_layer *layer = &pass->weights->layers[index];
    struct pt_workspace *space = pass->space;
    bool last = pt_pass_is_last(pass, index);
    struct pt_span span = last ? pt_pass_final_rows(pass, from) : pt_pass_rows(pass, from);
    backward_mlp(pass, index, span);
    if (ends_above(pass, index, PT_STEP_ATTENTION_OUT))
        return PT_OK;
    linear_gradients(pass, &layer->attention_out, span, space->kept[index].attention, space->gradient);
    if (ends_above(pass, index, PT_STEP_QKV))
        return PT_OK;
    backward_linear(pass, &layer->attention_out, span, space->gradient, space->attention);
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
    if (!from && weights->rows.gradient)
        pt_add(rows->n_front * hidden, gradient, weights->rows.gradient);
    for (size_t r = 0; weights->embedding_gradient && r < rows->n_runs; r++)
        for (size_t i = 0; i < rows->runs[r].n; i++)
            pt_add(hidden, gradient + (rows->runs[r].first + i) * hidden,
                   weights->embedding_gradient + PT_TOKEN_ID(rows->runs[r].words[i]) * hidden);
}

static void backward_input(const struct pt_pass *pass, size_t from)
{
    const struct pt_norm *norm = &pass->weights->embedding_norm;
    struct pt_workspace *space = pass->space;
    struct pt_span span = rows_below_attention(pass, 0, from);
    if (norm->weight && span.n) {
        pt_pass_input(pass, from, space->normed);
        norm_gradients(pass, norm, span, space->normed, space->embedding_mean, space->embedding_rstd,
                       space->gradient);
        backward_norm(pass, norm, span, space->normed, space->embedding_mean, space->embedding_rstd,
                      space->gradient, false, space->gradient);
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
    norm_gradients(pass, &pass->weights->final_norm, final, space->output, space->final_mean,
                   space->final_rstd, space->gradient);
    backward_norm(pass, &pass->weights->final_norm, final, space->output, space->final_mean,
                  space->final_rstd, space->gradient, false, space->gradient);
    for (size_t l = n_layers; l-- > 0;) {
        if (ends_above(pass, l, PT_STEP_MLP_DOWN))
            return PT_OK;
        if (backward_layer(pass, l, from, err))
            return (int)err->status;
    }
    if (pt_weights_reach_input(pass->weights))
        backward_input(pass, from);
    return PT_OK;
}
