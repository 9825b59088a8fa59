/*
 * What has been, or will be, tuned: a method, its parameters, and where they came from. The tools read and
 * write it as one tensor file; PEFT's adapter files and folders are read as well.
 *
 * A file of ours is a safetensors file whose tensors are the method's parameters (for prompt tuning PEFT's
 * `prompt_embeddings` [n_virtual, hidden] f32) and whose metadata has the keys below; what is not known is
 * left out. No time stamps, no absolute paths.
 */
#ifndef PT_TUNE_TUNED_H
#define PT_TUNE_TUNED_H

#include "fmt/stream_head.h"
#include "fmt/tensors.h"
#include "io/sink.h"
#include "model/model.h"
#include "model/plugs.h"
#include "tune/parameters.h"

#define PT_KEY_METHOD "method" /* "prompt" */
#define PT_KEY_BASE_NAME "base_model_name"
#define PT_KEY_BASE_FINGERPRINT "base_model_fingerprint"
#define PT_KEY_BASE_LAYERS "num_layers" /* these two as PEFT's adapter_config.json wants them */
#define PT_KEY_BASE_HEADS "num_attention_heads"
#define PT_KEY_TOKENIZER_FINGERPRINT "tokenizer_fingerprint"
#define PT_KEY_TEMPLATE "template" /* JSON, as in a stream's head */
#define PT_KEY_INIT "init" /* JSON: {"kind": "text", "text", "tokenizer"}, {"kind": "vocab", "seed"}, ... */
#define PT_KEY_HISTORY "history" /* JSON: an array of {"tool", "version", "arguments"}, oldest first */

struct pt_tuned;
struct pt_method;
struct pt_init;

/* A new one for this model: parameters drawn as `init` says (tune/init.h). */
int pt_tuned_create(struct pt_tuned **tuned, const struct pt_method *method, const struct pt_init *init,
                    const struct pt_model *model, struct pt_error *err) PT_MUST_USE;
/*
 * A tensor file of ours (a path, "-", a pipe), PEFT's adapter_model.safetensors, or its folder or an archive
 * of it. With a model, its fingerprint (if the file has one) and shapes are checked: PT_MISMATCH names both
 * fingerprints, unless ignore_fingerprint; the metadata then names this model. A value that is not finite is
 * PT_BAD_INPUT and named. The state of a training run is PT_MISMATCH.
 */
int pt_tuned_open(struct pt_tuned **tuned, const char *path, const struct pt_model *model,
                  bool ignore_fingerprint, struct pt_error *err) PT_MUST_USE;
int pt_tuned_write(const struct pt_tuned *tuned, struct pt_sink *sink, struct pt_error *err) PT_MUST_USE;
void pt_tuned_free(struct pt_tuned *tuned); /* NULL is allowed */

/* The parameters that an optimiser works on; owned by the tuned object. */
struct pt_parameters *pt_tuned_parameters(struct pt_tuned *tuned);
/* Computes what the engine reads from the parameters' values (P-tuning's encoder would run here) and gives
 * the plugs, valid until the next call. */
int pt_tuned_forward(struct pt_tuned *tuned, const struct pt_plugs **plugs, struct pt_error *err) PT_MUST_USE;
/* Carries the plugs' gradients back into the parameters' gradients. */
int pt_tuned_backward(struct pt_tuned *tuned, struct pt_error *err) PT_MUST_USE;

const char *pt_tuned_name(const struct pt_tuned *tuned); /* for messages: the path it was read from */
const char *pt_tuned_metadata(const struct pt_tuned *tuned, const char *key); /* NULL where there is none */
/* A value of NULL removes the key. */
int pt_tuned_set_metadata(struct pt_tuned *tuned, const char *key, const char *value,
                          struct pt_error *err) PT_MUST_USE;
/* The same for the keys that hold JSON. *value is a new reference, NULL where there is none; malformed text
 * is PT_BAD_INPUT. */
int pt_tuned_metadata_json(const struct pt_tuned *tuned, const char *key, json_t **value,
                           struct pt_error *err) PT_MUST_USE;
int pt_tuned_set_metadata_json(struct pt_tuned *tuned, const char *key, const json_t *value,
                               struct pt_error *err) PT_MUST_USE;
/* A copy of the history (fmt/history.h) that the caller owns; one that is no array is PT_BAD_INPUT. */
int pt_tuned_history(const struct pt_tuned *tuned, json_t **history, struct pt_error *err) PT_MUST_USE;
/* Puts entries (a history, or NULL) behind it; and an entry of this command. */
int pt_tuned_add_history(struct pt_tuned *tuned, const json_t *entries, struct pt_error *err) PT_MUST_USE;
int pt_tuned_add_command(struct pt_tuned *tuned, const char *tool, const json_t *arguments,
                         struct pt_error *err) PT_MUST_USE;
/* The tokenizer, template and history of the stream that it was tuned on go into the metadata. */
int pt_tuned_take_stream(struct pt_tuned *tuned, const struct pt_stream_head *head,
                         struct pt_error *err) PT_MUST_USE;
/* Writes into the metadata which model this is for. */
int pt_tuned_set_base(struct pt_tuned *tuned, const struct pt_model *model, struct pt_error *err) PT_MUST_USE;

#endif
