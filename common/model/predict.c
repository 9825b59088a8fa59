/*
 * From final rows to logits and losses, a few rows at a time, so that logits of a whole update never exist
 * together. A final row may be asked for several predictions: the last row in front predicts every sequence's
 * first token.
 */
#include "model/pass.h"

#include "math/activation.h"

#include <string.h>

/* The final rows of predictions `at` .. `at` + n, one behind the other, in space->normed. */
static const float *gather(const struct pt_pass *pass, size_t at, size_t n)
{
    size_t hidden = pass->config->hidden_size;
    float *rows = pass->space->normed;
    for (size_t i = 0; i < n; i++)
        memcpy(rows + i * hidden, pass->space->final + pass->rows->predictions[at + i].final_row * hidden,
               hidden * sizeof *rows);
    return rows;
}

static size_t chunk_rows(const struct pt_pass *pass, size_t at)
{
    size_t left = pass->rows->n_predictions - at,
           room = pass->space->n_rows < PT_LOGIT_ROWS ? pass->space->n_rows : PT_LOGIT_ROWS;
    return left < room ? left : room;
}

void pt_pass_logits(const struct pt_pass *pass, float *logits)
{
    const struct pt_linear *head = &pass->weights->head;
    for (size_t at = 0, n; at < pass->rows->n_predictions; at += n) {
        n = chunk_rows(pass, at);
        pt_linear_forward(head, pass->math, n, gather(pass, at, n), logits + at * head->weight.n_out,
                          &pass->space->low);
    }
}

/* Carries the gradient of n logit rows to their final rows. A row behind the front has one prediction; the
 * front's are summed. */
static void backward_chunk(const struct pt_pass *pass, size_t at, size_t n, const float *rows)
{
    const struct pt_linear *head = &pass->weights->head;
    struct pt_workspace *space = pass->space;
    size_t hidden = pass->config->hidden_size;
    pt_linear_gradients(head, pass->math, n, rows, space->logits, &space->low);
    if (!pt_weights_reach_step(pass->weights, pass->config->n_layers, PT_STEP_FINAL_NORM))
        return;
    float *gradients = space->attention;
    pt_linear_backward(head, pass->math, n, space->logits, gradients, &space->low);
    for (size_t i = 0; i < n; i++) {
        size_t final_row = pass->rows->predictions[at + i].final_row;
        if (final_row < pass->rows->n_final_front)
            pt_add(hidden, gradients + i * hidden, pass->front_final_gradient);
        else
            memcpy(space->gradient + final_row * hidden, gradients + i * hidden, hidden * sizeof *gradients);
    }
}

void pt_pass_loss(const struct pt_pass *pass, bool backward, struct pt_sequence_loss *each)
{
    const struct pt_linear *head = &pass->weights->head;
    struct pt_workspace *space = pass->space;
    struct pt_target targets[PT_LOGIT_ROWS];
    double losses[PT_LOGIT_ROWS];
    uint8_t correct[PT_LOGIT_ROWS];
    for (size_t at = 0, n; at < pass->rows->n_predictions; at += n) {
        n = chunk_rows(pass, at);
        const struct pt_prediction *predictions = pass->rows->predictions + at;
        const float *rows = gather(pass, at, n);
        pt_linear_forward(head, pass->math, n, rows, space->logits, &space->low);
        for (size_t i = 0; i < n; i++)
            targets[i] = predictions[i].target;
        pt_cross_entropy(n, head->weight.n_out, space->logits, targets, backward, losses, correct);
        for (size_t i = 0; i < n; i++) {
            struct pt_sequence_loss *sum = &each[predictions[i].sequence];
            sum->loss += losses[i];
            sum->targets++;
            sum->correct += correct[i];
        }
        if (backward)
            backward_chunk(pass, at, n, rows);
    }
}
