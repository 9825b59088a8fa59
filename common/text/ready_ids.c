/*
 * Nothing is inferred from a token's value; what the record says is checked against itself.
 */
#include "text/ready_ids.h"

#include "fmt/json.h"
#include "fmt/stream.h"
#include "io/folder.h"

#include <sys/stat.h>

enum { NOT_COUNTED = -100 };

/* An array of whole numbers, n of them unless n is SIZE_MAX. */
static int check_array(const json_t *array, const char *key, size_t n, struct pt_error *err)
{
    if (!json_is_array(array))
        return pt_fail(err, PT_BAD_INPUT, "\"%.100s\" is not an array", key);
    if (n != SIZE_MAX && json_array_size(array) != n)
        return pt_fail(err, PT_BAD_INPUT, "\"%.100s\" has %zu elements for %zu ids", key,
                       json_array_size(array), n);
    for (size_t i = 0; i < json_array_size(array); i++)
        if (!json_is_integer(json_array_get(array, i)))
            return pt_fail(err, PT_BAD_INPUT, "\"%.100s\": element %zu is not a whole number", key, i);
    return PT_OK;
}

static int add_word(json_int_t id, json_int_t label, size_t i, uint64_t vocab_size, struct pt_words *words,
                    struct pt_error *err)
{
    if (id < 0 || id >= PT_COUNTED || (vocab_size && (uint64_t)id >= vocab_size))
        return pt_fail(err, PT_BAD_INPUT, "id %lld at position %zu is out of range", (long long)id, i);
    if (label != NOT_COUNTED && label != id)
        return pt_fail(err, PT_BAD_INPUT, "label %lld at position %zu is neither -100 nor the id %lld",
                       (long long)label, i, (long long)id);
    return pt_words_push(words, (uint32_t)id | (label == NOT_COUNTED ? 0 : PT_COUNTED), err);
}

int pt_ready_ids(const json_t *object, const char *ids_key, const char *labels_key, uint64_t vocab_size,
                 struct pt_words *words, struct pt_error *err)
{
    const json_t *ids = json_object_get(object, ids_key), *labels = json_object_get(object, labels_key);
    const json_t *mask = json_object_get(object, "attention_mask");
    size_t n = json_array_size(ids);
    if (check_array(ids, ids_key, SIZE_MAX, err) || (labels && check_array(labels, labels_key, n, err)) ||
        (mask && check_array(mask, "attention_mask", n, err)))
        return (int)err->status;
    for (size_t i = 0; i < n; i++) {
        json_int_t id = json_integer_value(json_array_get(ids, i));
        json_int_t label = labels ? json_integer_value(json_array_get(labels, i)) : id;
        if (mask && json_integer_value(json_array_get(mask, i)) != 1)
            return pt_fail(err, PT_BAD_INPUT, "position %zu is masked: padding is not wanted here", i);
        if (add_word(id, label, i, vocab_size, words, err))
            return (int)err->status;
    }
    return PT_OK;
}

int pt_model_vocab_size(const char *model, uint64_t *vocab_size, struct pt_error *err)
{
    struct stat status;
    struct pt_folder *folder;
    json_t *config = NULL;
    bool found;
    *vocab_size = 0;
    if (stat(model, &status) != 0)
        return pt_fail_errno(err, "%s", model);
    if (!S_ISDIR(status.st_mode))
        return PT_OK;
    if (pt_folder_open(&folder, model, err))
        return (int)err->status;
    if (pt_folder_has(folder, "config.json") &&
        !pt_json_load_object(&config, folder, "config.json", "config.json", err))
        (void)!pt_json_get_u64(config, "vocab_size", "config.json", vocab_size, &found, err);
    pt_folder_close(folder);
    json_decref(config);
    return (int)err->status;
}
