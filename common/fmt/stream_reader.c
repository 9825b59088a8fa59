/*
 * A section at a time: header, payload and both checksums are verified before anything in the payload is
 * looked at. A payload is read in pieces that double, so that a length that lies costs no more memory than
 * the bytes that really come.
 */
#include "fmt/stream.h"

#include "base/memory.h"
#include "fmt/stream_format.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_PIECE = 1 << 20 };

struct pt_stream_reader {
    struct pt_source *source;   /* borrowed */
    struct pt_stream_head head; /* owned: the first stream's */
    uint64_t chain;             /* the last checksum of this stream */
    uint64_t earlier;           /* checksum over the chains of the streams before it, 0 in the first */
    struct pt_stream_totals stream, before; /* of this stream, and of those before it */
    bool end;

    struct pt_section_header section;
    uint64_t section_offset; /* of its header */
    char *payload;           /* owned */
    size_t capacity;

    /* The examples of the section, and the next of them. */
    struct pt_example *examples; /* owned */
    size_t examples_capacity;
    uint64_t n_examples, next;
};

static int bad(const struct pt_stream_reader *r, uint64_t offset, struct pt_error *err, const char *what)
{
    return pt_fail(err, PT_BAD_INPUT, "%s: byte %" PRIu64 ": %s", pt_source_name(r->source), offset, what);
}

/* Reads exactly n bytes. The end of the input here means that whoever wrote it did not finish. */
static int read_bytes(struct pt_stream_reader *r, void *bytes, size_t n, const char *what,
                      struct pt_error *err)
{
    if (!pt_source_read_exactly(r->source, bytes, n, what, err))
        return PT_OK;
    if (err->status == PT_BAD_INPUT)
        pt_error_hint(err,
                      "the token stream has no end section: the command that wrote it failed or was stopped");
    return (int)err->status;
}

static bool section_is(const struct pt_stream_reader *r, const char *type)
{
    return !memcmp(r->section.type, type, PT_SECTION_TYPE_BYTES);
}

static int read_payload(struct pt_stream_reader *r, struct pt_error *err)
{
    uint64_t n = r->section.payload_bytes, have = 0;
    while (have < n) {
        uint64_t piece = have < FIRST_PIECE ? FIRST_PIECE : have;
        piece = piece < n - have ? piece : n - have;
        if (pt_reserve(&r->payload, &r->capacity, have + piece, 1, err) ||
            read_bytes(r, r->payload + have, piece, "a section", err))
            return (int)err->status;
        have += piece;
    }
    return PT_OK;
}

/* The next section, verified. */
static int read_section(struct pt_stream_reader *r, struct pt_error *err)
{
    struct pt_section_header *section = &r->section;
    r->section_offset = pt_source_offset(r->source);
    if (read_bytes(r, section, sizeof *section, "a section's header", err))
        return (int)err->status;
    if (pt_hash64(section, PT_SECTION_CHECKED_BYTES, r->chain) != section->checksum)
        return bad(r, r->section_offset, err, "damaged: the checksum of a section's header is wrong");
    if (section->version != PT_STREAM_VERSION)
        return pt_fail(err, PT_MISMATCH,
                       "%s: token stream of version %" PRIu64 " (this program reads version %d)",
                       pt_source_name(r->source), section->version, PT_STREAM_VERSION);
    uint64_t limit = section_is(r, PT_SECTION_HEAD) ? PT_HEAD_LIMIT : PT_SECTION_LIMIT;
    if (section->payload_bytes > limit)
        return bad(r, r->section_offset, err, "the section is longer than the format allows");
    uint64_t checksum;
    if (read_payload(r, err) || read_bytes(r, &checksum, sizeof checksum, "a section's checksum", err))
        return (int)err->status;
    r->chain = pt_hash64(r->payload, section->payload_bytes, section->checksum);
    if (r->chain != checksum)
        return bad(r, r->section_offset, err, "damaged: the checksum of a section's payload is wrong");
    return PT_OK;
}

