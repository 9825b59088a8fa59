/*
 * A model's shape, read from config.json. A family is a row in a table (family.h); the loop over layers is
 * one for all.
 */
#ifndef PT_MODEL_CONFIG_H
#define PT_MODEL_CONFIG_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct pt_family;

struct pt_config {
    const struct pt_family *family;
    char model_type[32];
    uint64_t hidden_size;
    uint64_t n_layers;
    uint64_t n_heads, n_kv_heads, head_dim;
    uint64_t intermediate_size;
    uint64_t vocab_size;
    double norm_epsilon;
    bool residual_after_norm; /* BLOOM's apply_residual_connection_post_layernorm */
    bool tied_head;
    int64_t bos_id, eos_id, pad_id; /* -1 where there is none; of a list of end-of-sequence ids the first */
};

/*
 * `name` is the file's, for messages. PT_MISMATCH names what is not supported (another architecture, a field
 * that changes the numbers); PT_BAD_INPUT what is malformed.
 */
int pt_config_parse(struct pt_config *config, const json_t *object, const char *name,
                    struct pt_error *err) PT_MUST_USE;

/* Numbers of elements that follow from the shape. */
uint64_t pt_config_q_size(const struct pt_config *config);   /* n_heads * head_dim */
uint64_t pt_config_kv_size(const struct pt_config *config);  /* n_kv_heads * head_dim */
uint64_t pt_config_qkv_size(const struct pt_config *config); /* a row of q, k and v */

/* For the families' readers: a size that must be there under the first or the second name (which may be
 * NULL), 1 .. limit. */
int pt_config_read_size(const json_t *object, const char *key, const char *other_key, const char *name,
                        uint64_t limit, uint64_t *value, struct pt_error *err) PT_MUST_USE;

#endif
