/*
 * The small parts of a tokenizer.json: what it asks for besides vocabulary and merges. Everything that is not
 * supported is PT_MISMATCH and named; what is malformed is PT_BAD_INPUT. A null part is absent.
 */
#ifndef PT_TEXT_TOKENIZER_STEPS_H
#define PT_TEXT_TOKENIZER_STEPS_H

#include "text/bpe_tokenizer.h"

#include <jansson.h>

/* Refuses keys of the document that are not known. */
int pt_check_document(const json_t *document, struct pt_error *err) PT_MUST_USE;
/* Refuses models that are not plain BPE. */
int pt_check_model(const json_t *model, struct pt_error *err) PT_MUST_USE;
/* Needs the vocabulary. */
int pt_read_model_options(struct pt_bpe_tokenizer *tokenizer, const json_t *model,
                          struct pt_error *err) PT_MUST_USE;
/* Puts tokens that the model lacks into the vocabulary. */
int pt_read_added_tokens(struct pt_bpe_tokenizer *tokenizer, const json_t *added,
                         struct pt_error *err) PT_MUST_USE;
int pt_read_normalizer(struct pt_bpe_tokenizer *tokenizer, const json_t *normalizer,
                       struct pt_error *err) PT_MUST_USE;
int pt_read_pre_tokenizer(struct pt_bpe_tokenizer *tokenizer, const json_t *step,
                          struct pt_error *err) PT_MUST_USE;
int pt_read_post_processor(struct pt_bpe_tokenizer *tokenizer, const json_t *step,
                           struct pt_error *err) PT_MUST_USE;
int pt_read_decoder(struct pt_bpe_tokenizer *tokenizer, const json_t *decoder,
                    struct pt_error *err) PT_MUST_USE;
/* Builds the matchers, and refuses what cannot go with them; needs normaliser and pre-tokenizer. */
int pt_prepare_added_tokens(struct pt_bpe_tokenizer *tokenizer, struct pt_error *err) PT_MUST_USE;

/* What the parts share; `part` is for messages ("decoder"). The class of a step: */
int pt_step_type(const json_t *step, const char *part, const char **type, struct pt_error *err) PT_MUST_USE;
/* The steps of a Sequence, one after the other; `depth` of nesting. */
typedef int pt_read_step(struct pt_bpe_tokenizer *tokenizer, const json_t *step, int depth,
                         struct pt_error *err);
int pt_step_sequence(struct pt_bpe_tokenizer *tokenizer, const json_t *list, const char *part, int depth,
                     pt_read_step *read, struct pt_error *err) PT_MUST_USE;
/* PT_MISMATCH that names the class. */
int pt_step_unsupported(const char *part, const char *type, struct pt_error *err);
/* The strings of a Replace, borrowed; a regular expression is PT_MISMATCH. */
int pt_step_replace(const json_t *step, const char *part, const char **pattern, const char **text,
                    struct pt_error *err) PT_MUST_USE;
/* What a Metaspace writes for a blank, and where it puts one in front. */
struct pt_metaspace {
    char blank[5];
    enum pt_prefixing prefixing;
};
int pt_step_metaspace(const json_t *step, const char *part, struct pt_metaspace *metaspace,
                      struct pt_error *err) PT_MUST_USE;

#endif