/* The payload is n_examples lengths from byte `at` on, and then exactly their words. */
static int take_examples(struct pt_stream_reader *r, uint64_t at, struct pt_error *err)
{
    uint64_t n = r->section.count, left = r->section.payload_bytes - at;
    if (!n)
        return bad(r, r->section_offset, err, "a section without examples");
    if (n > left / sizeof(uint64_t))
        return bad(r, r->section_offset, err, "more examples than the section has room for");
    if (pt_reserve(&r->examples, &r->examples_capacity, n, sizeof *r->examples, err))
        return (int)err->status;
    const char *lengths = r->payload + at;
    left -= n * sizeof(uint64_t);
    const char *words = lengths + n * sizeof(uint64_t);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t length;
        memcpy(&length, lengths + i * sizeof length, sizeof length);
        if (length > left / sizeof(uint32_t))
            return bad(r, r->section_offset, err, "an example is longer than its section");
        r->examples[i] = (struct pt_example){(const uint32_t *)(const void *)words, length};
        words += length * sizeof(uint32_t);
        left -= length * sizeof(uint32_t);
    }
    if (left)
        return bad(r, r->section_offset, err, "bytes behind the section's last example");
    r->n_examples = n;
    r->next = 0;
    return PT_OK;
}

/* Checks the section's ids and counts it. */
static int check_words(struct pt_stream_reader *r, struct pt_error *err)
{
    uint64_t vocab = r->head.vocab_size ? r->head.vocab_size : PT_COUNTED;
    for (uint64_t i = 0; i < r->n_examples; i++) {
        const struct pt_example *example = &r->examples[i];
        uint32_t largest = 0;
        for (uint64_t k = 0; k < example->n_words; k++) {
            uint32_t id = PT_TOKEN_ID(example->words[k]);
            largest = id > largest ? id : largest;
        }
        if (example->n_words && largest >= vocab)
            return pt_fail(err, PT_BAD_INPUT,
                           "%s: byte %" PRIu64 ": example %" PRIu64 ": id %" PRIu32
                           " in a vocabulary of %" PRIu64,
                           pt_source_name(r->source), r->section_offset,
                           r->before.examples + r->stream.examples + 1, largest, vocab);
        r->stream.examples++;
        r->stream.tokens += example->n_words;
        r->stream.targets += pt_stream_targets(example->words, example->n_words);
    }
    return PT_OK;
}

static int take_update(struct pt_stream_reader *r, struct pt_error *err)
{
    uint64_t fixed = PT_UPDATE_WORDS * sizeof(uint64_t), bytes = r->section.payload_bytes;
    if (bytes < fixed || !r->section.count)
        return bad(r, r->section_offset, err, "an update without examples");
    double epoch;
    uint64_t n, sum = 0;
    memcpy(&epoch, r->payload, sizeof epoch);
    memcpy(&n, r->payload + sizeof epoch, sizeof n);
    if (!isfinite(epoch) || epoch < 0)
        return bad(r, r->section_offset, err, "an update's epoch is not a number that makes sense");
    if (n > (bytes - fixed) / sizeof(uint64_t))
        return bad(r, r->section_offset, err, "more micro-batches than the section has room for");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t size;
        memcpy(&size, r->payload + fixed + i * sizeof size, sizeof size);
        if (!size || size > r->section.count - sum)
            return bad(r, r->section_offset, err,
                       "micro-batches that do not add up to the update's examples");
        sum += size;
    }
    if (sum != r->section.count)
        return bad(r, r->section_offset, err, "micro-batches that do not add up to the update's examples");
    r->stream.updates++;
    return take_examples(r, fixed + n * sizeof(uint64_t), err);
}

