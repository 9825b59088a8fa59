/*
 * A model: its configuration and its weights, mapped read-only and used in their own dtype. Opening costs
 * milliseconds whatever the size. Read-only after opening; may be shared by threads.
 */
#ifndef PT_MODEL_MODEL_H
#define PT_MODEL_MODEL_H

#include "base/hash.h"
#include "fmt/tensors.h"
#include "model/config.h"
#include "model/family.h"

struct pt_model;

/*
 * A folder as Hugging Face lays it out: config.json and model.safetensors, shards with an index, or
 * pytorch_model.bin. A tensor that is missing, there twice, of another shape or dtype than the configuration
 * asks for, or of no use to the family is refused.
 */
int pt_model_open(struct pt_model **model, const char *folder, struct pt_error *err) PT_MUST_USE;
void pt_model_close(struct pt_model *model);

const char *pt_model_name(const struct pt_model *model); /* the path as given */
const struct pt_config *pt_model_config(const struct pt_model *model);
/* The tensor of a role (layer is ignored for those outside of layers), NULL where the model has none. A tied
 * head is the embedding.
 */
const struct pt_tensor *pt_model_tensor(const struct pt_model *model, unsigned layer, enum pt_role role);
/*
 * The head's weight in use. Where the configuration ties it and the checkpoint holds both, transformers (5.x,
 * tie_weights) uses the stored one if any value differs; so does this function, which then has to read both
 * tensors whole, and logs it. Otherwise the same as pt_model_tensor.
 */
const struct pt_tensor *pt_model_head(const struct pt_model *model);
/* Its canonical name, with the family's prefix: "transformer.h.0.self_attention.dense.weight". Owned by the
 * model. */
const char *pt_model_tensor_name(const struct pt_model *model, unsigned layer, enum pt_role role);
/* Over canonical names, shapes, dtypes and 4 KiB of each tensor (tied head and buffers left out). */
struct pt_fingerprint pt_model_fingerprint(const struct pt_model *model);
/* As PEFT counts them: a tied head once. */
uint64_t pt_model_parameters(const struct pt_model *model);
/* The dtype of most of the matrices' elements. */
enum pt_dtype pt_model_dtype(const struct pt_model *model);
/* What the embedding's rows are multiplied by, rounded to the embedding's dtype as transformers does; 0: by
 * nothing. */
float pt_model_embedding_scale(const struct pt_model *model);
/* What transformers' embedding gives for `id` (below the vocabulary's size), in f32 [hidden]: the row, scaled
 * where the family does so and then rounded to the table's dtype. (The engine scales without rounding.) */
void pt_model_embedding(const struct pt_model *model, uint32_t id, float *row);

#endif
