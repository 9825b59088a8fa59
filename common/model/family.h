/*
 * The families of models: what differs between them, as data.
 */
#ifndef PT_MODEL_FAMILY_H
#define PT_MODEL_FAMILY_H

#include "math/activation.h"
#include "math/norm.h"
#include "model/config.h"

/*
 * What a tensor is for. Those from PT_ATTENTION_NORM_WEIGHT on exist once a layer. A bias follows its weight,
 * and matrices are [outputs, inputs] row-major.
 */
enum pt_role {
    PT_EMBEDDING,
    PT_EMBEDDING_NORM_WEIGHT,
    PT_EMBEDDING_NORM_BIAS,
    PT_FINAL_NORM_WEIGHT,
    PT_FINAL_NORM_BIAS,
    PT_HEAD,
    PT_ATTENTION_NORM_WEIGHT,
    PT_ATTENTION_NORM_BIAS,
    PT_QKV_WEIGHT,
    PT_QKV_BIAS,
    PT_ATTENTION_OUT_WEIGHT,
    PT_ATTENTION_OUT_BIAS,
    PT_MLP_NORM_WEIGHT,
    PT_MLP_NORM_BIAS,
    PT_MLP_UP_WEIGHT,
    PT_MLP_UP_BIAS,
    PT_MLP_DOWN_WEIGHT,
    PT_MLP_DOWN_BIAS,
    PT_ROLES,
    PT_FIRST_LAYER_ROLE = PT_ATTENTION_NORM_WEIGHT,
};

enum pt_positions { PT_ALIBI };

/*
 * How q, k and v lie in a row of the fused projection's output. PT_QKV_BY_HEAD: for each head its q, k and v
 * follow one another (n_kv_heads = n_heads).
 */
enum pt_qkv_layout { PT_QKV_BY_HEAD };

struct pt_family {
    const char *model_type;       /* config.json's */
    const char *architectures[2]; /* with a head, and the bare model: "BloomForCausalLM", "BloomModel" */
    const char *prefix; /* of tensor names (the head's excepted), present or not in a file: "transformer." */
    const char
        *names[PT_ROLES]; /* without the prefix, %u is the layer; NULL where the family has no such tensor */
    const char
        *buffers[2]; /* tensors in old files that are no parameters, written in the same way; NULL: none */
    enum pt_norm_kind norm;
    enum pt_activation activation;
    enum pt_positions positions;
    enum pt_qkv_layout qkv_layout;
    int (*read_config)(struct pt_config *config, const json_t *object, const char *name,
                       struct pt_error *err);
};

/* Whether the role's tensor is a vector (a norm's weight, or a bias). */
bool pt_role_is_vector(enum pt_role role);

/* The rows of the table, a file each. */
extern const struct pt_family pt_family_bloom;

/* NULL where it is not known. */
const struct pt_family *pt_family_find(const char *model_type);
/* The model types that are known, "bloom, gpt2, ..." , for messages. */
const char *pt_family_list(void);

#endif
