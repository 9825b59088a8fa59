/*
 * Text to token ids and back: tokenizer.json (BPE) and SentencePiece's tokenizer.model.
 *
 * Ids equal those of Hugging Face tokenizers, resp. of the sentencepiece library. What a tokenizer.json asks
 * for and we do not do is refused by name (PT_MISMATCH), never guessed. A tokenizer is read-only after
 * opening and may be shared by threads; an encoder or decoder is one thread's.
 */
#ifndef PT_TEXT_TOKENIZER_H
#define PT_TEXT_TOKENIZER_H

#include "base/buffer.h"
#include "base/hash.h"

#include <stdbool.h>

struct pt_tokenizer;

/* A model folder (tokenizer.json, else tokenizer.model) or one of these files itself. */
int pt_tokenizer_open(struct pt_tokenizer **tokenizer, const char *path, struct pt_error *err) PT_MUST_USE;
void pt_tokenizer_close(struct pt_tokenizer *tokenizer);
/* Which file of a model folder pt_tokenizer_open would take (NULL: none is there), and its fingerprint, in
 * milliseconds. */
int pt_tokenizer_find(const char *folder, const char **file, struct pt_fingerprint *fingerprint,
                      struct pt_error *err) PT_MUST_USE;

struct pt_fingerprint
pt_tokenizer_fingerprint(const struct pt_tokenizer *tokenizer); /* of the file's bytes */
/* PT_MISMATCH where `name` was made with another tokenizer than that of `other`. A fingerprint of NULL or ""
 * is not known, and passes. */
int pt_tokenizer_match(const char *name, const char *fingerprint, const char *other,
                       const char *other_fingerprint, struct pt_error *err) PT_MUST_USE;
uint32_t pt_tokenizer_vocab_size(const struct pt_tokenizer *tokenizer); /* one more than the largest id */
const char *
pt_tokenizer_kind(const struct pt_tokenizer *tokenizer); /* "byte-level BPE", "BPE", "SentencePiece" */
bool pt_tokenizer_id(const struct pt_tokenizer *tokenizer, const char *token,
                     uint32_t *id); /* of a whole vocabulary entry */
const char *pt_tokenizer_token(const struct pt_tokenizer *tokenizer, uint32_t id); /* NULL for a gap */

/*
 * The end-of-sequence token: `requested` if not NULL (PT_MISMATCH if the vocabulary lacks it), else what
 * tokenizer_config.json, special_tokens_map.json or config.json beside the tokenizer say, else </s>, else
 * <|endoftext|>, else PT_MISMATCH.
 */
int pt_tokenizer_eos(const struct pt_tokenizer *tokenizer, const char *requested, uint32_t *id,
                     struct pt_error *err) PT_MUST_USE;
/* Refuses (PT_MISMATCH) a token that changes how the text in front of it is read, or is not read as a token
 * there: its id behind the text's ids would not be what the reference makes of both as one text. */
int pt_tokenizer_check_appended(const struct pt_tokenizer *tokenizer, uint32_t id,
                                struct pt_error *err) PT_MUST_USE;

struct pt_encoder;
int pt_encoder_new(struct pt_encoder **encoder, const struct pt_tokenizer *tokenizer,
                   struct pt_error *err) PT_MUST_USE;
void pt_encoder_free(struct pt_encoder *encoder);
/*
 * Appends the ids of text[0..n). With `with_special` the ids that the post-processor puts in front of and
 * behind a single text are added, as a plain call of a Hugging Face tokenizer does. Invalid UTF-8 is
 * PT_BAD_INPUT with its byte offset.
 */
int pt_encode(struct pt_encoder *encoder, const char *text, size_t n, bool with_special, struct pt_words *ids,
              struct pt_error *err) PT_MUST_USE;
/* Only the ids that the post-processor puts in front of a text. */
int pt_encode_front(struct pt_encoder *encoder, struct pt_words *ids, struct pt_error *err) PT_MUST_USE;

/* Ids to text, as it comes: never a part of a character. */
struct pt_decoder;
int pt_decoder_new(struct pt_decoder **decoder, const struct pt_tokenizer *tokenizer, bool skip_special,
                   struct pt_error *err) PT_MUST_USE;
void pt_decoder_free(struct pt_decoder *decoder);
/* Appends what is certain after this id; bytes that never become a character come out as U+FFFD, as the
 * reference does. */
int pt_decoder_push(struct pt_decoder *decoder, uint32_t id, struct pt_buffer *text,
                    struct pt_error *err) PT_MUST_USE;
/* Appends what is left and starts anew. */
int pt_decoder_finish(struct pt_decoder *decoder, struct pt_buffer *text, struct pt_error *err) PT_MUST_USE;

#endif
