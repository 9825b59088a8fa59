/*
 * Reports on model folders and tokenizers. The tensors of any architecture are listed; whether these tools
 * can use the model is what pt_model_open says.
 */
#include "tune/describe_inside.h"

#include "base/memory.h"
#include "fmt/json.h"
#include "model/checkpoint.h"
#include "model/model.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <unistd.h>

int pt_report_tokenizer(json_t *report, const char *path, struct pt_error *err)
{
    struct pt_tokenizer *tokenizer;
    if (pt_tokenizer_open(&tokenizer, path, err))
        return (int)err->status;
    json_t *object = json_pack("{s:s, s:I, s:s}", "type", pt_tokenizer_kind(tokenizer), "vocab_size",
                               (json_int_t)pt_tokenizer_vocab_size(tokenizer), "fingerprint",
                               pt_tokenizer_fingerprint(tokenizer).text);
    pt_tokenizer_close(tokenizer);
    return pt_report_set(report, "tokenizer", object, err);
}

/* What config.json says, as it says it: of any architecture. */
static int report_config(json_t *report, const json_t *config, const char *const *keys, struct pt_error *err)
{
    for (; *keys; keys++) {
        json_t *value = json_object_get(config, *keys);
        if (value && !json_is_null(value) && pt_report_set(report, *keys, json_incref(value), err))
            return (int)err->status;
    }
    return PT_OK;
}

static int report_positions(json_t *report, const struct pt_config *config, struct pt_error *err)
{
    static const char *const names[] = {
        [PT_ALIBI] = "ALiBi", [PT_LEARNED] = "learned", [PT_ROTARY] = "rotary"};
    if (pt_report_text(report, "positions", names[config->positions], err) ||
        (config->n_positions && pt_report_count(report, "max_position_embeddings", config->n_positions, err)))
        return (int)err->status;
    return config->window ? pt_report_count(report, "sliding_window", config->window, err) : PT_OK;
}

/* Sizes under the names that most configurations use, whatever the family calls them. */
static int report_shape(json_t *report, const struct pt_config *config, struct pt_error *err)
{
    const struct {
        const char *key;
        uint64_t count;
    } sizes[] = {
        {"hidden_size", config->hidden_size},     {"num_hidden_layers", config->n_layers},
        {"num_attention_heads", config->n_heads}, {"num_key_value_heads", config->n_kv_heads},
        {"head_dim", config->head_dim},           {"intermediate_size", config->intermediate_size},
        {"vocab_size", config->vocab_size},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (pt_report_count(report, sizes[i].key, sizes[i].count, err))
            return (int)err->status;
    if (report_positions(report, config, err))
        return (int)err->status;
    return pt_report_set(report, "tie_word_embeddings", json_boolean(config->tied_head), err);
}

/* What tokenizer_config.json says about the tokenizer: transformers' class of it, and whether there is a chat
 * template, which pt-tokenize does not use. */
static int report_tokenizer_config(json_t *tokenizer, const char *folder, struct pt_error *err)
{
    json_t *config = NULL;
    char *path = pt_new_format(err, "%s/tokenizer_config.json", folder);
    if (path && !access(path, F_OK) && !pt_json_load(&config, path, err) &&
        !pt_report_text(tokenizer, "class", json_string_value(json_object_get(config, "tokenizer_class")),
                        err) &&
        json_object_get(config, "chat_template"))
        (void)!pt_report_set(tokenizer, "chat_template", json_true(), err);
    json_decref(config);
    free(path);
    return (int)err->status;
}

/* The tokenizer as a file; with verify it is opened. */
static int report_tokenizer_file(json_t *report, const char *folder, bool verify, struct pt_error *err)
{
    const char *file;
    struct pt_fingerprint fingerprint;
    if (pt_tokenizer_find(folder, &file, &fingerprint, err) || !file)
        return (int)err->status;
    if (verify)
        return pt_report_tokenizer(report, folder, err);
    json_t *tokenizer = json_object();
    if (pt_report_set(report, "tokenizer", tokenizer, err) || pt_report_text(tokenizer, "file", file, err) ||
        pt_report_text(tokenizer, "fingerprint", fingerprint.text, err))
        return (int)err->status;
    return report_tokenizer_config(tokenizer, folder, err);
}

static int report_files(json_t *report, const char *folder, bool verify, struct pt_error *err)
{
    struct pt_checkpoint checkpoint = {0};
    if (!pt_checkpoint_open(&checkpoint, folder, err)) {
        for (size_t i = 0; i < checkpoint.n && verify && !err->status; i++)
            (void)!pt_report_verify_file(checkpoint.sets[i].name, err);
        if (!err->status)
            (void)!pt_report_tensors(report, checkpoint.sets, checkpoint.n, verify, err);
        pt_checkpoint_close(&checkpoint);
    }
    return (int)err->status;
}

/* One that cannot be used is a fault only where everything is to be checked. */
static int report_unsupported(json_t *report, const json_t *config, const struct pt_error *reason,
                              struct pt_error *err)
{
    static const char *const keys[] = {
        "hidden_size", "n_embd",     "n_embed", "num_hidden_layers", "n_layer", "num_attention_heads",
        "n_head",      "vocab_size", NULL};
    if (report_config(report, config, keys, err))
        return (int)err->status;
    return pt_report_text(report, "not_supported", reason->message, err);
}

static int report_model(json_t *report, const json_t *config, const char *folder, bool verify,
                        struct pt_error *err)
{
    struct pt_error unsupported = {0};
    struct pt_model *model;
    if (pt_model_open(&model, folder, &unsupported)) {
        if (!verify && unsupported.status == PT_MISMATCH)
            return report_unsupported(report, config, &unsupported, err);
        *err = unsupported;
        return (int)err->status;
    }
    if (!report_shape(report, pt_model_config(model), err) &&
        !pt_report_count(report, "parameters", pt_model_parameters(model), err) &&
        !pt_report_text(report, "dtype", pt_dtype_name(pt_model_dtype(model)), err))
        (void)!pt_report_text(report, "fingerprint", pt_model_fingerprint(model).text, err);
    pt_model_close(model);
    return (int)err->status;
}

int pt_report_checkpoint(json_t *report, const char *folder, bool verify, struct pt_error *err)
{
    static const char *const keys[] = {"model_type", "architectures", NULL};
    json_t *config = NULL;
    if (!pt_checkpoint_config(&config, folder, err) && !pt_report_text(report, "kind", "checkpoint", err) &&
        !report_config(report, config, keys, err) && !report_model(report, config, folder, verify, err) &&
        !report_tokenizer_file(report, folder, verify, err))
        (void)!report_files(report, folder, verify, err);
    json_decref(config);
    return (int)err->status;
}
