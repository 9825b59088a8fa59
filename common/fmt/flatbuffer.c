/*
 * A table begins with the distance back to its list of field offsets: two bytes for the list's own size, two
 * for the table's, two for each field. Strings, vectors and tables are reached by a distance forward. All
 * that is checked once where it is reached; a field is then compared with its table's size.
 */
#include "fmt/flatbuffer.h"

#include "base/integer.h"

enum { OFFSET_BYTES = 4, LIST_HEAD_BYTES = 4, LIST_ENTRY_BYTES = 2 };

static int damaged(size_t at, const char *why, struct pt_error *err)
{
    return pt_fail(err, PT_BAD_INPUT, "flatbuffer: byte %zu: %s", at, why);
}

static bool fits(size_t n_bytes, size_t at, size_t n)
{
    return at <= n_bytes && n <= n_bytes - at;
}

/* The table at a place that may be anywhere. */
static int open_table(const uint8_t *bytes, size_t n, size_t at, struct pt_flatbuffer_table *table,
                      struct pt_error *err)
{
    if (!fits(n, at, OFFSET_BYTES))
        return damaged(at, "a table outside of the data", err);
    int64_t list = (int64_t)at - (int32_t)pt_little_endian(bytes + at, OFFSET_BYTES);
    if (list < 0 || !fits(n, (size_t)list, LIST_HEAD_BYTES))
        return damaged(at, "a table whose fields are described outside of the data", err);
    size_t n_list = pt_little_endian(bytes + list, 2), n_inline = pt_little_endian(bytes + list + 2, 2);
    if (n_list < LIST_HEAD_BYTES || n_list % LIST_ENTRY_BYTES || !fits(n, (size_t)list, n_list) ||
        n_inline < OFFSET_BYTES || !fits(n, at, n_inline))
        return damaged(at, "a table of an impossible size", err);
    *table = (struct pt_flatbuffer_table){bytes,
                                          n,
                                          at,
                                          n_inline,
                                          (size_t)list + LIST_HEAD_BYTES,
                                          (n_list - LIST_HEAD_BYTES) / LIST_ENTRY_BYTES};
    return PT_OK;
}

/* Follows the distance that is stored at a place within the data. */
static size_t target_of(const uint8_t *bytes, size_t at)
{
    return at + pt_little_endian(bytes + at, OFFSET_BYTES);
}

int pt_flatbuffer_root(const uint8_t *bytes, size_t n, struct pt_flatbuffer_table *table,
                       struct pt_error *err)
{
    if (n < OFFSET_BYTES)
        return damaged(0, "too short", err);
    return open_table(bytes, n, target_of(bytes, 0), table, err);
}

/* Where a field of `width` bytes is; 0 where the table lacks it. */
static int find_field(const struct pt_flatbuffer_table *table, unsigned field, size_t width, size_t *at,
                      struct pt_error *err)
{
    *at = 0;
    if (field >= table->n_fields)
        return PT_OK;
    size_t offset = pt_little_endian(table->bytes + table->offsets_at + LIST_ENTRY_BYTES * field, 2);
    if (offset == 0)
        return PT_OK;
    if (offset < OFFSET_BYTES || !fits(table->n_inline, offset, width))
        return damaged(table->at, "a field outside of its table", err);
    *at = table->at + offset;
    return PT_OK;
}

int pt_flatbuffer_number(const struct pt_flatbuffer_table *table, unsigned field, size_t width,
                         int64_t absent, int64_t *value, struct pt_error *err)
{
    size_t at;
    if (find_field(table, field, width, &at, err))
        return (int)err->status;
    unsigned unused = 64 - 8 * (unsigned)width;
    *value = at ? (int64_t)(pt_little_endian(table->bytes + at, width) << unused) >> unused : absent;
    return PT_OK;
}

int pt_flatbuffer_vector(const struct pt_flatbuffer_table *table, unsigned field, size_t width,
                         struct pt_flatbuffer_vector *vector, struct pt_error *err)
{
    size_t at;
    *vector = (struct pt_flatbuffer_vector){.bytes = table->bytes, .n_bytes = table->n_bytes};
    if (find_field(table, field, OFFSET_BYTES, &at, err) || at == 0)
        return (int)err->status;
    size_t begin = target_of(table->bytes, at);
    if (!fits(table->n_bytes, begin, OFFSET_BYTES))
        return damaged(at, "a vector outside of the data", err);
    vector->n = pt_little_endian(table->bytes + begin, OFFSET_BYTES);
    vector->at = begin + OFFSET_BYTES;
    if (vector->n > (table->n_bytes - vector->at) / width)
        return damaged(begin, "a vector longer than the data", err);
    return PT_OK;
}

int pt_flatbuffer_string(const struct pt_flatbuffer_table *table, unsigned field, const char **text,
                         size_t *n, struct pt_error *err)
{
    struct pt_flatbuffer_vector vector;
    *text = NULL;
    *n = 0;
    if (pt_flatbuffer_vector(table, field, 1, &vector, err) || vector.at == 0)
        return (int)err->status;
    if (!fits(vector.n_bytes, vector.at + vector.n, 1) || vector.bytes[vector.at + vector.n] != 0)
        return damaged(vector.at, "a string without its end", err);
    *text = (const char *)vector.bytes + vector.at;
    *n = vector.n;
    return PT_OK;
}

int pt_flatbuffer_child(const struct pt_flatbuffer_table *table, unsigned field,
                        struct pt_flatbuffer_table *child, bool *found, struct pt_error *err)
{
    size_t at;
    if (find_field(table, field, OFFSET_BYTES, &at, err))
        return (int)err->status;
    *found = at != 0;
    return at ? open_table(table->bytes, table->n_bytes, target_of(table->bytes, at), child, err) : PT_OK;
}

int pt_flatbuffer_element(const struct pt_flatbuffer_vector *vector, size_t i,
                          struct pt_flatbuffer_table *table, struct pt_error *err)
{
    size_t at = vector->at + OFFSET_BYTES * i;
    return open_table(vector->bytes, vector->n_bytes, target_of(vector->bytes, at), table, err);
}
