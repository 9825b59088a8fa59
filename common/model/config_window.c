/*
 * Layers that see a window only. New configurations list every layer's kind, old ones leave it to a rule of
 * the family.
 */
#include "model/config_parts.h"

#include <inttypes.h>
#include <string.h>

static int read_types(struct pt_config *config, const json_t *types, const char *name, struct pt_error *err)
{
    if (!json_is_array(types) || json_array_size(types) != config->n_layers)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"layer_types\" does not list %" PRIu64 " layers", name,
                       config->n_layers);
    for (size_t i = 0; i < config->n_layers; i++) {
        const char *type = json_string_value(json_array_get(types, i));
        config->local[i] = type && !strcmp(type, "sliding_attention");
        if (!type || (!config->local[i] && strcmp(type, "full_attention")))
            return pt_fail(err, type ? PT_MISMATCH : PT_BAD_INPUT,
                           "%s: \"layer_types\": \"%.100s\" is not supported", name, type ? type : "");
        if (config->local[i] && !config->window)
            return pt_fail(err, PT_BAD_INPUT,
                           "%s: layer %zu has a sliding window, and \"sliding_window\" is missing", name, i);
    }
    return PT_OK;
}

int pt_config_read_layers(struct pt_config *config, const json_t *object, const char *name,
                          struct pt_error *err)
{
    const json_t *types = json_object_get(object, "layer_types");
    if (!config->uses_window)
        config->window = 0;
    if (types && !json_is_null(types))
        return read_types(config, types, name, err);
    if (config->window)
        for (size_t i = 0; i < config->n_layers; i++)
            config->local[i] =
                i >= config->first_local && !(config->full_period && (i + 1) % config->full_period == 0);
    return PT_OK;
}
