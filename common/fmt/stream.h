/*
 * The token stream: examples or updates on a pipe. man/pt-stream.5 is the specification; this is its reader and writer.
 *
 * A word is a token id (31 bits) with its top bit set where the token counts in the loss.
 */
#ifndef PT_FMT_STREAM_H
#define PT_FMT_STREAM_H

#include "base/hash.h"
#include "io/sink.h"
#include "io/source.h"

#include <jansson.h>

#define PT_COUNTED UINT32_C(0x80000000)
#define PT_TOKEN_ID(word) ((word) & ~PT_COUNTED)

enum pt_stream_kind { PT_STREAM_EXAMPLES, PT_STREAM_UPDATES };

struct pt_stream_head {
    enum pt_stream_kind kind;
    struct pt_fingerprint tokenizer; /* "" where the ids were given ready-made */
    uint64_t vocab_size;             /* every id is below it; 0 where it is not known */
    int64_t eos_id;                  /* -1 where there is none */
    json_t *template; /* owned object {"name": ..., "text": ...}, or NULL: how records became text */
    json_t *history;  /* owned array of {"tool", "version", "arguments"}, oldest first */
    /* Streams of updates only: what follows, in all. */
    uint64_t n_updates, n_examples, n_tokens, n_targets;
    uint64_t n_dataset_examples; /* rows of one epoch */
    double n_epochs;
    uint64_t schedule_updates; /* length of the learning-rate schedule */
    json_t *packing; /* owned object: the settings of pt-pack (max_length, batch_size, gradient_accumulation, seed, shuffle), or NULL */
};
void pt_stream_head_free(struct pt_stream_head *head);
/* Appends an entry for this command. Arguments that are paths are cut to their last component. */
int pt_stream_head_add_history(struct pt_stream_head *head, const char *tool, int argc, char *const *argv, struct pt_error *err) PT_MUST_USE;

struct pt_example {
    const uint32_t *words; /* borrowed */
    uint64_t n_words;
};

struct pt_update {
    double epoch; /* epochs finished after this update, by the Trainer's rule */
    uint64_t n_examples, n_micro_batches;
    const struct pt_example *examples;   /* [n_examples], borrowed until the next read */
    const uint64_t *micro_batch_sizes;   /* [n_micro_batches], sums to n_examples */
};

struct pt_stream_writer;
int pt_stream_writer_open(struct pt_stream_writer **writer, struct pt_sink *sink, const struct pt_stream_head *head,
                          struct pt_error *err) PT_MUST_USE;
int pt_stream_write_example(struct pt_stream_writer *writer, const uint32_t *words, uint64_t n, struct pt_error *err) PT_MUST_USE;
int pt_stream_write_update(struct pt_stream_writer *writer, const struct pt_update *update, struct pt_error *err) PT_MUST_USE;
/* The end section: call it only after everything succeeded. */
int pt_stream_write_end(struct pt_stream_writer *writer, struct pt_error *err) PT_MUST_USE;
void pt_stream_writer_free(struct pt_stream_writer *writer); /* does not touch the sink */

/*
 * Reads one run of streams: several streams of examples with the same tokenizer and template one behind the other, or one stream of
 * updates. The head is the first stream's. The end of the source is accepted only behind an end section.
 */
struct pt_stream_reader;
int pt_stream_reader_open(struct pt_stream_reader **reader, struct pt_source *source, struct pt_error *err) PT_MUST_USE;
const struct pt_stream_head *pt_stream_reader_head(const struct pt_stream_reader *reader);
/* *end = true behind the last one. Words are borrowed until the next call. Ids are checked against vocab_size. */
int pt_stream_read_example(struct pt_stream_reader *reader, struct pt_example *example, bool *end, struct pt_error *err) PT_MUST_USE;
int pt_stream_read_update(struct pt_stream_reader *reader, struct pt_update *update, bool *end, struct pt_error *err) PT_MUST_USE;
/* The chained checksum of everything read so far (head included): equal for equal beginnings of a stream. */
uint64_t pt_stream_reader_chain(const struct pt_stream_reader *reader);
void pt_stream_reader_free(struct pt_stream_reader *reader); /* does not close the source */

#endif
