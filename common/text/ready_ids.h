/*
 * Records whose tokens are given: "input_ids" and "labels", as Hugging Face's tools keep them.
 */
#ifndef PT_TEXT_READY_IDS_H
#define PT_TEXT_READY_IDS_H

#include "base/buffer.h"

#include <jansson.h>

/*
 * Appends the words. A label of -100 means not counted, any other must equal its id; without labels every
 * token counts. Ids must be below `vocab_size` unless that is 0. Masked (padding) positions are refused: they
 * are no tokens.
 */
int pt_ready_ids(const json_t *object, const char *ids_key, const char *labels_key, uint64_t vocab_size,
                 struct pt_words *words, struct pt_error *err) PT_MUST_USE;

/* "vocab_size" of the config.json in a model folder; 0 where there is none. */
int pt_model_vocab_size(const char *model, uint64_t *vocab_size, struct pt_error *err) PT_MUST_USE;

#endif
