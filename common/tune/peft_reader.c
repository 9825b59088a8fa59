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

#define CONFIG "adapter_config.json"
#define SAFETENSORS "adapter_model.safetensors"
#define PYTORCH "adapter_model.bin"

bool pt_peft_is_adapter(const struct pt_folder *folder)
{
    return pt_folder_has(folder, CONFIG);
}

static int read_tensors(struct pt_tensors *set, const struct pt_folder *folder, struct pt_error *err)
{
    bool safetensors = pt_folder_has(folder, SAFETENSORS);
    const char *name = safetensors ? SAFETENSORS : PYTORCH;
    struct pt_buffer bytes = {0};
    struct pt_source *source = NULL;
    if (!pt_folder_has(folder, name))
        return pt_fail(err, PT_BAD_INPUT, "there is neither " SAFETENSORS " nor " PYTORCH);
    if (!pt_folder_read(folder, name, PT_ADAPTER_LIMIT, &bytes, err) &&
        !pt_source_open_memory(&source, name, bytes.data, bytes.size, err))
        (void)!(safetensors ? pt_safetensors_read(set, source, PT_ADAPTER_LIMIT, err)
                            : pt_pytorch_file_read(set, source, PT_ADAPTER_LIMIT, err));
    pt_source_close(source);
    pt_buffer_free(&bytes);
    return (int)err->status;
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
    return value && !json_object_get(metadata, key) ? pt_json_set(metadata, key, json_string(value), err)
                                                    : PT_OK;
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
    const bool from_text = kind && !strcmp(kind, "TEXT") && text && tokenizer;
    const char *drawn = !kind                           ? NULL
                        : !strcmp(kind, "SAMPLE_VOCAB") ? "vocab"
                        : !strcmp(kind, "RANDOM")       ? "random"
                                                        : NULL;
    if (!from_text && !drawn)
        return PT_OK;
    json_t *init = from_text ? json_pack("{s:s, s:s, s:s}", "kind", "text", "text", text, "tokenizer",
                                         portable_name(tokenizer))
                             : json_pack("{s:s}", "kind", drawn);
    struct pt_buffer line = {0};
    if (!init)
        return pt_fail(err, PT_FAILED, "out of memory");
    if (!pt_json_append(&line, init, JSON_COMPACT | JSON_SORT_KEYS, err))
        (void)!note(metadata, PT_KEY_INIT, line.data, err);
    pt_buffer_free(&line);
    json_decref(init);
    return (int)err->status;
}

static int check_type(const json_t *config, struct pt_error *err)
{
    const char *type;
    bool found;
    if (pt_json_get_string(config, "peft_type", CONFIG, &type, &found, err))
        return (int)err->status;
    return found ? PT_OK : pt_fail(err, PT_BAD_INPUT, CONFIG ": there is no peft_type");
}

int pt_peft_read(struct pt_tensors *set, json_t **config, const struct pt_folder *folder, const char *path,
                 struct pt_error *err)
{
    struct pt_tensors tensors = {0};
    json_t *object;
    if (pt_json_load_object(&object, folder, CONFIG, CONFIG, err) || check_type(object, err) ||
        read_tensors(&tensors, folder, err)) {
        json_decref(object);
        return pt_error_in(err, "%s", path);
    }
    *set = tensors;
    *config = object;
    return PT_OK;
}

static int note_config(struct pt_tensors *set, const json_t *config, const struct pt_method *method,
                       struct pt_error *err)
{
    const char *base = NULL;
    bool found;
    if (pt_json_get_string(config, "base_model_name_or_path", CONFIG, &base, &found, err))
        return (int)err->status;
    if (!set->metadata)
        set->metadata = json_object();
    if (note(set->metadata, PT_KEY_METHOD, method->name, err) ||
        note(set->metadata, PT_KEY_BASE_NAME, base ? portable_name(base) : NULL, err) ||
        note_count(set->metadata, config, PT_KEY_BASE_LAYERS, err) ||
        note_count(set->metadata, config, PT_KEY_BASE_HEADS, err))
        return (int)err->status;
    return note_init(set->metadata, config, err);
}

/* PEFT puts a prompt in front of what a model reads only for some tasks, and says nothing where it does not.
 */
static int check_task(const json_t *config, struct pt_error *err)
{
    const char *task = NULL;
    bool found;
    if (pt_json_get_string(config, "task_type", CONFIG, &task, &found, err))
        return (int)err->status;
    if (found && !strcmp(task, PT_PEFT_TASK))
        return PT_OK;
    return pt_fail(
        err, PT_MISMATCH,
        CONFIG ": task_type is %s; PEFT applies a prompt to a language model only where it is " PT_PEFT_TASK,
        found ? task : "null");
}

int pt_peft_note(struct pt_tensors *set, const json_t *config, const char *path, struct pt_error *err)
{
    const struct pt_method *method;
    const char *type = json_string_value(json_object_get(config, "peft_type"));
    if (pt_method_find_peft(&method, type, err))
        return pt_error_in(err, "%s: " CONFIG, path);
    return check_task(config, err) || note_config(set, config, method, err) ? pt_error_in(err, "%s", path)
                                                                            : PT_OK;
}
