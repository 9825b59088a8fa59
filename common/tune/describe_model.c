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
#include <string.h>
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

static bool has_file(const char *folder, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return false;
    bool there = !access(path, F_OK);
    free(path);
    return there;
}

/* What config.json says, as it says it. */
static int report_config(json_t *report, const char *folder, struct pt_error *err)
{
    static const char *const keys[] = {"model_type",        "architectures", "hidden_size",         "n_embed",
                                       "num_hidden_layers", "n_layer",       "num_attention_heads", "n_head",
                                       "vocab_size"};
    json_t *config;
    int status = pt_checkpoint_config(&config, folder, err);
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !status; i++) {
        json_t *value = json_object_get(config, keys[i]);
        if (value)
            status = pt_report_set(report, keys[i], json_incref(value), err);
    }
    json_decref(config);
    return status;
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

/* Whether the model can be used. One that cannot is a fault only where everything is to be checked. */
static int report_model(json_t *report, const char *folder, bool verify, struct pt_error *err)
{
    struct pt_error unsupported = {0};
    struct pt_model *model;
    if (pt_model_open(&model, folder, &unsupported)) {
        if (!verify && unsupported.status == PT_MISMATCH)
            return pt_report_text(report, "not_supported", unsupported.message, err);
        *err = unsupported;
        return (int)err->status;
    }
    if (!pt_report_count(report, "parameters", pt_model_parameters(model), err) &&
        !pt_report_text(report, "dtype", pt_dtype_name(pt_model_dtype(model)), err))
        (void)!pt_report_text(report, "fingerprint", pt_model_fingerprint(model).text, err);
    pt_model_close(model);
    return (int)err->status;
}

int pt_report_checkpoint(json_t *report, const char *folder, bool verify, struct pt_error *err)
{
    if (pt_report_text(report, "kind", "checkpoint", err) || report_config(report, folder, err) ||
        report_model(report, folder, verify, err) || report_files(report, folder, verify, err))
        return (int)err->status;
    bool has_tokenizer = has_file(folder, "tokenizer.json") || has_file(folder, "tokenizer.model");
    return verify && has_tokenizer ? pt_report_tokenizer(report, folder, err) : PT_OK;
}
