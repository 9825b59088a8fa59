/*
 * What a path holds, whatever of ours or of the field's it is: token streams, tensor files (prompts, states,
 * checkpoints), checkpoint folders, PEFT adapters, tokenizers, and archives of these. Told by content, never
 * by name.
 */
#ifndef PT_TUNE_DESCRIBE_H
#define PT_TUNE_DESCRIBE_H

#include "base/buffer.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * *report, owned by the caller, is an object with "file", "kind" and what is known of that kind:
 *
 *   "examples", "updates"   a token stream: examples, updates, tokens, targets, and the fields of its head
 *   "tuned"                 a tensor file of pt-init or pt-train: method, metadata
 *   "training-state"        a state of pt-train
 *   "tensors"               another file of tensors (safetensors, PyTorch)
 *   "adapter"               a PEFT adapter, folder or archive: peft_type, its configuration
 *   "checkpoint"            a model folder: architecture, sizes, tokenizer, and what pt_model_open makes of it
 *   "tokenizer"             tokenizer.json, tokenizer.model, or a folder of one
 *   "archive"               members: a report for each member that is one of these
 *
 * Where there are tensors: tensors (name, dtype, shape), elements, bytes; with `verify` also non_finite, how
 * many elements are NaN or infinite (no fault in itself).
 *
 * A stream is always read to its end. Of tensors only the table is read, unless they carry a hash, or with
 * `verify`, which reads and checks all. PT_BAD_INPUT for what is damaged or of no known kind, PT_MISMATCH for
 * what is recognised and not read by these tools.
 */
int pt_describe(json_t **report, const char *path, bool verify, struct pt_error *err) PT_MUST_USE;

/* The report in people's words, lines of text. More than 20 tensors are summed up, unless `all`. */
int pt_describe_text(const json_t *report, bool all, struct pt_buffer *out, struct pt_error *err) PT_MUST_USE;

#endif
