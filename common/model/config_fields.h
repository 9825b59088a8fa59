/*
 * The fields of config.json as tables. Every field that a file holds must be in the family's table or in the
 * one for all, so that nothing that changes the numbers is overlooked.
 */
#ifndef PT_MODEL_CONFIG_FIELDS_H
#define PT_MODEL_CONFIG_FIELDS_H

#include "model/config.h"

#include <stddef.h>

enum pt_config_field_kind {
    PT_CONFIG_SIZE,           /* a whole number from 1 on, into a uint64_t */
    PT_CONFIG_SIZE_OR_NONE,   /* the same; null is 0 */
    PT_CONFIG_COUNT,          /* the same, from 0 on */
    PT_CONFIG_NUMBER,         /* not negative, into a double */
    PT_CONFIG_NUMBER_OR_NONE, /* above 0; null is 0 */
    PT_CONFIG_NUMBER_AGAIN, /* another name that transformers does not read: must agree with what it reads */
    PT_CONFIG_SWITCH,       /* into a bool; null is false */
    PT_CONFIG_DROPOUT,      /* a share; the largest of them is the configuration's dropout */
    PT_CONFIG_ONLY,         /* only the values listed are supported */
    PT_CONFIG_ACTIVATION,   /* the same, and it is the MLP's activation */
    PT_CONFIG_READ,         /* the family's own function reads it */
    PT_CONFIG_HARMLESS,     /* changes no number that is computed here */
};

struct pt_config_field {
    const char *key; /* NULL: end of the table */
    enum pt_config_field_kind kind;
    size_t offset; /* in struct pt_config; several keys may have the same one, the first is the usual */
    const char *accepted; /* PT_CONFIG_ONLY and _ACTIVATION: JSON texts with a blank between them: "\"silu\"
                             \"swish\"" */
};

#define PT_CONFIG_FIELD(key, kind, member)                  \
    {                                                       \
        key, kind, offsetof(struct pt_config, member), NULL \
    }
#define PT_CONFIG_ONE_OF(key, accepted)  \
    {                                    \
        key, PT_CONFIG_ONLY, 0, accepted \
    }
#define PT_CONFIG_ACTIVATIONS(key, accepted)                                        \
    {                                                                               \
        key, PT_CONFIG_ACTIVATION, offsetof(struct pt_config, activation), accepted \
    }
#define PT_CONFIG_OTHER(key, kind) \
    {                              \
        key, kind, 0, NULL         \
    }

/* Reads what the table names; what is absent, or null where that has no meaning, keeps the value that it has.
 */
int pt_config_fields_read(struct pt_config *config, const struct pt_config_field *fields,
                          const json_t *object, const char *name, struct pt_error *err) PT_MUST_USE;
/* A size that must have been read: PT_BAD_INPUT names its usual key where it is 0. */
int pt_config_fields_require(const struct pt_config *config, const struct pt_config_field *fields,
                             size_t offset, const char *name, struct pt_error *err) PT_MUST_USE;
/* Whether the table names the key. */
bool pt_config_fields_know(const struct pt_config_field *fields, const char *key);

#endif
