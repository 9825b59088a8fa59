/*
 * The logits of whole examples as a safetensors file: logits.0, logits.1, ... f32 [rows behind the prompt,
 * vocabulary].
 */
#ifndef PT_TUNE_EVALUATE_LOGITS_H
#define PT_TUNE_EVALUATE_LOGITS_H

#include "io/sink.h"
#include "tune/tuned_model.h"

struct pt_logits_file;

/* Logits wait in a scratch file: a safetensors file begins with the shapes of all that follows. */
int pt_logits_open(struct pt_logits_file **file, struct pt_error *err) PT_MUST_USE;
/* Computes and keeps those of the next example. */
int pt_logits_add(struct pt_logits_file *file, const struct pt_tuned_model *model, const uint32_t *words,
                  size_t n, struct pt_error *err) PT_MUST_USE;
int pt_logits_write(struct pt_logits_file *file, struct pt_sink *sink, struct pt_error *err) PT_MUST_USE;
void pt_logits_close(struct pt_logits_file *file); /* NULL is allowed */

#endif
