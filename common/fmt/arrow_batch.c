/*
 * A batch lists its columns' lengths and buffers in the order in which a walk down the schema meets them.
 * Here each buffer's place is compared with the body, and each column's length with its buffers, so that what
 * has one value for each row needs no check later.
 */
#include "fmt/arrow_inside.h"

#include "base/integer.h"
#include "base/memory.h"

enum { BATCH_ROWS, BATCH_NODES, BATCH_BUFFERS, BATCH_COMPRESSION, BATCH_VARIADIC_COUNTS };
enum { COMPRESSION_CODEC };
enum { PLACE_BYTES = 16, COUNT_BYTES = 8, VIEW_BYTES = 16 };

struct loader {
    struct pt_flatbuffer_vector nodes, buffers; /* structs of two numbers: rows, nulls; offset, size */
    struct pt_flatbuffer_vector counts;         /* how many texts each column of views has */
    size_t node, buffer, count;                 /* the next of each */
    struct pt_arrow_buffer body;
};

static int64_t number_at(const struct pt_flatbuffer_vector *vector, size_t at)
{
    return (int64_t)pt_little_endian(vector->bytes + vector->at + at, 8);
}

static int bad(const char *why, struct pt_error *err)
{
    return pt_fail(err, PT_BAD_INPUT, "%s", why);
}

static int take_node(struct loader *loader, uint64_t *n_rows, uint64_t *n_null, struct pt_error *err)
{
    if (loader->node == loader->nodes.n)
        return bad("the batch describes fewer columns than the schema", err);
    size_t at = PLACE_BYTES * loader->node++;
    int64_t rows = number_at(&loader->nodes, at), nulls = number_at(&loader->nodes, at + 8);
    if (rows < 0 || nulls < 0 || nulls > rows)
        return bad("an impossible number of rows or nulls", err);
    *n_rows = (uint64_t)rows;
    *n_null = (uint64_t)nulls;
    return PT_OK;
}

static int take_buffer(struct loader *loader, struct pt_arrow_buffer *buffer, struct pt_error *err)
{
    if (loader->buffer == loader->buffers.n)
        return bad("the batch has fewer buffers than its columns need", err);
    size_t at = PLACE_BYTES * loader->buffer++;
    int64_t offset = number_at(&loader->buffers, at), n = number_at(&loader->buffers, at + 8);
    if (offset < 0 || n < 0 || (uint64_t)offset > loader->body.n ||
        (uint64_t)n > loader->body.n - (uint64_t)offset)
        return bad("a buffer outside of the batch", err);
    *buffer = (struct pt_arrow_buffer){n ? loader->body.bytes + offset : NULL, (size_t)n};
    return PT_OK;
}

/* The buffers behind a column of views: as many as the batch says. */
static int take_texts(struct loader *loader, struct pt_arrow_column *column, struct pt_error *err)
{
    if (loader->count == loader->counts.n)
        return bad("the batch does not say where the texts of its views are", err);
    int64_t n = number_at(&loader->counts, COUNT_BYTES * loader->count++);
    if (n < 0 || (uint64_t)n > loader->buffers.n - loader->buffer)
        return bad("the batch has fewer buffers than its views need", err);
    column->n_texts = 0;
    if (pt_reserve(&column->texts, &column->texts_capacity, (size_t)n, sizeof *column->texts, err))
        return (int)err->status;
    for (; column->n_texts < (size_t)n; column->n_texts++)
        if (take_buffer(loader, &column->texts[column->n_texts], err))
            return (int)err->status;
    return PT_OK;
}

static bool has_bits(const struct pt_arrow_buffer *buffer, uint64_t n)
{
    return n / 8 + (n % 8 != 0) <= buffer->n;
}

/* Whether the values' buffer is long enough: offsets are one more than rows, but may be absent without any.
 */
static bool has_values(const struct pt_arrow_column *column)
{
    uint64_t n = column->n_rows, width = column->is_view ? VIEW_BYTES : column->width;
    if (column->kind == PT_ARROW_BOOLEAN)
        return has_bits(&column->values, n);
    if (column->kind == PT_ARROW_OTHER || width == 0 || n == 0)
        return true;
    bool has_offsets = column->kind >= PT_ARROW_TEXT && !column->is_view;
    return n <= column->values.n / width - (has_offsets && column->values.n >= width);
}

/* Whether each row has its elements in the children. */
static bool has_elements(const struct pt_arrow_column *column)
{
    if (column->kind == PT_ARROW_STRUCT) {
        for (size_t i = 0; i < column->n_children; i++)
            if (column->children[i].n_rows < column->n_rows)
                return false;
    } else if (column->kind == PT_ARROW_LIST && column->width == 0) {
        uint64_t n;
        return pt_multiply(column->n_rows, column->fixed_length, &n) && n <= column->children[0].n_rows;
    }
    return true;
}

static int take_buffers(struct loader *loader, struct pt_arrow_column *column, struct pt_error *err)
{
    struct pt_arrow_buffer *const places[] = {&column->validity, &column->values, &column->text};
    for (unsigned i = 0; i < column->n_buffers; i++)
        if (take_buffer(loader, places[i], err))
            return (int)err->status;
    return column->is_view ? take_texts(loader, column, err) : PT_OK;
}

