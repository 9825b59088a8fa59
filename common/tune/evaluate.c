/*
 * Examples are gathered until their rows fill a batch that keeps the matrix products busy, then run together.
 * Each example's loss does not depend on its neighbours, so where a batch ends changes nothing.
 */
#include "tune/evaluate.h"

#include "base/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Rows of a batch, and examples, should they be empty. */
enum { BATCH_ROWS = 2048, BATCH_EXAMPLES = 2048 };

struct batch {
    const struct pt_tuned_model *model;
    pt_evaluate_each *each;
    void *context;
    struct pt_evaluation *sums;
    struct pt_words words;         /* of all its examples */
    struct pt_sequence *sequences; /* [BATCH_EXAMPLES] */
    struct pt_sequence_loss *losses;
    size_t n;
};

static int run_batch(struct batch *batch, struct pt_error *err)
{
    const uint32_t *words = batch->words.data;
    for (size_t i = 0; i < batch->n; i++) {
        batch->sequences[i].words = words;
        words += batch->sequences[i].n;
    }
    if (batch->n && pt_engine_evaluate(batch->model->engine, batch->sequences, batch->n, batch->losses, err))
        return pt_error_in(err, "examples %" PRIu64 " to %" PRIu64, batch->sums->examples + 1,
                           batch->sums->examples + batch->n);
    for (size_t i = 0; i < batch->n; i++) {
        if (!isfinite(batch->losses[i].loss))
            return pt_fail(err, PT_NUMERIC, "example %" PRIu64 ": the loss is %g", batch->sums->examples + 1,
                           batch->losses[i].loss);
        batch->sums->loss += batch->losses[i].loss;
        batch->sums->targets += batch->losses[i].targets;
        batch->sums->correct += batch->losses[i].correct;
        batch->sums->examples++;
        if (batch->each && batch->each(batch->context, &batch->sequences[i], &batch->losses[i], err))
            return (int)err->status;
    }
    batch->words.n = 0;
    batch->n = 0;
    return PT_OK;
}

static int add_example(struct batch *batch, const struct pt_example *example, struct pt_error *err)
{
    if (pt_tuned_model_check_example(batch->model, example, batch->sums->examples + batch->n + 1, err))
        return (int)err->status;
    bool full = batch->n == BATCH_EXAMPLES || (batch->n && batch->words.n + example->n_words > BATCH_ROWS);
    if (full && run_batch(batch, err))
        return (int)err->status;
    if (pt_words_append(&batch->words, example->words, (size_t)example->n_words, err))
        return (int)err->status;
    batch->sequences[batch->n++] = (struct pt_sequence){.n = (size_t)example->n_words, .weight = 1};
    return PT_OK;
}

static int read_examples(struct batch *batch, struct pt_stream_reader *reader, struct pt_error *err)
{
    struct pt_example example;
    for (bool end = false;;) {
        if (pt_stream_read_example(reader, &example, &end, err))
            return (int)err->status;
        if (end)
            return run_batch(batch, err);
        if (add_example(batch, &example, err))
            return (int)err->status;
    }
}

int pt_evaluate_stream(const struct pt_tuned_model *model, struct pt_stream_reader *reader,
                       pt_evaluate_each *each, void *context, struct pt_evaluation *sums,
                       struct pt_error *err)
{
    *sums = (struct pt_evaluation){0};
    struct batch batch = {.model = model, .each = each, .context = context, .sums = sums};
    batch.sequences = pt_new_array(BATCH_EXAMPLES, sizeof *batch.sequences, err);
    batch.losses = pt_new_array(BATCH_EXAMPLES, sizeof *batch.losses, err);
    if (batch.sequences && batch.losses)
        (void)!read_examples(&batch, reader, err);
    free(batch.sequences);
    free(batch.losses);
    pt_words_free(&batch.words);
    return (int)err->status;
}

double pt_evaluation_loss(const struct pt_evaluation *sums)
{
    return sums->loss / (double)sums->targets;
}

double pt_evaluation_accuracy(const struct pt_evaluation *sums)
{
    return (double)sums->correct / (double)sums->targets;
}
