/*
 * What all families have in common in config.json; the rest is read by the family's own function. Everything
 * that would change the numbers and is not computed here is refused, so that a model never runs as something
 * that it is not.
 */
#include "model/config.h"

#include "fmt/json.h"
#include "model/family.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LARGEST_ID = INT32_MAX };

uint64_t pt_config_q_size(const struct pt_config *config)
{
    return config->n_heads * config->head_dim;
}

uint64_t pt_config_kv_size(const struct pt_config *config)
{
    return config->n_kv_heads * config->head_dim;
}

uint64_t pt_config_qkv_size(const struct pt_config *config)
{
    return pt_config_q_size(config) + 2 * pt_config_kv_size(config);
}

int pt_config_read_size(const json_t *object, const char *key, const char *other_key, const char *name,
                        uint64_t limit, uint64_t *value, struct pt_error *err)
{
    bool found;
    if (pt_json_get_u64(object, key, name, value, &found, err))
        return (int)err->status;
    if (!found && other_key && pt_json_get_u64(object, other_key, name, value, &found, err))
        return (int)err->status;
    if (!found)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"%s\" is missing", name, key);
    if (*value < 1 || *value > limit)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"%s\" is %" PRIu64 ", expected 1 to %" PRIu64, name, key,
                       *value, limit);
    return PT_OK;
}

/* A special token's id: a number, null, or a list of numbers of which the first is taken. */
static int read_id(const json_t *object, const char *key, const char *name, int64_t *id, struct pt_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_array(value))
        value = json_array_get(value, 0);
    *id = -1;
    if (!value || json_is_null(value))
        return PT_OK;
    if (!json_is_integer(value) || json_integer_value(value) < -1 || json_integer_value(value) > LARGEST_ID)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"%s\" is not a token id", name, key);
    *id = json_integer_value(value);
    return PT_OK;
}

static int check_architecture(const struct pt_family *family, const json_t *object, const char *name,
                              struct pt_error *err)
{
    const json_t *list = json_object_get(object, "architectures");
    if (!list || json_is_null(list))
        return PT_OK;
    const char *first = json_string_value(json_array_get(list, 0));
    if (!first)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"architectures\" is not a list of names", name);
    for (size_t i = 0; i < sizeof family->architectures / sizeof *family->architectures; i++)
        if (!strcmp(first, family->architectures[i]))
            return PT_OK;
    return pt_fail(err, PT_MISMATCH, "%s: architecture %.100s is not supported, only %s", name, first,
                   family->architectures[0]);
}

static int find_family(struct pt_config *config, const json_t *object, const char *name, struct pt_error *err)
{
    const char *type = NULL;
    bool found;
    if (!json_is_object(object))
        return pt_fail(err, PT_BAD_INPUT, "%s: not a JSON object", name);
    if (pt_json_get_string(object, "model_type", name, &type, &found, err))
        return (int)err->status;
    if (!found)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"model_type\" is missing", name);
    config->family = pt_family_find(type);
    if (!config->family)
        return pt_fail(err, PT_MISMATCH, "%s: model type \"%.100s\" is not supported, only %s", name, type,
                       pt_family_list());
    snprintf(config->model_type, sizeof config->model_type, "%s", type);
    return check_architecture(config->family, object, name, err);
}

/* Fields that any family may carry and that change the numbers. */
static int refuse_unsupported(const json_t *object, const char *name, struct pt_error *err)
{
    static const char *const unsupported[] = {"quantization_config", "compression_config", "auto_map"};
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++) {
        const json_t *value = json_object_get(object, unsupported[i]);
        if (value && !json_is_null(value))
            return pt_fail(err, PT_MISMATCH, "%s: \"%s\" is not supported", name, unsupported[i]);
    }
    return PT_OK;
}

int pt_config_parse(struct pt_config *config, const json_t *object, const char *name, struct pt_error *err)
{
    *config = (struct pt_config){.tied_head = true};
    bool found;
    if (find_family(config, object, name, err) || refuse_unsupported(object, name, err) ||
        pt_config_read_size(object, "vocab_size", NULL, name, LARGEST_ID, &config->vocab_size, err) ||
        pt_json_get_bool(object, "tie_word_embeddings", name, &config->tied_head, &found, err) ||
        read_id(object, "bos_token_id", name, &config->bos_id, err) ||
        read_id(object, "eos_token_id", name, &config->eos_id, err) ||
        read_id(object, "pad_token_id", name, &config->pad_id, err))
        return (int)err->status;
    return config->family->read_config(config, object, name, err);
}
