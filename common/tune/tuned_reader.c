/*
 * What a path is, is told by content: a folder; a safetensors file (a '{' behind its 8-byte length), mapped;
 * an archive of a folder; a PyTorch file, which is a zip archive with a data.pkl in it; else a pipe or a
 * compressed file, read to its end. All of these become a set of tensors with metadata, and the method named
 * there takes its parameters out of it.
 */
#include "base/memory.h"
#include "fmt/pytorch_file.h"
#include "fmt/safetensors.h"
#include "tune/method.h"
#include "tune/peft_reader.h"
#include "tune/prompt_tuning.h"
#include "tune/state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_safetensors(const char *path)
{
    char head[9];
    FILE *file = fopen(path, "re");
    size_t got = file ? fread(head, 1, sizeof head, file) : 0;
    if (file)
        fclose(file);
    return got == sizeof head && pt_safetensors_recognise(head, got);
}

static int read_source(struct pt_tensors *set, const char *path, struct pt_error *err)
{
    struct pt_source *source;
    if (pt_source_open(&source, path, err))
        return (int)err->status;
    int status = pt_safetensors_read(set, source, PT_ADAPTER_LIMIT, err);
    pt_source_close(source);
    return status;
}

/* A folder or an archive, where it is an adapter's; *known = false where it is something else, or cannot be
 * opened as one. */
static int read_folder(struct pt_tensors *set, json_t **config, const char *path, bool *known,
                       struct pt_error *err)
{
    struct pt_folder *folder;
    struct pt_error not_a_folder = {0};
    *known = !pt_folder_open(&folder, path, &not_a_folder);
    if (!*known)
        return PT_OK;
    int status = PT_OK;
    if (pt_peft_is_adapter(folder))
        status = pt_peft_read(set, config, folder, path, err) ? (int)err->status
                                                              : pt_peft_note(set, *config, path, err);
    else if (pt_folder_has(folder, "data.pkl"))
        status = pt_pytorch_file_open(set, path, err);
    else
        *known = false;
    pt_folder_close(folder);
    return status;
}

static int read_any(struct pt_tensors *set, json_t **config, const char *path, struct pt_error *err)
{
    struct stat info;
    bool known = false;
    bool exists = strcmp(path, "-") && !stat(path, &info);
    if (exists && S_ISREG(info.st_mode) && is_safetensors(path))
        return pt_safetensors_open(set, path, err);
    if (exists && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) &&
        read_folder(set, config, path, &known, err))
        return (int)err->status;
    if (known)
        return PT_OK;
    if (exists && S_ISDIR(info.st_mode))
        return pt_fail(err, PT_MISMATCH, "%s: a folder without adapter_config.json is not an adapter", path);
    return read_source(set, path, err);
}

/* A state has the tensors of a prompt, and where the optimiser has no moments no others. */
static int check_kind(const struct pt_tensors *set, const char *name, struct pt_error *err)
{
    const char *kind = pt_tensors_metadata(set, PT_KEY_KIND);
    if (!kind)
        return PT_OK;
    if (strcmp(kind, PT_STATE_KIND))
        return pt_fail(err, PT_MISMATCH, "%s: of kind '%s', not a prompt", name, kind);
    pt_fail(err, PT_MISMATCH, "%s: the state of a training run, not a prompt", name);
    return pt_error_hint(err, "pt-train --resume goes on with it");
}

static int find_method(struct pt_tuned *tuned, const struct pt_tensors *set, struct pt_error *err)
{
    const char *name = pt_tensors_metadata(set, PT_KEY_METHOD);
    tuned->method = &pt_prompt_tuning;
    return name ? pt_method_find(&tuned->method, name, err) : PT_OK;
}

/* "prompt_embeddings[3, 17]" for element `index`. */
static int not_finite(const struct pt_tuned *tuned, const struct pt_parameter *parameter, size_t index,
                      struct pt_error *err)
{
    uint64_t place[PT_MAX_RANK];
    size_t rest = index;
    for (unsigned i = parameter->rank; i-- > 0;) {
        place[i] = rest % parameter->shape[i];
        rest /= parameter->shape[i];
    }
    char text[PT_SHAPE_TEXT];
    return pt_fail(err, PT_BAD_INPUT, "%s: %s%s is %g", tuned->name, parameter->name,
                   pt_shape_format(parameter->rank, place, text), (double)parameter->value[index]);
}

static int check_finite(const struct pt_tuned *tuned, struct pt_error *err)
{
    for (size_t i = 0; i < tuned->parameters.n; i++) {
        const struct pt_parameter *parameter = &tuned->parameters.list[i];
        for (size_t j = 0; j < parameter->n; j++)
            if (!isfinite(parameter->value[j]))
                return not_finite(tuned, parameter, j, err);
    }
    return PT_OK;
}

static int check_base(struct pt_tuned *tuned, const struct pt_model *model, bool ignore_fingerprint,
                      struct pt_error *err)
{
    struct pt_fingerprint expected = pt_model_fingerprint(model);
    const char *fingerprint = pt_tuned_metadata(tuned, PT_KEY_BASE_FINGERPRINT);
    const char *base = pt_tuned_metadata(tuned, PT_KEY_BASE_NAME);
    bool other = fingerprint && strcmp(fingerprint, expected.text);
    if (other && !ignore_fingerprint) {
        pt_fail(err, PT_MISMATCH, "%s: made for the model %s (fingerprint %s), but %s has fingerprint %s",
                tuned->name, base ? base : "", fingerprint, pt_model_name(model), expected.text);
        return pt_error_hint(err,
                             "--ignore-fingerprint goes on (a copy of the same model in another type, say)");
    }
    if (tuned->method->check(tuned, model, err))
        return (int)err->status;
    char *kept = base && !other ? pt_new_string(base, err) : NULL;
    if (!err->status && !pt_tuned_set_base(tuned, model, err) && kept)
        (void)!pt_tuned_set_metadata(tuned, PT_KEY_BASE_NAME, kept, err);
    free(kept);
    return (int)err->status;
}

static int take(struct pt_tuned *tuned, const struct pt_tensors *set, const json_t *config,
                struct pt_error *err)
{
    if (check_kind(set, tuned->name, err))
        return (int)err->status;
    if (find_method(tuned, set, err))
        return pt_error_in(err, "%s", tuned->name);
    tuned->metadata = set->metadata ? json_copy(set->metadata) : json_object();
    if (!tuned->metadata)
        return pt_fail(err, PT_FAILED, "out of memory");
    if (tuned->method->load(tuned, set, config, err))
        return (int)err->status;
    return check_finite(tuned, err);
}

int pt_tuned_open(struct pt_tuned **tuned, const char *path, const struct pt_model *model,
                  bool ignore_fingerprint, struct pt_error *err)
{
    struct pt_tensors set = {0};
    json_t *config = NULL;
    struct pt_tuned *opened = pt_new_array(1, sizeof *opened, err);
    if (!opened)
        return (int)err->status;
    opened->name = pt_new_string(strcmp(path, "-") ? path : "standard input", err);
    if (opened->name && !read_any(&set, &config, path, err) && !take(opened, &set, config, err) &&
        (!model || !check_base(opened, model, ignore_fingerprint, err)))
        *tuned = opened;
    else
        pt_tuned_free(opened);
    json_decref(config);
    pt_tensors_free(&set);
    return (int)err->status;
}
