/*
 * Writes an adapter as PEFT's save_pretrained does: adapter_config.json, adapter_model.safetensors (the same
 * bytes), and a model card.
 */
#ifndef PT_TUNE_PEFT_WRITER_H
#define PT_TUNE_PEFT_WRITER_H

#include "tune/tuned.h"

/* The version of PEFT whose files these are. */
#define PT_PEFT_VERSION "0.21.2"

/*
 * A folder, or with a path that ends in ".tar" an archive of its files. `base_name`, unless NULL, is what
 * PEFT shall call the base model (and the tokenizer of the initial text, which lies beside it).
 */
int pt_peft_write(struct pt_tuned *tuned, const char *path, const char *base_name,
                  struct pt_error *err) PT_MUST_USE;

#endif
