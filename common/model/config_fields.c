/*
 * A table's fields one by one, then the document's keys one by one: none may be missing in the tables. Two
 * names of one size must agree where a file holds both.
 */
#include "model/config_fields.h"

#include "base/buffer.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <string.h>

enum { LARGEST_SIZE = INT32_MAX };

static void *target_of(struct pt_config *config, const struct pt_config_field *field)
{
    return (char *)config + field->offset;
}

/* Whether a field of the table before this one, with another name, was there already. */
static bool said_before(const struct pt_config_field *fields, const struct pt_config_field *field,
                        const json_t *object)
{
    for (const struct pt_config_field *other = fields; other < field; other++) {
        const json_t *value = json_object_get(object, other->key);
        if (other->kind == field->kind && other->offset == field->offset && value && !json_is_null(value))
            return true;
    }
    return false;
}

static int read_size(struct pt_config *config, const struct pt_config_field *fields,
                     const struct pt_config_field *field, const json_t *object, const char *name,
                     struct pt_error *err)
{
    uint64_t *target = target_of(config, field), value;
    bool found;
    if (pt_json_get_u64(object, field->key, name, &value, &found, err) || !found)
        return (int)err->status;
    const uint64_t least = field->kind != PT_CONFIG_COUNT;
    if (value < least || value > LARGEST_SIZE)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"%s\" is %" PRIu64 ", expected %" PRIu64 " to %d", name,
                       field->key, value, least, LARGEST_SIZE);
    if (said_before(fields, field, object) && *target != value)
        return pt_fail(err, PT_BAD_INPUT,
                       "%s: \"%s\" is %" PRIu64 ", but the same size was %" PRIu64 " under another name",
                       name, field->key, value, *target);
    *target = value;
    return PT_OK;
}

static int read_number(struct pt_config *config, const struct pt_config_field *field, const json_t *object,
                       const char *name, struct pt_error *err)
{
    double *target = target_of(config, field), value = *target;
    bool found;
    if (pt_json_get_double(object, field->key, name, &value, &found, err) || !found)
        return (int)err->status;
    if (!(value >= 0))
        return pt_fail(err, PT_BAD_INPUT, "%s: \"%s\" is %g", name, field->key, value);
    if (field->kind == PT_CONFIG_NUMBER_OR_NONE && !(value > 0))
        return pt_fail(err, PT_MISMATCH, "%s: \"%s\" is 0, only null turns it off", name, field->key);
    if (field->kind == PT_CONFIG_NUMBER_AGAIN && value != *target)
        return pt_fail(err, PT_MISMATCH, "%s: \"%s\" is %g, but %g is in force under another name", name,
                       field->key, value, *target);
    *target = value;
    return PT_OK;
}

static int read_dropout(struct pt_config *config, const struct pt_config_field *field, const json_t *object,
                        const char *name, struct pt_error *err)
{
    double share = 0;
    bool found;
    if (pt_json_get_double(object, field->key, name, &share, &found, err))
        return (int)err->status;
    if (!(share >= 0 && share <= 1))
        return pt_fail(err, PT_BAD_INPUT, "%s: \"%s\" is %g, expected 0 to 1", name, field->key, share);
    config->dropout = share > config->dropout ? share : config->dropout;
    return PT_OK;
}

/* Whether `text` [n] is one of the texts with a blank between them. */
static bool is_listed(const char *accepted, const char *text, size_t n)
{
    while (*accepted) {
        size_t length = strcspn(accepted, " ");
        if (length == n && !memcmp(accepted, text, n))
            return true;
        accepted += length;
        accepted += strspn(accepted, " ");
    }
    return false;
}

