/*
 * config.json, and what follows from it: shapes of every role's tensor, rotary frequencies.
 */
#include "fmt/json.h"
#include "model/family.h"

#include <stdlib.h>

static void use(const struct pt_config *config)
{
    const struct pt_rope *ropes[] = {&config->rope, &config->local_rope};
    for (enum pt_role role = 0; role < PT_ROLES; role++) {
        uint64_t shape[2] = {1, 1};
        unsigned rank = pt_role_shape(config, role, shape);
        if (rank && (!shape[0] || !shape[1]))
            __builtin_trap();
    }
    for (size_t i = 0; config->positions == PT_ROTARY && i < sizeof ropes / sizeof *ropes; i++) {
        size_t dimension = pt_rope_dimension(ropes[i], config->head_dim);
        float *frequencies = calloc(dimension, sizeof *frequencies);
        if (frequencies)
            pt_rope_frequencies(ropes[i], dimension, frequencies);
        free(frequencies);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct pt_error err = {0};
    struct pt_config config;
    json_t *object = NULL;
    if (pt_json_parse(&object, (const char *)bytes, n, "config.json", &err))
        return 0;
    int status = pt_config_parse(&config, object, "config.json", &err);
    if (status && (!err.message[0] || (status != PT_BAD_INPUT && status != PT_MISMATCH)))
        __builtin_trap();
    if (!status)
        use(&config);
    json_decref(object);
    return 0;
}
