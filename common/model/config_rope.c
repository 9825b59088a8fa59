/*
 * transformers wrote rope_theta and rope_scaling beside the other fields up to 4.x and writes all into
 * rope_parameters since 5; where layers differ, there is one object for each kind of layer.
 */
#include "model/config_parts.h"
#include "model/family.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* rope_scaling where it says anything, else rope_parameters; NULL where there is neither. */
static const json_t *find_settings(const json_t *object, const char **key)
{
    static const char *const keys[] = {"rope_scaling", "rope_parameters"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = json_object_get(object, keys[i]);
        *key = keys[i];
        if (value && !json_is_null(value) && (!json_is_object(value) || json_object_size(value)))
            return value;
    }
    return NULL;
}

static int read_settings(const struct pt_config *config, struct pt_rope *rope, const json_t *settings,
                         const char *name, const char *key, struct pt_error *err)
{
    char where[512];
    if (!settings || json_is_null(settings))
        return PT_OK;
    snprintf(where, sizeof where, "%.450s: \"%s\"", name, key);
    return pt_rope_read(rope, settings, config->n_positions, where, err);
}

static int check_dimension(const struct pt_config *config, const struct pt_rope *rope, const char *name,
                           struct pt_error *err)
{
    size_t dimension = pt_rope_dimension(rope, config->head_dim);
    if (!(rope->theta > 0) || !(rope->fraction > 0 && rope->fraction <= 1) || dimension < 2 || dimension % 2)
        return pt_fail(err, PT_MISMATCH,
                       "%s: a rotary embedding with base %g of %g of %" PRIu64 " elements a head", name,
                       rope->theta, rope->fraction, config->head_dim);
    return PT_OK;
}

/*
 * Where layers of two kinds differ, transformers has rules of its own for settings that are not an object for
 * each kind: rope_scaling goes to the layers that see everything, by the key "rope_type" alone. Only what is
 * plain and what is compared with reference numbers is taken.
 */
static int check_form_of_two(const json_t *object, const json_t *settings, bool nested, const char *key,
                             const char *name, struct pt_error *err)
{
    const json_t *parameters = json_object_get(object, "rope_parameters");
    const bool old = !strcmp(key, "rope_scaling");
    if (!settings || (nested && !old) ||
        (!nested && old && (!parameters || json_is_null(parameters)) &&
         json_object_get(settings, "rope_type")))
        return PT_OK;
    return pt_fail(err, PT_MISMATCH, "%s: \"%s\": not supported in this form", name, key);
}

static bool is_common_kind(const struct pt_rope *rope)
{
    return rope->kind == PT_ROPE_DEFAULT || rope->kind == PT_ROPE_LINEAR;
}

static int check_kinds(const struct pt_config *config, bool differ, const char *key, const char *name,
                       struct pt_error *err)
{
    const struct pt_family *family = config->family;
    const struct pt_rope *full = &config->rope, *local = &config->local_rope;
    if (family->plain_rope && full->kind != PT_ROPE_DEFAULT)
        return pt_fail(err, PT_MISMATCH, "%s: \"%s\": only the default type is supported for %s", name, key,
                       config->model_type);
    if (differ && !(is_common_kind(full) && is_common_kind(local)))
        return pt_fail(err, PT_MISMATCH, "%s: \"%s\": only the types default and linear are supported for %s",
                       name, key, config->model_type);
    if (!family->partial_rope && (full->fraction != 1 || local->fraction != 1))
        return pt_fail(err, PT_MISMATCH, "%s: \"%s\": \"partial_rotary_factor\" is not supported for %s",
                       name, key, config->model_type);
    return PT_OK;
}

int pt_config_read_rope(struct pt_config *config, const json_t *object, const char *name,
                        struct pt_error *err)
{
    const char *key;
    const json_t *settings = find_settings(object, &key);
    const json_t *full = json_object_get(settings, "full_attention"),
                 *sliding = json_object_get(settings, "sliding_attention");
    const bool nested = full || sliding, differ = config->local_rope.theta > 0;
    if (nested && (!differ || json_object_size(settings) != (full ? 1u : 0u) + (sliding ? 1u : 0u)))
        return pt_fail(err, PT_MISMATCH, "%s: \"%s\" has settings for other kinds of layers", name, key);
    if ((differ && check_form_of_two(object, settings, nested, key, name, err)) ||
        read_settings(config, &config->rope, nested ? full : settings, name, key, err) ||
        read_settings(config, &config->local_rope, sliding, name, key, err))
        return (int)err->status;
    if (!differ)
        config->local_rope = config->rope;
    if (check_kinds(config, differ, key, name, err) || check_dimension(config, &config->rope, name, err))
        return (int)err->status;
    return check_dimension(config, &config->local_rope, name, err);
}