/* What the end section, and the head of a stream of updates, say must be what was there. */
static int check_totals(struct pt_stream_reader *r, struct pt_error *err)
{
    const struct pt_stream_totals *totals = &r->stream;
    const struct pt_stream_head *head = &r->head;
    uint64_t counted[PT_END_WORDS] = {totals->updates, totals->examples, totals->tokens, totals->targets};
    uint64_t announced[PT_END_WORDS] = {head->n_updates, head->n_examples, head->n_tokens, head->n_targets};
    if (r->section.payload_bytes != sizeof counted || memcmp(r->payload, counted, sizeof counted) != 0)
        return bad(r, r->section_offset, err,
                   "the totals of the end section are not those of the sections before it");
    if (head->kind == PT_STREAM_UPDATES && memcmp(announced, counted, sizeof counted) != 0)
        return bad(r, r->section_offset, err, "the head announces other totals than the sections hold");
    return PT_OK;
}

static int read_head(struct pt_stream_reader *r, struct pt_stream_head *head, struct pt_error *err)
{
    r->chain = 0;
    if (read_section(r, err))
        return (int)err->status;
    if (!section_is(r, PT_SECTION_HEAD))
        return bad(r, r->section_offset, err, "the first section is not a head");
    if (pt_stream_head_parse(head, r->payload ? r->payload : "", r->section.payload_bytes, err))
        return pt_error_in(err, "%s: byte %" PRIu64, pt_source_name(r->source), r->section_offset);
    return PT_OK;
}

/* Another stream behind the one that ended: allowed where both hold examples that belong together. */
static int join(struct pt_stream_reader *r, struct pt_error *err)
{
    char magic[PT_STREAM_MAGIC_BYTES];
    uint64_t offset = pt_source_offset(r->source);
    if (read_bytes(r, magic, sizeof magic, "a second stream", err))
        return (int)err->status;
    if (memcmp(magic, PT_STREAM_MAGIC, sizeof magic) != 0)
        return bad(r, offset, err, "bytes behind the end of the token stream");
    uint64_t chain = r->chain;
    struct pt_stream_head head;
    if (read_head(r, &head, err))
        return (int)err->status;
    if (r->head.kind == PT_STREAM_UPDATES || head.kind == PT_STREAM_UPDATES) {
        pt_fail(err, PT_MISMATCH, "%s: byte %" PRIu64 ": a second stream, but updates do not concatenate",
                pt_source_name(r->source), offset);
        pt_error_hint(err, "join streams of examples in front of pt-pack");
    } else if (pt_stream_head_compare(&r->head, &head, err)) {
        pt_error_in(err, "%s: byte %" PRIu64, pt_source_name(r->source), offset);
    }
    pt_stream_head_free(&head);
    r->earlier = pt_hash64(&chain, sizeof chain, r->earlier);
    r->before = pt_stream_reader_totals(r);
    r->stream = (struct pt_stream_totals){0};
    return (int)err->status;
}

/* The end section: nothing, or another stream, follows. */
static int finish_stream(struct pt_stream_reader *r, struct pt_error *err)
{
    if (check_totals(r, err))
        return (int)err->status;
    const void *bytes;
    size_t n;
    if (pt_source_peek(r->source, 1, &bytes, &n, err))
        return (int)err->status;
    r->end = n == 0;
    return r->end ? PT_OK : join(r, err);
}

/* Goes on to the next section with examples in it, or to the end. */
static int next_section(struct pt_stream_reader *r, struct pt_error *err)
{
    bool updates = r->head.kind == PT_STREAM_UPDATES;
    r->n_examples = r->next = 0;
    while (!r->end && !r->n_examples) {
        if (read_section(r, err))
            return (int)err->status;
        if (section_is(r, PT_SECTION_END)) {
            if (finish_stream(r, err))
                return (int)err->status;
            continue;
        }
        if (!section_is(r, updates ? PT_SECTION_UPDATE : PT_SECTION_EXAMPLES))
            return bad(r, r->section_offset, err, "a section that has no place here");
        if ((updates ? take_update(r, err) : take_examples(r, 0, err)) || check_words(r, err))
            return (int)err->status;
    }
    return PT_OK;
}

