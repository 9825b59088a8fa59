/*
 * Parts of config.json that several families have and that are more than a field. Inside of pt_config_parse
 * only.
 */
#ifndef PT_MODEL_CONFIG_PARTS_H
#define PT_MODEL_CONFIG_PARTS_H

#include "model/config.h"

/* The rotary embedding: rope_parameters or rope_scaling, over what the fields said. */
int pt_config_read_rope(struct pt_config *config, const json_t *object, const char *name,
                        struct pt_error *err) PT_MUST_USE;
/* Which layers are local: layer_types, else the family's rule. */
int pt_config_read_layers(struct pt_config *config, const json_t *object, const char *name,
                          struct pt_error *err) PT_MUST_USE;

#endif
