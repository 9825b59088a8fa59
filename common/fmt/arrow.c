/*
 * Messages one behind the other: a mark, the length of the metadata, the metadata (a flatbuffer), the body.
 * First the schema, then dictionaries and batches, then a length of zero. The file format is the same between
 * a magic and a footer, which lists the batches again; their number is compared. From a mapped file nothing
 * is copied; from a source, metadata and body of the current message are.
 */
#include "fmt/arrow_inside.h"

#include "base/integer.h"
#include "base/memory.h"
#include "io/map.h"

#include <stdlib.h>
#include <string.h>

enum { MARK_BYTES = 4, LENGTH_BYTES = 4, BLOCK_BYTES = 24, READ_BYTES = 1 << 20, METADATA_LIMIT = 1 << 28 };
enum { METADATA_V4 = 3, METADATA_V5 = 4 };
enum { FOOTER_DICTIONARIES = 2, FOOTER_BATCHES };
enum { DICTIONARY_ID, DICTIONARY_DATA, DICTIONARY_IS_DELTA };
static const char continuation[MARK_BYTES] = {'\xff', '\xff', '\xff', '\xff'};
static const char file_magic[PT_ARROW_MAGIC_BYTES] = "ARROW1\0"; /* padded to 8 bytes */
enum { CLOSING_MAGIC_BYTES = 6 };

struct pt_arrow {
    char *name; /* owned, for messages */
    struct pt_map map;
    struct pt_source *source;                /* borrowed; NULL: the map */
    uint64_t at;                             /* bytes taken so far */
    struct pt_buffer schema, metadata, body; /* copies of what was read from the source */
    struct pt_arrow_column rows;
    uint64_t n_batches, n_dictionaries;
    bool is_file, at_end;
};

bool pt_arrow_recognise(const void *bytes, size_t n)
{
    return n >= PT_ARROW_MAGIC_BYTES &&
           (!memcmp(bytes, continuation, MARK_BYTES) || !memcmp(bytes, file_magic, PT_ARROW_MAGIC_BYTES));
}

/* `got` bytes are all there is of something. */
static int cut_short(size_t got, const char *what, struct pt_error *err)
{
    return pt_fail(err, PT_BAD_INPUT, got ? "it ends in the middle of %s" : "it ends where %s should be",
                   what);
}

/* Reads n bytes in steps, so that a damaged length does not reserve memory for what is not there. */
static int fill(struct pt_source *source, size_t n, struct pt_buffer *buffer, size_t *got,
                struct pt_error *err)
{
    pt_buffer_clear(buffer);
    do {
        size_t step = buffer->size > READ_BYTES ? buffer->size : READ_BYTES, left = n - buffer->size;
        step = step < left ? step : left;
        if (pt_buffer_reserve(buffer, step, err) ||
            pt_source_read(source, buffer->data + buffer->size, step, got, err))
            return (int)err->status;
        buffer->size += *got;
        if (*got < step)
            break;
    } while (buffer->size < n);
    *got = buffer->size;
    return PT_OK;
}

/* The next n bytes; a copy of them is in `buffer` unless the file is mapped. */
static int take(struct pt_arrow *arrow, uint64_t n, const char *what, struct pt_buffer *buffer,
                struct pt_arrow_buffer *bytes, struct pt_error *err)
{
    size_t got = 0;
    if (arrow->source) {
        if (fill(arrow->source, n, buffer, &got, err))
            return (int)err->status;
        *bytes = (struct pt_arrow_buffer){(const uint8_t *)buffer->data, got};
    } else {
        uint64_t left = arrow->map.size - arrow->at;
        got = n < left ? n : left;
        *bytes = (struct pt_arrow_buffer){arrow->map.data + arrow->at, got};
    }
    if (got < n)
        return cut_short(got, what, err);
    arrow->at += n;
    return PT_OK;
}

struct message {
    int64_t kind, body_bytes;
    struct pt_flatbuffer_table header;
    uint64_t at;
};

static int parse_message(struct message *message, struct pt_arrow_buffer metadata, struct pt_error *err)
{
    struct pt_flatbuffer_table table;
    int64_t version;
    bool found;
    if (pt_flatbuffer_root(metadata.bytes, metadata.n, &table, err) ||
        pt_flatbuffer_number(&table, PT_MESSAGE_VERSION, 2, 0, &version, err) ||
        pt_flatbuffer_number(&table, PT_MESSAGE_KIND, 1, 0, &message->kind, err) ||
        pt_flatbuffer_number(&table, PT_MESSAGE_BODY_BYTES, 8, 0, &message->body_bytes, err) ||
        pt_flatbuffer_child(&table, PT_MESSAGE_HEADER, &message->header, &found, err))
        return (int)err->status;
    if (version != METADATA_V4 && version != METADATA_V5)
        return pt_fail(err, PT_MISMATCH, "version %lld of Arrow's metadata is not supported",
                       (long long)version + 1);
    if (!found || message->body_bytes < 0)
        return pt_fail(err, PT_BAD_INPUT, "a message without content");
    return PT_OK;
}

