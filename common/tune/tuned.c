/*
 * A tuned object is its method's parameters and a table of strings; what is known about the run travels in
 * that table, from pt-init's file through pt-train's to PEFT's adapter_config.json.
 */
#include "base/memory.h"
#include "base/number.h"
#include "fmt/history.h"
#include "fmt/json.h"
#include "fmt/safetensors.h"
#include "tune/method.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int pt_tuned_create(struct pt_tuned **tuned, const struct pt_method *method, const struct pt_init *init,
                    const struct pt_model *model, struct pt_error *err)
{
    struct pt_tuned *created = pt_new_array(1, sizeof *created, err);
    if (!created)
        return (int)err->status;
    created->method = method;
    created->name = pt_new_string("the new prompt", err);
    created->metadata = json_object();
    if (created->name && !pt_tuned_set_base(created, model, err) &&
        !method->create(created, init, model, err)) {
        *tuned = created;
        return PT_OK;
    }
    pt_tuned_free(created);
    return (int)err->status;
}

void pt_tuned_free(struct pt_tuned *tuned)
{
    if (!tuned)
        return;
    if (tuned->method && tuned->method->release)
        tuned->method->release(tuned);
    pt_parameters_free(&tuned->parameters);
    json_decref(tuned->metadata);
    free(tuned->name);
    free(tuned);
}

static int collect(const struct pt_tuned *tuned, struct pt_tensors *set, struct pt_error *err)
{
    set->metadata = json_copy(tuned->metadata);
    if (!set->metadata || json_object_set_new(set->metadata, "format", json_string("pt")) ||
        json_object_set_new(set->metadata, PT_KEY_METHOD, json_string(tuned->method->name)))
        return pt_fail(err, PT_FAILED, "out of memory");
    for (size_t i = 0; i < tuned->parameters.n; i++) {
        const struct pt_parameter *parameter = &tuned->parameters.list[i];
        if (pt_tensors_add(set, parameter->name, PT_F32, parameter->rank, parameter->shape, parameter->value,
                           err))
            return (int)err->status;
    }
    return PT_OK;
}

int pt_tuned_write(const struct pt_tuned *tuned, struct pt_sink *sink, struct pt_error *err)
{
    struct pt_tensors set = {0};
    int status = collect(tuned, &set, err);
    if (!status)
        status = pt_safetensors_write(sink, &set, true, err);
    pt_tensors_free(&set);
    return status;
}

struct pt_parameters *pt_tuned_parameters(struct pt_tuned *tuned)
{
    return &tuned->parameters;
}

int pt_tuned_forward(struct pt_tuned *tuned, const struct pt_plugs **plugs, struct pt_error *err)
{
    *plugs = &tuned->plugs;
    return tuned->method->forward(tuned, err);
}

int pt_tuned_backward(struct pt_tuned *tuned, struct pt_error *err)
{
    return tuned->method->backward ? tuned->method->backward(tuned, err) : PT_OK;
}

const char *pt_tuned_name(const struct pt_tuned *tuned)
{
    return tuned->name;
}

const char *pt_tuned_metadata(const struct pt_tuned *tuned, const char *key)
{
    return json_string_value(json_object_get(tuned->metadata, key));
}

int pt_tuned_set_metadata(struct pt_tuned *tuned, const char *key, const char *value, struct pt_error *err)
{
    if (!value)
        json_object_del(tuned->metadata, key);
    else if (json_object_set_new(tuned->metadata, key, pt_json_text(value, strlen(value))))
        return pt_fail(err, PT_FAILED, "metadata %s: out of memory", key);
    return PT_OK;
}

int pt_tuned_metadata_json(const struct pt_tuned *tuned, const char *key, json_t **value,
                           struct pt_error *err)
{
    const char *text = pt_tuned_metadata(tuned, key);
    *value = NULL;
    if (!text || !pt_json_parse(value, text, strlen(text), key, err))
        return PT_OK;
    return pt_error_in(err, "%s: metadata", tuned->name);
}

