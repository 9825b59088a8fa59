/*
 * The token stream: examples or updates on a pipe. man/pt-stream.5 is the specification; this is its reader
 * and writer.
 *
 * A word is a token id (31 bits) with its top bit set where the token counts in the loss.
 */
#ifndef PT_FMT_STREAM_H
#define PT_FMT_STREAM_H

#include "fmt/stream_head.h"
#include "io/sink.h"
#include "io/source.h"

#define PT_COUNTED UINT32_C(0x80000000)
#define PT_TOKEN_ID(word) ((word) & ~PT_COUNTED)

struct pt_example {
    const uint32_t *words; /* borrowed */
    uint64_t n_words;
};

struct pt_update {
    double epoch; /* epochs finished after this update, by the Trainer's rule */
    uint64_t n_examples, n_micro_batches;
    const struct pt_example *examples; /* [n_examples], borrowed until the next read */
    const uint64_t *micro_batch_sizes; /* [n_micro_batches], at least 1 each, sum to n_examples */
};

/* What a stream holds, in all. In a stream of updates an example counts as often as it stands there. */
struct pt_stream_totals {
    uint64_t updates, examples, tokens;
    uint64_t targets; /* tokens that count in the loss */
};

/* Counted words among words[0..n). */
uint64_t pt_stream_targets(const uint32_t *words, uint64_t n);

struct pt_stream_writer;
int pt_stream_writer_open(struct pt_stream_writer **writer, struct pt_sink *sink,
                          const struct pt_stream_head *head, struct pt_error *err) PT_MUST_USE;
/* Words must be below the head's vocab_size; a reader refuses others. */
int pt_stream_write_example(struct pt_stream_writer *writer, const uint32_t *words, uint64_t n,
                            struct pt_error *err) PT_MUST_USE;
int pt_stream_write_update(struct pt_stream_writer *writer, const struct pt_update *update,
                           struct pt_error *err) PT_MUST_USE;
/* The end section: call it only after everything succeeded. A stream of updates whose head promised other
 * totals is PT_FAILED. */
int pt_stream_write_end(struct pt_stream_writer *writer, struct pt_error *err) PT_MUST_USE;
void pt_stream_writer_free(struct pt_stream_writer *writer); /* does not touch the sink; NULL is allowed */

/*
 * Reads one run of streams: several streams of examples with the same tokenizer, vocabulary, end-of-sequence
 * id and template one behind the other (others are PT_MISMATCH), or one stream of updates. The head is the
 * first stream's. The end of the source is accepted only behind an end section. Faults are PT_BAD_INPUT with
 * the byte offset.
 */
struct pt_stream_reader;
int pt_stream_reader_open(struct pt_stream_reader **reader, struct pt_source *source,
                          struct pt_error *err) PT_MUST_USE;
const struct pt_stream_head *pt_stream_reader_head(const struct pt_stream_reader *reader);
/* *end = true behind the last one. Words are borrowed until the next call. Ids are checked against
 * vocab_size. Of a stream of updates it gives the examples in their order. */
int pt_stream_read_example(struct pt_stream_reader *reader, struct pt_example *example, bool *end,
                           struct pt_error *err) PT_MUST_USE;
/* PT_MISMATCH unless it is a stream of updates. */
int pt_stream_reader_check_updates(const struct pt_stream_reader *reader, struct pt_error *err) PT_MUST_USE;
/* Only for streams of updates: others are PT_MISMATCH. */
int pt_stream_read_update(struct pt_stream_reader *reader, struct pt_update *update, bool *end,
                          struct pt_error *err) PT_MUST_USE;
/* The chained checksum of everything read so far (head included): equal for equal beginnings of a stream. */
uint64_t pt_stream_reader_chain(const struct pt_stream_reader *reader);
/* Of the sections read so far, all streams of the run together. */
struct pt_stream_totals pt_stream_reader_totals(const struct pt_stream_reader *reader);
void pt_stream_reader_free(struct pt_stream_reader *reader); /* does not close the source; NULL is allowed */

#endif