/* The metadata of the next message; of zero bytes: the stream ends here. */
static int take_metadata(struct pt_arrow *arrow, struct pt_buffer *buffer, struct pt_arrow_buffer *metadata,
                         struct pt_error *err)
{
    struct pt_arrow_buffer head;
    if (take(arrow, MARK_BYTES + LENGTH_BYTES, "a batch or the end marker", buffer, &head, err))
        return (int)err->status;
    if (memcmp(head.bytes, continuation, MARK_BYTES) != 0)
        return pt_fail(err, PT_BAD_INPUT, "no message where one should begin");
    uint64_t n = pt_little_endian(head.bytes + MARK_BYTES, LENGTH_BYTES);
    if (n > METADATA_LIMIT)
        return pt_fail(err, PT_BAD_INPUT, "%llu bytes of metadata are too many", (unsigned long long)n);
    *metadata = (struct pt_arrow_buffer){0};
    return n ? take(arrow, n, "a batch's description", buffer, metadata, err) : PT_OK;
}

/* Compares the footer of the file format, which is all that is left, with what was read. */
static int check_footer(struct pt_arrow *arrow, struct pt_arrow_buffer rest, struct pt_error *err)
{
    struct pt_flatbuffer_table footer;
    struct pt_flatbuffer_vector dictionaries, batches;
    size_t tail = LENGTH_BYTES + CLOSING_MAGIC_BYTES;
    if (rest.n < tail || memcmp(rest.bytes + rest.n - CLOSING_MAGIC_BYTES, file_magic, CLOSING_MAGIC_BYTES) ||
        pt_little_endian(rest.bytes + rest.n - tail, LENGTH_BYTES) != rest.n - tail)
        return pt_fail(err, PT_BAD_INPUT, "no footer at its end");
    if (pt_flatbuffer_root(rest.bytes, rest.n - tail, &footer, err) ||
        pt_flatbuffer_vector(&footer, FOOTER_DICTIONARIES, BLOCK_BYTES, &dictionaries, err) ||
        pt_flatbuffer_vector(&footer, FOOTER_BATCHES, BLOCK_BYTES, &batches, err))
        return (int)err->status;
    if (batches.n != arrow->n_batches || dictionaries.n != arrow->n_dictionaries)
        return pt_fail(err, PT_BAD_INPUT, "its footer lists %zu batches and %zu dictionaries", batches.n,
                       dictionaries.n);
    return PT_OK;
}

/* Behind the end marker. */
static int finish(struct pt_arrow *arrow, struct pt_error *err)
{
    struct pt_arrow_buffer rest;
    arrow->at_end = true;
    if (arrow->source) {
        pt_buffer_clear(&arrow->body);
        if (pt_source_read_all(arrow->source, METADATA_LIMIT, &arrow->body, err))
            return (int)err->status;
        rest = (struct pt_arrow_buffer){(const uint8_t *)arrow->body.data, arrow->body.size};
    } else {
        rest = (struct pt_arrow_buffer){arrow->map.data + arrow->at, arrow->map.size - arrow->at};
    }
    if (arrow->is_file)
        return check_footer(arrow, rest, err);
    return rest.n ? pt_fail(err, PT_BAD_INPUT, "%zu bytes behind its end", rest.n) : PT_OK;
}

static int read_dictionary(struct pt_arrow *arrow, const struct message *message, struct pt_arrow_buffer body,
                           struct pt_error *err)
{
    struct pt_flatbuffer_table batch;
    int64_t id, is_delta;
    bool found;
    if (pt_flatbuffer_number(&message->header, DICTIONARY_ID, 8, 0, &id, err) ||
        pt_flatbuffer_number(&message->header, DICTIONARY_IS_DELTA, 1, 0, &is_delta, err) ||
        pt_flatbuffer_child(&message->header, DICTIONARY_DATA, &batch, &found, err))
        return (int)err->status;
    struct pt_arrow_dictionary *dictionary = pt_arrow_find_dictionary(&arrow->rows, id);
    if (!dictionary || !found)
        return pt_fail(err, PT_BAD_INPUT, "dictionary %lld, which no column has", (long long)id);
    if (is_delta)
        return pt_fail(err, PT_MISMATCH, "deltas of dictionaries are not supported");
    arrow->n_dictionaries++;
    /* It stays when the next body is read. */
    struct pt_buffer old = dictionary->body;
    dictionary->body = arrow->body;
    arrow->body = old;
    return pt_arrow_dictionaries_read(&arrow->rows, id, &batch, body, err);
}

