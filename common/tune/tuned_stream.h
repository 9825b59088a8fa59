/*
 * Whether a stream, a model and a tuned object belong together, and what a tuned object remembers of the
 * stream that it was tuned on.
 */
#ifndef PT_TUNE_TUNED_STREAM_H
#define PT_TUNE_TUNED_STREAM_H

#include "fmt/stream.h"
#include "tune/tuned.h"

/*
 * PT_MISMATCH, naming both, where the stream's tokenizer is not the tokenizer file in the model's folder
 * (unless ignore_fingerprint). A stream without a tokenizer, or a folder without one, passes: then the ids
 * are all there is to check.
 */
int pt_stream_check_model(const struct pt_stream_head *head, const char *stream_name,
                          const struct pt_model *model, bool ignore_fingerprint,
                          struct pt_error *err) PT_MUST_USE;
/* PT_MISMATCH for an id that the model has no embedding for; `number` is the example's, from 1, for the
 * message. */
int pt_example_check_ids(const struct pt_example *example, uint64_t number, const struct pt_model *model,
                         struct pt_error *err) PT_MUST_USE;
/* PT_MISMATCH, naming both, where the object was made with another tokenizer than the stream. */
int pt_tuned_check_stream(const struct pt_tuned *tuned, const struct pt_stream_head *head,
                          const char *stream_name, bool ignore_fingerprint, struct pt_error *err) PT_MUST_USE;
/* The stream's tokenizer, template and history go into the metadata. */
int pt_tuned_take_stream(struct pt_tuned *tuned, const struct pt_stream_head *head,
                         struct pt_error *err) PT_MUST_USE;

#endif