static int check_value(const struct pt_config_field *field, const char *model_type, const json_t *object,
                       const char *name, struct pt_error *err)
{
    const json_t *value = json_object_get(object, field->key);
    struct pt_buffer text = {0};
    if (!value || json_is_null(value))
        return PT_OK;
    if (!pt_json_append(&text, value, JSON_COMPACT, err) &&
        !is_listed(field->accepted, text.data, text.size)) {
        if (*field->accepted)
            pt_fail(err, PT_MISMATCH, "%s: \"%s\": %.*s is not supported for %s, only %s", name, field->key,
                    text.size < 100 ? (int)text.size : 100, text.data, model_type, field->accepted);
        else
            pt_fail(err, PT_MISMATCH, "%s: \"%s\" is not supported", name, field->key);
    }
    pt_buffer_free(&text);
    return (int)err->status;
}

static int read_activation(struct pt_config *config, const struct pt_config_field *field,
                           const json_t *object, const char *name, struct pt_error *err)
{
    static const struct {
        const char *name;
        enum pt_activation kind;
    } known[] = {{"gelu", PT_GELU},
                 {"gelu_new", PT_GELU_TANH},
                 {"gelu_fast", PT_GELU_TANH},
                 {"gelu_pytorch_tanh", PT_GELU_TANH},
                 {"silu", PT_SILU},
                 {"swish", PT_SILU},
                 {"relu", PT_RELU}};
    const char *value = json_string_value(json_object_get(object, field->key));
    if (check_value(field, config->model_type, object, name, err))
        return (int)err->status;
    for (size_t i = 0; value && i < sizeof known / sizeof *known; i++)
        if (!strcmp(value, known[i].name))
            config->activation = known[i].kind;
    return PT_OK;
}

static int read_field(struct pt_config *config, const struct pt_config_field *fields,
                      const struct pt_config_field *field, const json_t *object, const char *name,
                      struct pt_error *err)
{
    bool found, none = json_is_null(json_object_get(object, field->key));
    switch (field->kind) {
    case PT_CONFIG_SIZE_OR_NONE:
        if (none)
            *(uint64_t *)target_of(config, field) = 0;
        return read_size(config, fields, field, object, name, err);
    case PT_CONFIG_SIZE:
    case PT_CONFIG_COUNT:
        return read_size(config, fields, field, object, name, err);
    case PT_CONFIG_NUMBER_OR_NONE:
        if (none)
            *(double *)target_of(config, field) = 0;
        return read_number(config, field, object, name, err);
    case PT_CONFIG_NUMBER:
    case PT_CONFIG_NUMBER_AGAIN:
        return read_number(config, field, object, name, err);
    case PT_CONFIG_DROPOUT:
        return read_dropout(config, field, object, name, err);
    case PT_CONFIG_ACTIVATION:
        return read_activation(config, field, object, name, err);
    case PT_CONFIG_SWITCH:
        if (none)
            *(bool *)target_of(config, field) = false;
        return pt_json_get_bool(object, field->key, name, target_of(config, field), &found, err);
    case PT_CONFIG_ONLY:
        return check_value(field, config->model_type, object, name, err);
    case PT_CONFIG_READ:
    case PT_CONFIG_HARMLESS:
        break;
    }
    return PT_OK;
}

int pt_config_fields_read(struct pt_config *config, const struct pt_config_field *fields,
                          const json_t *object, const char *name, struct pt_error *err)
{
    for (const struct pt_config_field *field = fields; field->key; field++)
        if (read_field(config, fields, field, object, name, err))
            return (int)err->status;
    return PT_OK;
}

int pt_config_fields_require(const struct pt_config *config, const struct pt_config_field *fields,
                             size_t offset, const char *name, struct pt_error *err)
{
    const struct pt_config_field *field = fields;
    uint64_t value;
    memcpy(&value, (const char *)config + offset, sizeof value);
    if (value)
        return PT_OK;
    while (field->key && (field->kind != PT_CONFIG_SIZE || field->offset != offset))
        field++;
    return pt_fail(err, PT_BAD_INPUT, "%s: \"%s\" is missing", name, field->key);
}

bool pt_config_fields_know(const struct pt_config_field *fields, const char *key)
{
    for (const struct pt_config_field *field = fields; field->key; field++)
        if (!strcmp(field->key, key))
            return true;
    return false;
}
