/*
 * From final rows to logits and losses, a few rows at a time, so that logits of a whole update never exist
 * together. A final row may be asked for several predictions: the last row in front predicts every sequence's
 * first token.
 */
#include "model/pass.h"

#include "math/activation.h"

#include <math.h>
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

static void cap_rows(size_t n, float cap, float *logits)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        logits[i] = cap * tanhf(logits[i] / cap);
}

/* Logits [n, vocab] of rows behind the final norm. */
static void predict(const struct pt_pass *pass, size_t n, const float *rows, float *logits)
{
    const struct pt_linear *head = &pass->weights->head;
    size_t vocab = head->weight.n_out;
    pt_linear_forward(head, pass->math, n, rows, logits, vocab, &pass->space->low);
    if (pass->config->logit_cap > 0)
        cap_rows(n * vocab, (float)pass->config->logit_cap, logits);
}

void pt_pass_logits(const struct pt_pass *pass, float *logits)
{
    for (size_t at = 0, n; at < pass->rows->n_predictions; at += n) {
        n = chunk_rows(pass, at);
        predict(pass, n, gather(pass, at, n), logits + at * pass->config->vocab_size);
    }
}

/* Carries the gradient of n logit rows to their final rows. A row behind the front has one prediction; the
 * front's are summed. */
static void backward_chunk(const struct pt_pass *pass, size_t at, size_t n, const float *rows)
{
    const struct pt_linear *head = &pass->weights->head;
    struct pt_workspace *space = pass->space;
    size_t hidden = pass->config->hidden_size;
    pt_linear_gradients(head, pass->math, n, rows, space->logits, head->weight.n_out, &space->low);
    if (!pt_weights_reach_step(pass->weights, pass->config->n_layers, PT_STEP_FINAL_NORM))
        return;
    float *gradients = space->attention;
    pt_linear_backward(head, pass->math, n, space->logits, head->weight.n_out, false, gradients, &space->low);
    for (size_t i = 0; i < n; i++) {
        size_t final_row = pass->rows->predictions[at + i].final_row;
        if (final_row < pass->rows->n_final_front)
            pt_add(hidden, gradients + i * hidden, pass->front_final_gradient);
        else
            memcpy(space->gradient + final_row * hidden, gradients + i * hidden, hidden * sizeof *gradients);
    }
}

/* Losses of n rows of space->logits, which become their gradients; a soft cap's derivative needs the capped
 * logits, which are kept for a few rows at a time. */
static void losses_of(const struct pt_pass *pass, size_t n, const struct pt_target *targets, bool backward,
                      double *losses, uint8_t *correct)
{
    size_t vocab = pass->config->vocab_size;
    float *logits = pass->space->logits, *capped = pass->space->capped;
    float cap = (float)pass->config->logit_cap;
    if (!(cap > 0 && backward)) {
        pt_cross_entropy(n, vocab, logits, targets, backward, losses, correct);
        return;
    }
    for (size_t i = 0, rows; i < n; i += rows, logits += rows * vocab) {
        rows = n - i < PT_CAPPED_ROWS ? n - i : PT_CAPPED_ROWS;
        memcpy(capped, logits, rows * vocab * sizeof *capped);
        pt_cross_entropy(rows, vocab, logits, targets + i, true, losses + i, correct + i);
#pragma omp parallel for schedule(static)
        for (size_t j = 0; j < rows * vocab; j++)
            logits[j] *= 1 - (capped[j] / cap) * (capped[j] / cap);
    }
}

void pt_pass_loss(const struct pt_pass *pass, bool backward, struct pt_sequence_loss *each)
{
    struct pt_target targets[PT_LOGIT_ROWS];
    double losses[PT_LOGIT_ROWS];
    uint8_t correct[PT_LOGIT_ROWS];
    for (size_t at = 0, n; at < pass->rows->n_predictions; at += n) {
        n = chunk_rows(pass, at);
        const struct pt_prediction *predictions = pass->rows->predictions + at;
        const float *rows = gather(pass, at, n);
        predict(pass, n, rows, pass->space->logits);
        for (size_t i = 0; i < n; i++)
            targets[i] = predictions[i].target;
        losses_of(pass, n, targets, backward, losses, correct);
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
