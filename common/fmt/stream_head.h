/*
 * The head of a token stream: what the ids mean and where they came from. On the wire it is JSON
 * (man/pt-stream.5).
 */
#ifndef PT_FMT_STREAM_HEAD_H
#define PT_FMT_STREAM_HEAD_H

#include "base/buffer.h"
#include "base/hash.h"

#include <jansson.h>
#include <stdbool.h>

enum pt_stream_kind { PT_STREAM_EXAMPLES, PT_STREAM_UPDATES };

struct pt_stream_head {
    enum pt_stream_kind kind;
    struct pt_fingerprint tokenizer; /* "" where the ids were given ready-made */
    uint64_t vocab_size;             /* every id is below it; 0 where it is not known */
    int64_t eos_id;                  /* -1 where there is none */
    json_t *template; /* owned object {"name": ..., "text": ...}, or NULL: how records became text */
    json_t *history;  /* owned, as fmt/history.h has it; NULL: empty */
    /* Streams of updates only: what follows, in all. */
    uint64_t n_updates, n_examples, n_tokens, n_targets;
    uint64_t n_dataset_examples; /* rows of one epoch */
    double n_epochs;
    uint64_t schedule_updates; /* length of the learning-rate schedule */
    json_t *packing; /* owned object: the settings of pt-pack (max_length, batch_size, gradient_accumulation,
                        seed, shuffle), or NULL */
};

void pt_stream_head_free(struct pt_stream_head *head);
/* A copy that the caller frees; the JSON values are shared, not copied. */
struct pt_stream_head pt_stream_head_copy(const struct pt_stream_head *head);

/* The JSON of the wire, appended; and back (PT_BAD_INPUT names the field). */
int pt_stream_head_write(const struct pt_stream_head *head, struct pt_buffer *out,
                         struct pt_error *err) PT_MUST_USE;
int pt_stream_head_parse(struct pt_stream_head *head, const char *text, size_t n,
                         struct pt_error *err) PT_MUST_USE;
/* PT_MISMATCH, naming both values, where examples of the two cannot be one data set. */
int pt_stream_head_compare(const struct pt_stream_head *first, const struct pt_stream_head *second,
                           struct pt_error *err) PT_MUST_USE;

#endif
