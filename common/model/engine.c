/*
 * Updates and evaluations in slices: whole sequences are taken as long as their rows fit. The rows in front
 * are computed with the first slice, and their backward runs with the last one, once an update.
 */
#include "model/engine_state.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "fmt/stream.h"
#include "model/panels.h"
#include "model/plan.h"
#include "model/savings.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pt_engine_check_ids(const struct pt_engine *engine, const uint32_t *words, size_t n, size_t index,
                        struct pt_error *err)
{
    uint64_t vocab = engine->pass.config->vocab_size;
    for (size_t i = 0; i < n; i++)
        if (PT_TOKEN_ID(words[i]) >= vocab)
            return pt_fail(err, PT_MISMATCH,
                           "%s: token id %" PRIu32 " (token %zu of example %zu): the model has %" PRIu64,
                           pt_model_name(engine->model), PT_TOKEN_ID(words[i]), i + 1, index + 1, vocab);
    return PT_OK;
}

float *pt_engine_new_front_keys(const struct pt_engine *engine, struct pt_error *err)
{
    const struct pt_config *config = engine->pass.config;
    return pt_new_floats(config->n_layers * engine->weights.rows.n * 2 * pt_config_kv_size(config), err);
}

static int prepare(struct pt_engine *engine, const struct pt_math *math, struct pt_error *err)
{
    const struct pt_config *config = pt_model_config(engine->model);
    struct pt_pass *pass = &engine->pass;
    pass->math = math;
    pass->model = engine->model;
    pass->config = config;
    pass->weights = &engine->weights;
    pass->space = &engine->space;
    pass->rows = &engine->rows;
    pass->tables = &engine->tables;
    if (pt_position_tables_init(&engine->tables, config, err))
        return (int)err->status;
    double divisor = config->score_divisor > 0 ? config->score_divisor : (double)config->head_dim;
    for (size_t local = 0; local < 2; local++)
        pass->shapes[local] = (struct pt_attention_shape){.n_heads = config->n_heads,
                                                          .n_kv_heads = config->n_kv_heads,
                                                          .head_dim = config->head_dim,
                                                          .scale = (float)(1 / sqrt(divisor)),
                                                          .alibi_slopes = engine->tables.slopes,
                                                          .soft_cap = (float)config->score_cap,
                                                          .window = local ? config->window : 0};
    pass->front_keys = pt_engine_new_front_keys(engine, err);
    pass->front_key_gradients = pt_engine_new_front_keys(engine, err);
    pass->front_final_gradient = pt_new_floats(config->hidden_size, err);
    pt_engine_choose_slices(engine);
    return (int)err->status;
}

static int pack(struct pt_engine *engine, struct pt_error *err)
{
    return engine->options.pack ? pt_panels_open(&engine->weights, engine->model, engine->pass.math,
                                                 pt_engine_room_for_panels(engine), err)
                                : PT_OK;
}

int pt_engine_open(struct pt_engine **engine, const struct pt_model *model, const struct pt_math *math,
                   const struct pt_plugs *plugs, const struct pt_engine_options *options,
                   struct pt_error *err)
{
    struct pt_engine *opened = pt_new_array(1, sizeof *opened, err);
    *engine = NULL;
    if (!opened)
        return (int)err->status;
    opened->model = model;
    if (options)
        opened->options = *options;
    if (pt_weights_open(&opened->weights, model, plugs, err) || prepare(opened, math, err) ||
        pack(opened, err)) {
        pt_engine_close(opened);
        return (int)err->status;
    }
    *engine = opened;
    return PT_OK;
}

void pt_engine_close(struct pt_engine *engine)
{
    if (!engine)
        return;
    pt_weights_close(&engine->weights);
    pt_workspace_free(&engine->space);
    pt_rows_free(&engine->rows);
    free(engine->pass.front_keys);
    free(engine->pass.front_key_gradients);
    free(engine->pass.front_final_gradient);
    free(engine->pass.segments);
    pt_position_tables_free(&engine->tables);
    free(engine->each);
    free(engine);
}

/* One call's sequences. */
struct batch {
    const struct pt_sequence *sequences; /* [n] */
    size_t n;
    bool front_predicts; /* some sequence counts its first token, and there are rows in front that predict it
                          */
    size_t largest;      /* rows of sequences in the largest slice */
    size_t n_slices;
};

/* The end of the slice that begins at `begin`: as many sequences as fit, at least one that has rows. */
static size_t slice_end(const struct pt_engine *engine, const struct batch *batch, size_t begin,
                        size_t *n_rows)
{
    size_t end = begin;
    *n_rows = 0;
    for (; end < batch->n; end++) {
        size_t more = pt_sequence_rows(&batch->sequences[end]);
        if (*n_rows && *n_rows + more > engine->slice_rows)
            break;
        *n_rows += more;
    }
    return end;
}

static int plan(struct pt_engine *engine, struct batch *batch, struct pt_error *err)
{
    if (pt_reserve(&engine->each, &engine->each_capacity, batch->n, sizeof *engine->each, err))
        return (int)err->status;
    memset(engine->each, 0, batch->n * sizeof *engine->each);
    for (size_t i = 0; i < batch->n; i++) {
        const struct pt_sequence *sequence = &batch->sequences[i];
        if (pt_engine_check_ids(engine, sequence->words, sequence->n, i, err))
            return (int)err->status;
        if (engine->weights.rows.n && pt_sequence_counts_first(sequence))
            batch->front_predicts = true;
    }
    for (size_t begin = 0, n_rows; begin < batch->n; begin = slice_end(engine, batch, begin, &n_rows)) {
        slice_end(engine, batch, begin, &n_rows);
        batch->largest = n_rows > batch->largest ? n_rows : batch->largest;
        batch->n_slices++;
    }
    return PT_OK;
}