/* Refuses what does not begin like a token stream, as helpfully as possible. */
static int read_magic(struct pt_stream_reader *r, struct pt_error *err)
{
    const void *bytes;
    size_t n;
    if (pt_source_peek(r->source, PT_STREAM_MAGIC_BYTES, &bytes, &n, err))
        return (int)err->status;
    if (n == 0) {
        pt_fail(err, PT_BAD_INPUT, "%s: empty, where a token stream was expected (byte 0)",
                pt_source_name(r->source));
        return pt_error_hint(err, "the previous command probably failed, or redirected its output");
    }
    if (n >= 4 && !memcmp(bytes, PT_STREAM_MAGIC, 4) && memcmp(bytes, PT_STREAM_MAGIC, n) != 0)
        return bad(r, 0, err, "a token stream that was damaged by a conversion of line ends");
    if (memcmp(bytes, PT_STREAM_MAGIC, n) != 0) {
        bad(r, 0, err, "not a token stream");
        return pt_error_hint(err, "pt-tokenize makes token streams of text, pt-pack makes updates of them");
    }
    char magic[PT_STREAM_MAGIC_BYTES];
    return read_bytes(r, magic, sizeof magic, "a token stream's magic number", err);
}

int pt_stream_reader_open(struct pt_stream_reader **reader, struct pt_source *source, struct pt_error *err)
{
    struct pt_stream_reader *r = *reader = pt_new_array(1, sizeof *r, err);
    if (!r)
        return (int)err->status;
    r->source = source;
    if (read_magic(r, err) || read_head(r, &r->head, err)) {
        pt_stream_reader_free(r);
        *reader = NULL;
    }
    return (int)err->status;
}

const struct pt_stream_head *pt_stream_reader_head(const struct pt_stream_reader *reader)
{
    return &reader->head;
}

int pt_stream_reader_check_updates(const struct pt_stream_reader *reader, struct pt_error *err)
{
    if (reader->head.kind == PT_STREAM_UPDATES)
        return PT_OK;
    pt_fail(err, PT_MISMATCH, "%s: a stream of examples, where updates are needed",
            pt_source_name(reader->source));
    return pt_error_hint(err, "pt-pack makes updates of examples");
}

int pt_stream_read_example(struct pt_stream_reader *reader, struct pt_example *example, bool *end,
                           struct pt_error *err)
{
    if (reader->next == reader->n_examples && next_section(reader, err))
        return (int)err->status;
    *end = reader->end;
    if (!reader->end)
        *example = reader->examples[reader->next++];
    return PT_OK;
}

int pt_stream_read_update(struct pt_stream_reader *reader, struct pt_update *update, bool *end,
                          struct pt_error *err)
{
    if (pt_stream_reader_check_updates(reader, err) || next_section(reader, err))
        return (int)err->status;
    *end = reader->end;
    if (reader->end)
        return PT_OK;
    *update = (struct pt_update){.n_examples = reader->n_examples, .examples = reader->examples};
    memcpy(&update->epoch, reader->payload, sizeof update->epoch);
    memcpy(&update->n_micro_batches, reader->payload + sizeof update->epoch, sizeof update->n_micro_batches);
    update->micro_batch_sizes =
        (const uint64_t *)(const void *)(reader->payload + PT_UPDATE_WORDS * sizeof(uint64_t));
    reader->next = reader->n_examples;
    return PT_OK;
}

uint64_t pt_stream_reader_chain(const struct pt_stream_reader *reader)
{
    return reader->earlier ? pt_hash64(&reader->chain, sizeof reader->chain, reader->earlier) : reader->chain;
}

struct pt_stream_totals pt_stream_reader_totals(const struct pt_stream_reader *reader)
{
    const struct pt_stream_totals *a = &reader->before, *b = &reader->stream;
    return (struct pt_stream_totals){a->updates + b->updates, a->examples + b->examples,
                                     a->tokens + b->tokens, a->targets + b->targets};
}

void pt_stream_reader_free(struct pt_stream_reader *reader)
{
    if (!reader)
        return;
    pt_stream_head_free(&reader->head);
    free(reader->payload);
    free(reader->examples);
    free(reader);
}
