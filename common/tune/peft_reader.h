/*
 * Reads what PEFT's save_pretrained wrote: a folder, or an archive of one, with adapter_config.json and
 * adapter_model.safetensors or adapter_model.bin.
 */
#ifndef PT_TUNE_PEFT_READER_H
#define PT_TUNE_PEFT_READER_H

#include "fmt/tensors.h"
#include "io/folder.h"

/* What its tensors may take, in bytes. */
#define PT_ADAPTER_LIMIT (UINT64_C(16) << 30)

/* The task_type of a language model's adapter. */
#define PT_PEFT_TASK "CAUSAL_LM"

bool pt_peft_is_adapter(const struct pt_folder *folder);
/*
 * The tensors and the configuration (owned by the caller) as they are, of any peft_type. `path` is the
 * folder's, for messages.
 */
int pt_peft_read(struct pt_tensors *set, json_t **config, const struct pt_folder *folder, const char *path,
                 struct pt_error *err) PT_MUST_USE;
/* Adds what the configuration says to the metadata, under the keys of tuned.h. A peft_type that no method
 * has, and another task_type than PT_PEFT_TASK (none included), is PT_MISMATCH. */
int pt_peft_note(struct pt_tensors *set, const json_t *config, const char *path,
                 struct pt_error *err) PT_MUST_USE;

#endif
