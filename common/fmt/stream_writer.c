/*
 * Examples are collected until a section is worth its header; an update is a section of its own. A section's
 * payload is put together in one buffer, so that it is hashed and written in one piece.
 */
#include "fmt/stream.h"

#include "base/memory.h"
#include "fmt/stream_format.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SECTION_WORDS = 1 << 16, SECTION_EXAMPLES = 1 << 13 };

struct pt_stream_writer {
    struct pt_sink *sink;       /* borrowed */
    struct pt_stream_head head; /* owned */
    uint64_t chain;             /* the last checksum */
    struct pt_stream_totals totals;
    struct pt_buffer payload;
    /* Examples that wait. */
    uint64_t lengths[SECTION_EXAMPLES];
    size_t n_lengths;
    struct pt_words words;
};

uint64_t pt_stream_targets(const uint32_t *words, uint64_t n)
{
    uint64_t targets = 0;
    for (uint64_t i = 0; i < n; i++)
        targets += words[i] >> 31;
    return targets;
}

static int write_section(struct pt_stream_writer *writer, const char *type, uint64_t count,
                         struct pt_error *err)
{
    const struct pt_buffer *payload = &writer->payload;
    if (payload->size > PT_SECTION_LIMIT)
        return pt_fail(err, PT_MISMATCH, "%zu bytes in one section of a token stream (at most %" PRIu64 ")",
                       payload->size, PT_SECTION_LIMIT);
    struct pt_section_header header = {
        .version = PT_STREAM_VERSION, .payload_bytes = payload->size, .count = count};
    memcpy(header.type, type, sizeof header.type);
    header.checksum = pt_hash64(&header, PT_SECTION_CHECKED_BYTES, writer->chain);
    writer->chain = pt_hash64(payload->data, payload->size, header.checksum);
    if (pt_sink_write(writer->sink, &header, sizeof header, err) ||
        pt_sink_write(writer->sink, payload->data, payload->size, err) ||
        pt_sink_write(writer->sink, &writer->chain, sizeof writer->chain, err))
        return (int)err->status;
    pt_buffer_clear(&writer->payload);
    return PT_OK;
}

int pt_stream_writer_open(struct pt_stream_writer **writer, struct pt_sink *sink,
                          const struct pt_stream_head *head, struct pt_error *err)
{
    struct pt_stream_writer *w = *writer = pt_new_array(1, sizeof *w, err);
    if (!w)
        return (int)err->status;
    w->sink = sink;
    w->head = pt_stream_head_copy(head);
    if (pt_stream_head_write(head, &w->payload, err))
        goto fail;
    if (w->payload.size > PT_HEAD_LIMIT) {
        pt_fail(err, PT_MISMATCH, "a head of %zu bytes (at most %d)", w->payload.size, PT_HEAD_LIMIT);
        goto fail;
    }
    if (pt_sink_write(sink, PT_STREAM_MAGIC, PT_STREAM_MAGIC_BYTES, err) ||
        write_section(w, PT_SECTION_HEAD, 0, err))
        goto fail;
    return PT_OK;
fail:
    pt_stream_writer_free(w);
    *writer = NULL;
    return (int)err->status;
}

static int flush_examples(struct pt_stream_writer *writer, struct pt_error *err)
{
    if (!writer->n_lengths)
        return PT_OK;
    if (pt_buffer_append(&writer->payload, writer->lengths, writer->n_lengths * sizeof *writer->lengths,
                         err) ||
        pt_buffer_append(&writer->payload, writer->words.data, writer->words.n * sizeof *writer->words.data,
                         err) ||
        write_section(writer, PT_SECTION_EXAMPLES, writer->n_lengths, err))
        return (int)err->status;
    writer->n_lengths = 0;
    writer->words.n = 0;
    return PT_OK;
}

static void count(struct pt_stream_totals *totals, const uint32_t *words, uint64_t n)
{
    totals->examples++;
    totals->tokens += n;
    totals->targets += pt_stream_targets(words, n);
}

int pt_stream_write_example(struct pt_stream_writer *writer, const uint32_t *words, uint64_t n,
                            struct pt_error *err)
{
    if (writer->head.kind != PT_STREAM_EXAMPLES)
        return pt_fail(err, PT_FAILED, "an example written to a stream of updates");
    bool full =
        writer->n_lengths == SECTION_EXAMPLES || (writer->words.n && writer->words.n + n > SECTION_WORDS);
    if ((full && flush_examples(writer, err)) || pt_words_append(&writer->words, words, n, err))
        return (int)err->status;
    writer->lengths[writer->n_lengths++] = n;
    count(&writer->totals, words, n);
    return PT_OK;
}

int pt_stream_write_update(struct pt_stream_writer *writer, const struct pt_update *update,
                           struct pt_error *err)
{
    if (writer->head.kind != PT_STREAM_UPDATES)
        return pt_fail(err, PT_FAILED, "an update written to a stream of examples");
    struct pt_buffer *payload = &writer->payload;
    if (pt_buffer_append(payload, &update->epoch, sizeof update->epoch, err) ||
        pt_buffer_append(payload, &update->n_micro_batches, sizeof update->n_micro_batches, err) ||
        pt_buffer_append(payload, update->micro_batch_sizes,
                         update->n_micro_batches * sizeof *update->micro_batch_sizes, err))
        return (int)err->status;
    for (uint64_t i = 0; i < update->n_examples; i++)
        if (pt_buffer_append(payload, &update->examples[i].n_words, sizeof update->examples[i].n_words, err))
            return (int)err->status;
    for (uint64_t i = 0; i < update->n_examples; i++) {
        const struct pt_example *example = &update->examples[i];
        if (pt_buffer_append(payload, example->words, example->n_words * sizeof *example->words, err))
            return (int)err->status;
        count(&writer->totals, example->words, example->n_words);
    }
    writer->totals.updates++;
    return write_section(writer, PT_SECTION_UPDATE, update->n_examples, err);
}

/* A stream of updates must keep what its head promised. */
static int check_promise(const struct pt_stream_writer *writer, struct pt_error *err)
{
    const struct pt_stream_head *head = &writer->head;
    const struct pt_stream_totals *totals = &writer->totals;
    if (head->kind == PT_STREAM_UPDATES &&
        (head->n_updates != totals->updates || head->n_examples != totals->examples ||
         head->n_tokens != totals->tokens || head->n_targets != totals->targets))
        return pt_fail(err, PT_FAILED,
                       "token stream: %" PRIu64 " updates of %" PRIu64 " examples written, %" PRIu64
                       " of %" PRIu64 " announced",
                       totals->updates, totals->examples, head->n_updates, head->n_examples);
    return PT_OK;
}

int pt_stream_write_end(struct pt_stream_writer *writer, struct pt_error *err)
{
    const struct pt_stream_totals *totals = &writer->totals;
    uint64_t end[PT_END_WORDS] = {totals->updates, totals->examples, totals->tokens, totals->targets};
    if (check_promise(writer, err) || flush_examples(writer, err) ||
        pt_buffer_append(&writer->payload, end, sizeof end, err))
        return (int)err->status;
    return write_section(writer, PT_SECTION_END, 0, err);
}

void pt_stream_writer_free(struct pt_stream_writer *writer)
{
    if (!writer)
        return;
    pt_stream_head_free(&writer->head);
    pt_buffer_free(&writer->payload);
    pt_words_free(&writer->words);
    free(writer);
}