static int check_finite(const struct pt_engine *engine, const struct batch *batch, size_t begin, size_t end,
                        struct pt_error *err)
{
    char list[256] = "";
    size_t length = 0;
    for (size_t i = begin; i < end; i++)
        if (!isfinite(engine->each[i].loss) && length < sizeof list - 32)
            length +=
                (size_t)snprintf(list + length, sizeof list - length, "%s%zu", length ? ", " : "", i + 1);
    if (!length)
        return PT_OK;
    return pt_fail(err, PT_NUMERIC, "the loss of example %s (of %zu) is not finite", list, batch->n);
}

static int run_slice(struct pt_engine *engine, const struct batch *batch, size_t begin, size_t end,
                     bool backward, struct pt_error *err)
{
    size_t n_front = engine->weights.rows.n;
    const struct pt_slice slice = {&engine->rows,
                                   batch->sequences + begin,
                                   end - begin,
                                   .forward_from = begin ? n_front : 0,
                                   .backward_from = end < batch->n ? n_front : 0,
                                   .backward = backward};
    if (pt_rows_start(&engine->rows, n_front, engine->weights.n_keys, batch->front_predicts, err))
        return (int)err->status;
    for (size_t i = begin; i < end; i++)
        if (pt_rows_add_counted(&engine->rows, &batch->sequences[i], i, err))
            return (int)err->status;
    pt_savings_count(&engine->weights, &slice);
    if (pt_pass_forward(&engine->pass, slice.forward_from, err))
        return (int)err->status;
    pt_pass_loss(&engine->pass, backward, engine->each);
    if (!backward)
        return PT_OK;
    if (check_finite(engine, batch, begin, end, err))
        return (int)err->status;
    return pt_pass_backward(&engine->pass, slice.backward_from, err);
}

static int run_batch(struct pt_engine *engine, struct batch *batch, bool backward, struct pt_error *err)
{
    const struct pt_config *config = engine->pass.config;
    size_t n_front = engine->weights.rows.n;
    if (plan(engine, batch, err))
        return (int)err->status;
    if (!batch->largest && !batch->front_predicts)
        return PT_OK;
    if (pt_engine_reserve(engine, n_front + batch->largest, backward && batch->n_slices > 1, err))
        return (int)err->status;
    memset(engine->pass.front_key_gradients, 0,
           config->n_layers * n_front * 2 * pt_config_kv_size(config) * sizeof(float));
    memset(engine->pass.front_final_gradient, 0, config->hidden_size * sizeof(float));
    for (size_t begin = 0, end, n_rows; begin < batch->n; begin = end) {
        end = slice_end(engine, batch, begin, &n_rows);
        if (run_slice(engine, batch, begin, end, backward, err))
            return (int)err->status;
    }
    return PT_OK;
}

int pt_engine_update(struct pt_engine *engine, const struct pt_sequence *sequences, size_t n, double *loss,
                     struct pt_sequence_loss *each, struct pt_error *err)
{
    struct batch batch = {.sequences = sequences, .n = n};
    if (engine->options.forward_only)
        return pt_fail(err, PT_FAILED, "an engine opened for the forward alone makes no updates");
    if (run_batch(engine, &batch, true, err))
        return (int)err->status;
    *loss = 0;
    for (size_t i = 0; i < n; i++)
        *loss += sequences[i].weight * engine->each[i].loss;
    if (each)
        memcpy(each, engine->each, n * sizeof *each);
    return PT_OK;
}

int pt_engine_evaluate(struct pt_engine *engine, const struct pt_sequence *sequences, size_t n,
                       struct pt_sequence_loss *each, struct pt_error *err)
{
    struct batch batch = {.sequences = sequences, .n = n};
    if (run_batch(engine, &batch, false, err))
        return (int)err->status;
    memcpy(each, engine->each, n * sizeof *each);
    return PT_OK;
}

int pt_engine_check_length(const struct pt_engine *engine, const struct pt_sequence *sequence,
                           struct pt_error *err)
{
    const struct pt_weights *weights = &engine->weights;
    return pt_position_tables_check(engine->pass.config,
                                    weights->n_keys + weights->rows.n + pt_sequence_rows(sequence), err);
}

int pt_engine_logits(struct pt_engine *engine, const uint32_t *words, size_t n, float *logits,
                     struct pt_error *err)
{
    struct pt_run run = {.words = words, .n = n};
    size_t n_front = engine->weights.rows.n;
    if (!n)
        return PT_OK;
    if (pt_engine_check_ids(engine, words, n, 0, err) || pt_engine_reserve(engine, n_front + n, false, err) ||
        pt_rows_start(&engine->rows, n_front, engine->weights.n_keys, false, err) ||
        pt_rows_add_run(&engine->rows, &run, n, err) || pt_pass_forward(&engine->pass, 0, err))
        return (int)err->status;
    pt_pass_logits(&engine->pass, logits);
    return PT_OK;
}

size_t pt_engine_slice_rows(const struct pt_engine *engine)
{
    return engine->slice_rows;
}

bool pt_engine_recomputes(const struct pt_engine *engine)
{
    return engine->recomputes;
}
