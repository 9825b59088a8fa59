/*
 * transformers wrote rope_theta and rope_scaling beside the other fields up to 4.x and writes all into
 * rope_parameters since 5; where layers differ, there is one object for each kind of layer.
 */
#include "model/config_parts.h"
#include "model/family.h"

#include <inttypes.h>
#include <stdio.h>

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
        return pt_fail(err, PT_BAD_INPUT,
                       "%s: a rotary embedding with base %g of %g of %" PRIu64 " elements a head", name,
                       rope->theta, rope->fraction, config->head_dim);
    return PT_OK;
}

int pt_config_read_rope(struct pt_config *config, const json_t *object, const char *name,
                        struct pt_error *err)
{
    const char *key;
    const json_t *settings = find_settings(object, &key);
    const json_t *full = json_object_get(settings, "full_attention"),
                 *sliding = json_object_get(settings, "sliding_attention");
    bool nested = full || sliding, differ = config->local_rope.theta > 0;
    if (nested) {
        if (json_object_size(settings) != (full ? 1u : 0u) + (sliding ? 1u : 0u))
            return pt_fail(err, PT_MISMATCH, "%s: \"%s\" has settings for other kinds of layers", name, key);
        if (!differ)
            config->local_rope = config->rope;
        differ = true;
    } else {
        full = settings;
    }
    if (read_settings(config, &config->rope, full, name, key, err) ||
        read_settings(config, &config->local_rope, sliding, name, key, err))
        return (int)err->status;
    if (!differ)
        config->local_rope = config->rope;
    if (config->family->plain_rope && config->rope.kind != PT_ROPE_DEFAULT)
        return pt_fail(err, PT_MISMATCH, "%s: \"%s\": only the default type is supported for %s", name, key,
                       config->model_type);
    if (check_dimension(config, &config->rope, name, err))
        return (int)err->status;
    return check_dimension(config, &config->local_rope, name, err);
}
