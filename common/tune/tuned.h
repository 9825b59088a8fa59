/*
 * What has been, or will be, tuned: a method, its parameters, and where they came from. The tools read and write it as one
 * tensor file; PEFT's adapter files and folders are read as well.
 */
#ifndef PT_TUNE_TUNED_H
#define PT_TUNE_TUNED_H

#include "fmt/tensors.h"
#include "io/sink.h"
#include "model/model.h"
#include "model/plugs.h"
#include "tune/parameters.h"

struct pt_tuned;

/*
 * A tensor file of ours (a path, "-", a pipe), PEFT's adapter_model.safetensors, or its folder or an archive of it. With a
 * model, its fingerprint (if the file has one) and shapes are checked: PT_MISMATCH names both fingerprints, unless ignore_fingerprint.
 */
int pt_tuned_open(struct pt_tuned **tuned, const char *path, const struct pt_model *model, bool ignore_fingerprint,
                  struct pt_error *err) PT_MUST_USE;
int pt_tuned_write(const struct pt_tuned *tuned, struct pt_sink *sink, struct pt_error *err) PT_MUST_USE;
void pt_tuned_free(struct pt_tuned *tuned);

/* The parameters that an optimiser works on; owned by the tuned object. */
struct pt_parameters *pt_tuned_parameters(struct pt_tuned *tuned);
/* Computes what the engine reads from the parameters' values (P-tuning's encoder would run here) and gives the plugs, valid until the next call. */
int pt_tuned_forward(struct pt_tuned *tuned, const struct pt_plugs **plugs, struct pt_error *err) PT_MUST_USE;
/* Carries the plugs' gradients back into the parameters' gradients. */
int pt_tuned_backward(struct pt_tuned *tuned, struct pt_error *err) PT_MUST_USE;

const char *pt_tuned_method(const struct pt_tuned *tuned);      /* "prompt" */
const char *pt_tuned_metadata(const struct pt_tuned *tuned, const char *key); /* NULL where there is none */
int pt_tuned_set_metadata(struct pt_tuned *tuned, const char *key, const char *value, struct pt_error *err) PT_MUST_USE;

#endif