int pt_tuned_set_metadata_json(struct pt_tuned *tuned, const char *key, const json_t *value,
                               struct pt_error *err)
{
    if (!value)
        return pt_tuned_set_metadata(tuned, key, NULL, err);
    struct pt_buffer text = {0};
    int status = pt_json_append(&text, value, JSON_COMPACT | JSON_SORT_KEYS, err);
    if (!status)
        status = pt_tuned_set_metadata(tuned, key, text.data, err);
    pt_buffer_free(&text);
    return status;
}

int pt_tuned_history(const struct pt_tuned *tuned, json_t **history, struct pt_error *err)
{
    if (pt_tuned_metadata_json(tuned, PT_KEY_HISTORY, history, err))
        return (int)err->status;
    if (*history && !json_is_array(*history)) {
        json_decref(*history);
        return pt_fail(err, PT_BAD_INPUT, "%s: metadata: %s is not an array", tuned->name, PT_KEY_HISTORY);
    }
    *history = *history ? *history : json_array();
    return *history ? PT_OK : pt_fail(err, PT_FAILED, "out of memory");
}

int pt_tuned_add_history(struct pt_tuned *tuned, const json_t *entries, struct pt_error *err)
{
    json_t *history;
    if (pt_tuned_history(tuned, &history, err))
        return (int)err->status;
    if (entries && json_array_extend(history, (json_t *)(uintptr_t)entries))
        pt_fail(err, PT_FAILED, "out of memory");
    else
        (void)!pt_tuned_set_metadata_json(tuned, PT_KEY_HISTORY, history, err);
    json_decref(history);
    return (int)err->status;
}

int pt_tuned_add_command(struct pt_tuned *tuned, const char *tool, const json_t *arguments,
                         struct pt_error *err)
{
    json_t *history;
    if (pt_tuned_history(tuned, &history, err))
        return (int)err->status;
    if (!pt_history_add(&history, tool, arguments, err))
        (void)!pt_tuned_set_metadata_json(tuned, PT_KEY_HISTORY, history, err);
    json_decref(history);
    return (int)err->status;
}

int pt_tuned_take_stream(struct pt_tuned *tuned, const struct pt_stream_head *head, struct pt_error *err)
{
    if (head->tokenizer.text[0] &&
        pt_tuned_set_metadata(tuned, PT_KEY_TOKENIZER_FINGERPRINT, head->tokenizer.text, err))
        return (int)err->status;
    if (pt_tuned_set_metadata_json(tuned, PT_KEY_TEMPLATE, head->template, err))
        return (int)err->status;
    return pt_tuned_add_history(tuned, head->history, err);
}

/* A model's name: the last component of its path; where that says nothing ("."), of the folder that it means.
 * Owned by the caller. */
static char *base_name(const char *path, struct pt_error *err)
{
    size_t end = strlen(path);
    while (end && path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin && path[begin - 1] != '/')
        begin--;
    size_t n = end - begin;
    bool says_nothing = !n || !strncmp(path + begin, "..", n);
    char *meant = says_nothing ? realpath(path, NULL) : NULL;
    char *name = meant ? pt_new_string(strrchr(meant, '/') + 1, err) : pt_new_string_n(path + begin, n, err);
    free(meant);
    return name;
}

int pt_tuned_set_base(struct pt_tuned *tuned, const struct pt_model *model, struct pt_error *err)
{
    const struct pt_config *config = pt_model_config(model);
    char layers[PT_NUMBER_TEXT], heads[PT_NUMBER_TEXT];
    snprintf(layers, sizeof layers, "%" PRIu64, config->n_layers);
    snprintf(heads, sizeof heads, "%" PRIu64, config->n_heads);
    char *name = base_name(pt_model_name(model), err);
    if (!name || pt_tuned_set_metadata(tuned, PT_KEY_BASE_NAME, name, err) ||
        pt_tuned_set_metadata(tuned, PT_KEY_BASE_FINGERPRINT, pt_model_fingerprint(model).text, err) ||
        pt_tuned_set_metadata(tuned, PT_KEY_BASE_LAYERS, layers, err) ||
        pt_tuned_set_metadata(tuned, PT_KEY_BASE_HEADS, heads, err))
        pt_error_in(err, "%s", pt_model_name(model));
    free(name);
    return (int)err->status;
}
