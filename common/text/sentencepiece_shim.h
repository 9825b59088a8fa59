/*
 * The sentencepiece library in C. No exception crosses: a failure comes back as text.
 */
#ifndef PT_TEXT_SENTENCEPIECE_SHIM_H
#define PT_TEXT_SENTENCEPIECE_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pt_sentencepiece;

/* From the bytes of a tokenizer.model. NULL on failure, with the reason in `reason`. */
struct pt_sentencepiece *pt_sentencepiece_new(const void *bytes, size_t n, char *reason, size_t n_reason);
void pt_sentencepiece_free(struct pt_sentencepiece *model);

uint32_t pt_sentencepiece_size(const struct pt_sentencepiece *model);
/* -1 where the model has none. */
int64_t pt_sentencepiece_bos(const struct pt_sentencepiece *model);
int64_t pt_sentencepiece_eos(const struct pt_sentencepiece *model);
/* id < size; borrowed, NUL-terminated. */
const char *pt_sentencepiece_piece(const struct pt_sentencepiece *model, uint32_t id);
bool pt_sentencepiece_find(const struct pt_sentencepiece *model, const char *piece, uint32_t *id);
/* The byte that a piece stands for, or -1. */
int pt_sentencepiece_byte(const struct pt_sentencepiece *model, uint32_t id);

/* *ids is released with free(). False with a reason on failure. */
bool pt_sentencepiece_encode(const struct pt_sentencepiece *model, const char *text, size_t n, uint32_t **ids,
                             size_t *n_ids, char *reason, size_t n_reason);
/* *text is released with free(). */
bool pt_sentencepiece_decode(const struct pt_sentencepiece *model, const uint32_t *ids, size_t n_ids,
                             char **text, size_t *n, char *reason, size_t n_reason);

#ifdef __cplusplus
}
#endif

#endif
