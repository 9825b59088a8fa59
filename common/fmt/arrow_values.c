/*
 * Single values. Where one's place follows from its row, the batch was checked for it; places that are
 * themselves data (offsets, views, numbers of dictionary entries) are checked here.
 */
#include "fmt/arrow_inside.h"

#include "base/integer.h"

#include <string.h>

enum { VIEW_BYTES = 16, VIEW_INSIDE_BYTES = 12 };

static bool bit(const uint8_t *bytes, uint64_t i)
{
    return bytes[i / 8] >> (i % 8) & 1;
}

bool pt_arrow_is_null(const struct pt_arrow_column *column, uint64_t row)
{
    return column->kind == PT_ARROW_NULL || (column->validity.bytes && !bit(column->validity.bytes, row));
}

bool pt_arrow_boolean(const struct pt_arrow_column *column, uint64_t row)
{
    return bit(column->values.bytes, row);
}

double pt_arrow_real(const struct pt_arrow_column *column, uint64_t row)
{
    const uint8_t *bytes = column->values.bytes + row * column->width;
    float single;
    double value;
    if (column->width == sizeof value) {
        memcpy(&value, bytes, sizeof value);
        return value;
    }
    memcpy(&single, bytes, sizeof single);
    return (double)single;
}

int pt_arrow_integer(const struct pt_arrow_column *column, uint64_t row, int64_t *value, struct pt_error *err)
{
    uint64_t bits = pt_little_endian(column->values.bytes + row * column->width, column->width);
    if (column->is_signed) {
        unsigned unused = 64 - 8 * (unsigned)column->width;
        *value = (int64_t)(bits << unused) >> unused;
        return PT_OK;
    }
    if (bits > INT64_MAX)
        return pt_fail(err, PT_BAD_INPUT, "%llu is too big a number", (unsigned long long)bits);
    *value = (int64_t)bits;
    return PT_OK;
}

static int outside(struct pt_error *err)
{
    return pt_fail(err, PT_BAD_INPUT, "a value outside of its column");
}

/* The offsets of a row and of the one behind it. */
static int find_span(const struct pt_arrow_column *column, uint64_t row, uint64_t most, uint64_t *begin,
                     uint64_t *end, struct pt_error *err)
{
    const uint8_t *offsets = column->values.bytes + row * column->width;
    *begin = pt_little_endian(offsets, column->width);
    *end = pt_little_endian(offsets + column->width, column->width);
    return *begin <= *end && *end <= most ? PT_OK : outside(err);
}

/* A view: its length, and the text itself if it is short, else its beginning, which buffer it is in, where.
 */
static int find_view(const struct pt_arrow_column *column, uint64_t row, const char **text, size_t *n,
                     struct pt_error *err)
{
    const uint8_t *view = column->values.bytes + row * VIEW_BYTES;
    *n = pt_little_endian(view, 4);
    if (*n <= VIEW_INSIDE_BYTES) {
        *text = (const char *)view + 4;
        return PT_OK;
    }
    uint64_t buffer = pt_little_endian(view + 8, 4), offset = pt_little_endian(view + 12, 4);
    if (buffer >= column->n_texts || offset > column->texts[buffer].n ||
        *n > column->texts[buffer].n - offset)
        return outside(err);
    *text = (const char *)column->texts[buffer].bytes + offset;
    return PT_OK;
}

int pt_arrow_text(const struct pt_arrow_column *column, uint64_t row, const char **text, size_t *n,
                  struct pt_error *err)
{
    uint64_t begin, end;
    if (column->is_view)
        return find_view(column, row, text, n, err);
    if (find_span(column, row, column->text.n, &begin, &end, err))
        return (int)err->status;
    *n = end - begin;
    *text = *n ? (const char *)column->text.bytes + begin : "";
    return PT_OK;
}

int pt_arrow_list(const struct pt_arrow_column *column, uint64_t row, uint64_t *begin, uint64_t *end,
                  struct pt_error *err)
{
    if (column->width)
        return find_span(column, row, column->children[0].n_rows, begin, end, err);
    *begin = row * column->fixed_length;
    *end = *begin + column->fixed_length;
    return PT_OK;
}

int pt_arrow_resolve(const struct pt_arrow_column **column, uint64_t *row, struct pt_error *err)
{
    const struct pt_arrow_dictionary *dictionary = (*column)->dictionary;
    int64_t entry;
    if (!dictionary)
        return PT_OK;
    if (pt_arrow_integer(*column, *row, &entry, err))
        return (int)err->status;
    if (!dictionary->is_there || entry < 0 || (uint64_t)entry >= dictionary->values.n_rows)
        return pt_fail(err, PT_BAD_INPUT, "entry %lld of a dictionary that lacks it", (long long)entry);
    *column = &dictionary->values;
    *row = (uint64_t)entry;
    return PT_OK;
}