/* Takes one message; *is_batch: the rows are new ones. */
static int read_message(struct pt_arrow *arrow, bool *is_batch, struct pt_error *err)
{
    struct pt_arrow_buffer metadata, body;
    struct message message;
    if (take_metadata(arrow, &arrow->metadata, &metadata, err))
        return (int)err->status;
    if (metadata.n == 0)
        return finish(arrow, err);
    if (parse_message(&message, metadata, err))
        return (int)err->status;
    if (message.kind != PT_MESSAGE_DICTIONARY && message.kind != PT_MESSAGE_BATCH)
        return pt_fail(err, PT_BAD_INPUT, "a message of kind %lld", (long long)message.kind);
    if (take(arrow, (uint64_t)message.body_bytes, "a batch's values", &arrow->body, &body, err))
        return (int)err->status;
    *is_batch = message.kind == PT_MESSAGE_BATCH;
    arrow->n_batches += *is_batch;
    return *is_batch ? pt_arrow_batch_read(&arrow->rows, &message.header, body, err)
                     : read_dictionary(arrow, &message, body, err);
}

/* Puts the file's name and the place in front of a message. */
static int in_file(const struct pt_arrow *arrow, uint64_t at, struct pt_error *err)
{
    return pt_error_in(err, "%s: byte %llu", arrow->name, (unsigned long long)at);
}

int pt_arrow_next(struct pt_arrow *arrow, bool *end, struct pt_error *err)
{
    bool is_batch = false;
    while (!arrow->at_end && !is_batch) {
        uint64_t at = arrow->at;
        if (read_message(arrow, &is_batch, err))
            return in_file(arrow, at, err);
    }
    *end = !is_batch;
    return PT_OK;
}

static int read_schema(struct pt_arrow *arrow, struct pt_error *err)
{
    struct pt_arrow_buffer bytes;
    struct message message;
    if (arrow->is_file && take(arrow, PT_ARROW_MAGIC_BYTES, "its magic", &arrow->schema, &bytes, err))
        return (int)err->status;
    if (take_metadata(arrow, &arrow->schema, &bytes, err))
        return (int)err->status;
    if (bytes.n == 0)
        return pt_fail(err, PT_BAD_INPUT, "it ends in front of its schema");
    if (parse_message(&message, bytes, err))
        return (int)err->status;
    if (message.kind != PT_MESSAGE_SCHEMA || message.body_bytes != 0)
        return pt_fail(err, PT_BAD_INPUT, "no schema at its beginning");
    return pt_arrow_schema_read(&arrow->rows, &message.header, err);
}

static int begin(struct pt_arrow *arrow, const void *magic, size_t n, struct pt_error *err)
{
    if (!pt_arrow_recognise(magic, n))
        pt_fail(err, PT_BAD_INPUT, "%s: not an Arrow stream or file", arrow->name);
    else {
        arrow->is_file = memcmp(magic, file_magic, PT_ARROW_MAGIC_BYTES) == 0;
        if (read_schema(arrow, err))
            (void)!in_file(arrow, 0, err);
    }
    return (int)err->status;
}

static struct pt_arrow *new_arrow(const char *name, struct pt_error *err)
{
    struct pt_arrow *arrow = pt_new_array(1, sizeof *arrow, err);
    if (!arrow)
        return NULL;
    arrow->name = pt_new_string(name, err);
    if (arrow->name)
        return arrow;
    pt_arrow_close(arrow);
    return NULL;
}

int pt_arrow_open(struct pt_arrow **out, const char *path, struct pt_error *err)
{
    struct pt_arrow *arrow = new_arrow(path, err);
    *out = NULL;
    if (arrow && !pt_map_open(&arrow->map, path, err) && !begin(arrow, arrow->map.data, arrow->map.size, err))
        *out = arrow;
    else
        pt_arrow_close(arrow);
    return (int)err->status;
}

int pt_arrow_open_source(struct pt_arrow **out, struct pt_source *source, struct pt_error *err)
{
    struct pt_arrow *arrow = new_arrow(pt_source_name(source), err);
    const void *magic;
    size_t n;
    *out = NULL;
    if (arrow)
        arrow->source = source;
    if (arrow && !pt_source_peek(source, PT_ARROW_MAGIC_BYTES, &magic, &n, err) &&
        !begin(arrow, magic, n, err))
        *out = arrow;
    else
        pt_arrow_close(arrow);
    return (int)err->status;
}

void pt_arrow_close(struct pt_arrow *arrow)
{
    if (!arrow)
        return;
    pt_arrow_column_free(&arrow->rows);
    pt_buffer_free(&arrow->schema);
    pt_buffer_free(&arrow->metadata);
    pt_buffer_free(&arrow->body);
    pt_map_close(&arrow->map);
    free(arrow->name);
    free(arrow);
}

const struct pt_arrow_column *pt_arrow_rows(const struct pt_arrow *arrow)
{
    return &arrow->rows;
}