static int load_column(struct loader *loader, struct pt_arrow_column *column, struct pt_error *err)
{
    uint64_t n_null = 0;
    if (take_node(loader, &column->n_rows, &n_null, err) || take_buffers(loader, column, err))
        return (int)err->status;
    if (n_null == 0)
        column->validity = (struct pt_arrow_buffer){0};
    else if (column->n_buffers > 0 && !has_bits(&column->validity, column->n_rows))
        return bad("fewer marks of nulls than rows", err);
    for (size_t i = 0; i < column->n_children; i++)
        if (load_column(loader, &column->children[i], err))
            return (int)err->status;
    if (!has_values(column) || !has_elements(column))
        return bad("fewer values than rows", err);
    return PT_OK;
}

static int check_compression(const struct pt_flatbuffer_table *batch, struct pt_error *err)
{
    struct pt_flatbuffer_table compression;
    int64_t codec;
    bool found;
    if (pt_flatbuffer_child(batch, BATCH_COMPRESSION, &compression, &found, err) || !found ||
        pt_flatbuffer_number(&compression, COMPRESSION_CODEC, 1, 0, &codec, err))
        return (int)err->status;
    pt_fail(err, PT_MISMATCH, "its batches are compressed (%s), which is not supported",
            codec == 0   ? "LZ4"
            : codec == 1 ? "ZSTD"
                         : "by an unknown method");
    return pt_error_hint(err, "load it and write it anew without compression");
}

static int open_loader(struct loader *loader, const struct pt_flatbuffer_table *batch,
                       struct pt_arrow_buffer body, struct pt_error *err)
{
    *loader = (struct loader){.body = body};
    if (check_compression(batch, err) ||
        pt_flatbuffer_vector(batch, BATCH_NODES, PLACE_BYTES, &loader->nodes, err) ||
        pt_flatbuffer_vector(batch, BATCH_BUFFERS, PLACE_BYTES, &loader->buffers, err))
        return (int)err->status;
    return pt_flatbuffer_vector(batch, BATCH_VARIADIC_COUNTS, COUNT_BYTES, &loader->counts, err);
}

int pt_arrow_batch_read(struct pt_arrow_column *rows, const struct pt_flatbuffer_table *batch,
                        struct pt_arrow_buffer body, struct pt_error *err)
{
    struct loader loader;
    int64_t n_rows;
    if (pt_flatbuffer_number(batch, BATCH_ROWS, 8, 0, &n_rows, err) || open_loader(&loader, batch, body, err))
        return (int)err->status;
    if (n_rows < 0)
        return bad("a negative number of rows", err);
    for (size_t i = 0; i < rows->n_children; i++) {
        struct pt_arrow_column *column = &rows->children[i];
        if (load_column(&loader, column, err))
            return pt_error_in(err, "column \"%.100s\"", column->name);
        if (column->n_rows != (uint64_t)n_rows)
            return pt_fail(err, PT_BAD_INPUT, "column \"%.100s\": %llu rows in a batch of %llu", column->name,
                           (unsigned long long)column->n_rows, (unsigned long long)n_rows);
    }
    if (loader.node != loader.nodes.n || loader.buffer != loader.buffers.n || loader.count != loader.counts.n)
        return bad("the batch describes more columns than the schema", err);
    rows->n_rows = (uint64_t)n_rows;
    return PT_OK;
}

struct pt_arrow_dictionary *pt_arrow_find_dictionary(const struct pt_arrow_column *column, int64_t id)
{
    struct pt_arrow_dictionary *found = NULL;
    if (column->dictionary)
        found = column->dictionary->id == id ? column->dictionary
                                             : pt_arrow_find_dictionary(&column->dictionary->values, id);
    for (size_t i = 0; i < column->n_children && !found; i++)
        found = pt_arrow_find_dictionary(&column->children[i], id);
    return found;
}

static int read_dictionary(struct pt_arrow_dictionary *dictionary, const struct pt_flatbuffer_table *batch,
                           struct pt_arrow_buffer body, struct pt_error *err)
{
    /* The values are the only column of the batch. */
    struct pt_arrow_column rows = {.kind = PT_ARROW_STRUCT, .children = &dictionary->values, .n_children = 1};
    dictionary->is_there = false;
    if (pt_arrow_batch_read(&rows, batch, body, err))
        return (int)err->status;
    dictionary->is_there = true;
    return PT_OK;
}

int pt_arrow_dictionaries_read(struct pt_arrow_column *column, int64_t id,
                               const struct pt_flatbuffer_table *batch, struct pt_arrow_buffer body,
                               struct pt_error *err)
{
    struct pt_arrow_dictionary *own = column->dictionary;
    if (own && (own->id == id ? read_dictionary(own, batch, body, err)
                              : pt_arrow_dictionaries_read(&own->values, id, batch, body, err)))
        return (int)err->status;
    for (size_t i = 0; i < column->n_children; i++)
        if (pt_arrow_dictionaries_read(&column->children[i], id, batch, body, err))
            return (int)err->status;
    return PT_OK;
}
