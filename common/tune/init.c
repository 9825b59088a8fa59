/*
 * PEFT builds a table of n_virtual normal rows first, whatever the initialisation (torch.nn.Embedding draws
 * when it is made), and only then draws ids or looks a text up (tuners/prompt_tuning/model.py). The order of
 * draws matters for equal seeds, so it is kept.
 */
#include "tune/init.h"

#include "base/memory.h"
#include "base/rng.h"
#include "text/tokenizer.h"
#include "tune/method.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static int record(struct pt_tuned *tuned, json_t *source, struct pt_error *err)
{
    if (!source)
        return pt_fail(err, PT_FAILED, "out of memory");
    int status = pt_tuned_set_metadata_json(tuned, PT_KEY_INIT, source, err);
    json_decref(source);
    return status;
}

static struct pt_parameter *add_rows(struct pt_tuned *tuned, const char *name, uint64_t n,
                                     const struct pt_model *model, struct pt_error *err)
{
    uint64_t shape[2] = {n, pt_model_config(model)->hidden_size};
    return pt_parameters_add(&tuned->parameters, name, 2, shape, true, err);
}

static int encode(const struct pt_tokenizer *tokenizer, const char *text, struct pt_words *ids,
                  struct pt_error *err)
{
    struct pt_encoder *encoder;
    if (pt_encoder_new(&encoder, tokenizer, err))
        return (int)err->status;
    int status = pt_encode(encoder, text, strlen(text), true, ids, err);
    pt_encoder_free(encoder);
    if (status)
        return pt_error_in(err, "initial text");
    return ids->n ? PT_OK : pt_fail(err, PT_USAGE, "initial text: '%s' has no token", text);
}

/* The row of token `id`. One that is not finite would make every loss so. */
static int take_row(const struct pt_model *model, uint32_t id, float *row, struct pt_error *err)
{
    pt_model_embedding(model, id, row);
    for (uint64_t i = 0; i < pt_model_config(model)->hidden_size; i++)
        if (!isfinite(row[i]))
            return pt_fail(
                err, PT_BAD_INPUT, "%s: %s: row %" PRIu32 " is not finite: element %" PRIu64 " is %g",
                pt_model_name(model), pt_model_tensor_name(model, 0, PT_EMBEDDING), id, i, (double)row[i]);
    return PT_OK;
}

static int copy_rows(struct pt_parameter *rows, const struct pt_words *ids, const struct pt_model *model,
                     struct pt_error *err)
{
    const struct pt_config *config = pt_model_config(model);
    for (size_t i = 0; i < rows->shape[0]; i++) {
        uint32_t id = ids->data[i % ids->n];
        if (id >= config->vocab_size)
            return pt_fail(err, PT_MISMATCH,
                           "initial text: token %" PRIu32 " has no row: %s has %" PRIu64 " embeddings", id,
                           pt_model_name(model), config->vocab_size);
        if (take_row(model, id, rows->value + i * config->hidden_size, err))
            return (int)err->status;
    }
    return PT_OK;
}

static int rows_of_text(struct pt_tuned *tuned, const char *name, const struct pt_init *init,
                        const struct pt_model *model, struct pt_error *err)
{
    struct pt_tokenizer *tokenizer;
    struct pt_words ids = {0};
    if (pt_tokenizer_open(&tokenizer, pt_model_name(model), err))
        return (int)err->status;
    if (encode(tokenizer, init->text, &ids, err))
        goto out;
    struct pt_parameter *rows = add_rows(tuned, name, init->n_virtual ? init->n_virtual : ids.n, model, err);
    if (!rows || copy_rows(rows, &ids, model, err) ||
        pt_tuned_set_metadata(tuned, PT_KEY_TOKENIZER_FINGERPRINT, pt_tokenizer_fingerprint(tokenizer).text,
                              err))
        goto out;
    /* The tokenizer lies in the model's folder and so bears its name. */
    const char *base = pt_tuned_metadata(tuned, PT_KEY_BASE_NAME);
    if (record(
            tuned,
            json_pack("{s:s, s:s, s:s}", "kind", "text", "text", init->text, "tokenizer", base ? base : ""),
            err))
        goto out;
out:
    pt_words_free(&ids);
    pt_tokenizer_close(tokenizer);
    return (int)err->status;
}

/* torch.randint over the rows of the table, padding rows included. */
static int sample_rows(struct pt_parameter *rows, struct pt_rng *rng, const struct pt_model *model,
                       struct pt_error *err)
{
    const struct pt_config *config = pt_model_config(model);
    for (size_t i = 0; i < rows->shape[0]; i++)
        if (take_row(model, pt_rng_below(rng, config->vocab_size), rows->value + i * config->hidden_size,
                     err))
            return (int)err->status;
    return PT_OK;
}

static int rows_drawn(struct pt_tuned *tuned, const char *name, const struct pt_init *init,
                      const struct pt_model *model, struct pt_error *err)
{
    struct pt_parameter *rows =
        add_rows(tuned, name, init->n_virtual ? init->n_virtual : PT_DEFAULT_VIRTUAL, model, err);
    if (!rows)
        return (int)err->status;
    struct pt_rng rng;
    pt_rng_seed(&rng, init->seed);
    pt_rng_normal(&rng, rows->n, rows->value);
    json_int_t seed = (json_int_t)init->seed;
    if (init->kind == PT_INIT_VOCAB) {
        if (sample_rows(rows, &rng, model, err))
            return (int)err->status;
        return record(tuned, json_pack("{s:s, s:I}", "kind", "vocab", "seed", seed), err);
    }
    for (size_t i = 0; i < rows->n; i++)
        rows->value[i] *= (float)init->std;
    return record(tuned, json_pack("{s:s, s:I, s:f}", "kind", "random", "seed", seed, "std", init->std), err);
}

int pt_init_rows(struct pt_tuned *tuned, const char *name, const struct pt_init *init,
                 const struct pt_model *model, struct pt_error *err)
{
    return init->kind == PT_INIT_TEXT ? rows_of_text(tuned, name, init, model, err)
                                      : rows_drawn(tuned, name, init, model, err);
}

int pt_init_from(struct pt_tuned **tuned, const char *path, uint64_t n_virtual, const struct pt_model *model,
                 bool ignore_fingerprint, struct pt_error *err)
{
    struct pt_tuned *opened;
    if (pt_tuned_open(&opened, path, model, ignore_fingerprint, err))
        return (int)err->status;
    uint64_t n = opened->parameters.list[0].shape[0];
    if (n_virtual && opened->method->rows_are_tokens && n_virtual != n)
        pt_fail(err, PT_MISMATCH, "%s: there are %" PRIu64 " virtual tokens, not %" PRIu64, path, n,
                n_virtual);
    else if (!record(opened, json_pack("{s:s}", "kind", "from"), err)) {
        *tuned = opened;
        return PT_OK;
    }
    pt_tuned_free(opened);
    return (int)err->status;
}
