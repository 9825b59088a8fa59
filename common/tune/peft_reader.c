/*
 * Only peft_type is indispensable in adapter_config.json, and keys that we do not know are none of our
 * business (PEFT treats them the same way). What we do know becomes metadata, so that everything behind this
 * file sees one kind of file only.
 */
#include "tune/peft_reader.h"

#include "base/memory.h"
#include "fmt/json.h"
#include "fmt/pytorch_file.h"
#include "fmt/safetensors.h"
#include "tune/method.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG "adapter_config.json"
#define SAFETENSORS "adapter_model.safetensors"
#define PYTORCH "adapter_model.bin"

static const uint64_t config_limit = 16 << 20;

bool pt_peft_is_adapter(const struct pt_folder *folder)
{
    return pt_folder_has(folder, CONFIG);
}

static int read_config(json_t **config, const struct pt_folder *folder, struct pt_error *err)
{
    struct pt_buffer text = {0};
    *config = NULL;
    if (!pt_folder_read(folder, CONFIG, config_limit, &text, err) &&
        !pt_json_parse(config, text.data, text.size, CONFIG, err) && !json_is_object(*config))
        pt_fail(err, PT_BAD_INPUT, CONFIG ": not an object");
    pt_buffer_free(&text);
    return (int)err->status;
}

static int read_safetensors(struct pt_tensors *set, const struct pt_folder *folder, struct pt_error *err)
{
    struct pt_buffer bytes = {0};
    struct pt_source *source = NULL;
    if (!pt_folder_read(folder, SAFETENSORS, PT_ADAPTER_LIMIT, &bytes, err) &&
        !pt_source_open_memory(&source, SAFETENSORS, bytes.data, bytes.size, err) &&
        pt_safetensors_read(set, source, PT_ADAPTER_LIMIT, err))
        pt_tensors_free(set);
    pt_source_close(source);
    pt_buffer_free(&bytes);
    return (int)err->status;
}

static int read_pytorch(struct pt_tensors *set, const char *path, struct pt_error *err)
{
    char *file = pt_new_format(err, "%s/%s", path, PYTORCH);
    if (!file)
        return (int)err->status;
    if (access(file, F_OK))
        pt_fail(err, PT_MISMATCH, PYTORCH " inside of an archive is not supported: unpack it");
    else
        (void)!pt_pytorch_file_open(set, file, err);
    free(file);
    return (int)err->status;
}

static int read_tensors(struct pt_tensors *set, const struct pt_folder *folder, const char *path,
                        struct pt_error *err)
{
    if (pt_folder_has(folder, SAFETENSORS))
        return read_safetensors(set, folder, err);
    if (pt_folder_has(folder, PYTORCH))
        return read_pytorch(set, path, err);
    return pt_fail(err, PT_BAD_INPUT, "there is neither " SAFETENSORS " nor " PYTORCH);
}

/* A name on the hub stays whole; of a path in somebody's file system only the last component means anything.
 */
static const char *portable_name(const char *name)
{
    if (*name != '/' && *name != '.')
        return name;
    const char *slash = strrchr(name, '/');
    return slash && slash[1] ? slash + 1 : name;
}

static int note(json_t *metadata, const char *key, const char *value, struct pt_error *err)
{
    if (value && !json_object_get(metadata, key) && json_object_set_new(metadata, key, json_string(value)))
        return pt_fail(err, PT_FAILED, "out of memory");
    return PT_OK;
}

static int note_count(json_t *metadata, const json_t *config, const char *key, struct pt_error *err)
{
    uint64_t count;
    bool found;
    char text[24];
    if (pt_json_get_u64(config, key, CONFIG, &count, &found, err))
        return (int)err->status;
    snprintf(text, sizeof text, "%" PRIu64, found ? count : 0);
    return found ? note(metadata, key, text, err) : PT_OK;
}

/* prompt_tuning_init and its companions, under our own names. */
static int note_init(json_t *metadata, const json_t *config, struct pt_error *err)
{
    const char *kind = NULL, *text = NULL, *tokenizer = NULL;
    bool found;
    if (pt_json_get_string(config, "prompt_tuning_init", CONFIG, &kind, &found, err) ||
        pt_json_get_string(config, "prompt_tuning_init_text", CONFIG, &text, &found, err) ||
        pt_json_get_string(config, "tokenizer_name_or_path", CONFIG, &tokenizer, &found, err))
        return (int)err->status;
    json_t *init = NULL;
    if (kind && !strcmp(kind, "TEXT") && text && tokenizer)
        init =
            json_pack("{s:s, s:s, s:s}", "kind", "text", "text", text, "tokenizer", portable_name(tokenizer));
    else if (kind && !strcmp(kind, "SAMPLE_VOCAB"))
        init = json_pack("{s:s}", "kind", "vocab");
    else if (kind && !strcmp(kind, "RANDOM"))
        init = json_pack("{s:s}", "kind", "random");
    struct pt_buffer line = {0};
    if (init && !pt_json_append(&line, init, JSON_COMPACT | JSON_SORT_KEYS, err))
        (void)!note(metadata, PT_KEY_INIT, line.data, err);
    pt_buffer_free(&line);
    json_decref(init);
    return (int)err->status;
}

static int note_config(struct pt_tensors *set, const json_t *config, struct pt_error *err)
{
    const char *type = NULL, *base = NULL;
    bool found;
    const struct pt_method *method;
    if (pt_json_get_string(config, "peft_type", CONFIG, &type, &found, err) ||
        pt_json_get_string(config, "base_model_name_or_path", CONFIG, &base, &found, err))
        return (int)err->status;
    if (!type)
        return pt_fail(err, PT_BAD_INPUT, CONFIG ": there is no peft_type");
    if (pt_method_find_peft(&method, type, err))
        return pt_error_in(err, CONFIG);
    if (!set->metadata)
        set->metadata = json_object();
    if (note(set->metadata, PT_KEY_METHOD, method->name, err) ||
        note(set->metadata, PT_KEY_BASE_NAME, base ? portable_name(base) : NULL, err) ||
        note_count(set->metadata, config, PT_KEY_BASE_LAYERS, err) ||
        note_count(set->metadata, config, PT_KEY_BASE_HEADS, err))
        return (int)err->status;
    return note_init(set->metadata, config, err);
}

int pt_peft_read(struct pt_tensors *set, json_t **config, const struct pt_folder *folder, const char *path,
                 struct pt_error *err)
{
    struct pt_tensors tensors = {0};
    json_t *object;
    if (read_config(&object, folder, err) || read_tensors(&tensors, folder, path, err) ||
        note_config(&tensors, object, err)) {
        json_decref(object);
        pt_tensors_free(&tensors);
        return pt_error_in(err, "%s", path);
    }
    *set = tensors;
    *config = object;
    return PT_OK;
}
