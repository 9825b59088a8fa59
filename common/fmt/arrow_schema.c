/*
 * A schema is a tree of fields. A flatbuffer may name one subtree many times over, so depth and number of
 * fields are bounded. What kind of values a type has, and how many buffers a batch has for it, is a table.
 */
#include "fmt/arrow_inside.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST_FIELD = 64, MOST_FIELDS = 1 << 16, LONGEST_NAME = 1 << 12, MOST_PAIRS = 1 << 12 };

/* Fields of the tables in Schema.fbs. */
enum { SCHEMA_ENDIANNESS, SCHEMA_FIELDS };
enum { FIELD_NAME, FIELD_TYPE = 2, FIELD_TYPE_TABLE, FIELD_DICTIONARY, FIELD_CHILDREN, FIELD_METADATA };
enum { DICTIONARY_ID, DICTIONARY_INDEX_TYPE };
enum { INT_BITS, INT_IS_SIGNED };
enum { FIRST_MEMBER }; /* of FloatingPoint its precision, of FixedSizeList its size, of Union its mode */
enum { METADATA_KEY, METADATA_VALUE };

/* The numbers of Schema.fbs; those that need more than the table says have a name. */
enum {
    TYPE_INT = 2,
    TYPE_FLOATING_POINT,
    TYPE_UNION = 14,
    TYPE_FIXED_SIZE_LIST = 16,
    TYPE_BINARY_VIEW = 23,
    TYPE_UTF8_VIEW
};

static const struct type {
    const char *name;
    enum pt_arrow_kind kind;
    unsigned n_buffers;
    size_t width;
} types[] = {
    [1] = {"null", PT_ARROW_NULL, 0, 0},
    [TYPE_INT] = {"int", PT_ARROW_INTEGER, 2, 0},
    [TYPE_FLOATING_POINT] = {"float", PT_ARROW_REAL, 2, 0},
    [4] = {"binary", PT_ARROW_OTHER, 3, 0},
    [5] = {"utf8", PT_ARROW_TEXT, 3, 4},
    [6] = {"bool", PT_ARROW_BOOLEAN, 2, 0},
    [7] = {"decimal", PT_ARROW_OTHER, 2, 0},
    [8] = {"date", PT_ARROW_OTHER, 2, 0},
    [9] = {"time", PT_ARROW_OTHER, 2, 0},
    [10] = {"timestamp", PT_ARROW_OTHER, 2, 0},
    [11] = {"interval", PT_ARROW_OTHER, 2, 0},
    [12] = {"list", PT_ARROW_LIST, 2, 4},
    [13] = {"struct", PT_ARROW_STRUCT, 1, 0},
    [TYPE_UNION] = {"union", PT_ARROW_OTHER, 1, 0},
    [15] = {"fixed_size_binary", PT_ARROW_OTHER, 2, 0},
    [TYPE_FIXED_SIZE_LIST] = {"fixed_size_list", PT_ARROW_LIST, 1, 0},
    [17] = {"map", PT_ARROW_OTHER, 2, 0},
    [18] = {"duration", PT_ARROW_OTHER, 2, 0},
    [19] = {"large_binary", PT_ARROW_OTHER, 3, 0},
    [20] = {"large_utf8", PT_ARROW_TEXT, 3, 8},
    [21] = {"large_list", PT_ARROW_LIST, 2, 8},
    [22] = {"run_end_encoded", PT_ARROW_OTHER, 0, 0},
    [TYPE_BINARY_VIEW] = {"binary_view", PT_ARROW_OTHER, 2, 0},
    [TYPE_UTF8_VIEW] = {"utf8_view", PT_ARROW_TEXT, 2, 0},
    [25] = {"list_view", PT_ARROW_OTHER, 3, 0},
    [26] = {"large_list_view", PT_ARROW_OTHER, 3, 0},
};
enum { N_TYPES = sizeof types / sizeof *types };

static int read_field(struct pt_arrow_column *column, const struct pt_flatbuffer_table *field, unsigned depth,
                      size_t *n_fields, struct pt_error *err);

static int read_integer(struct pt_arrow_column *column, const struct pt_flatbuffer_table *type,
                        struct pt_error *err)
{
    int64_t bits, is_signed;
    if (pt_flatbuffer_number(type, INT_BITS, 4, 0, &bits, err) ||
        pt_flatbuffer_number(type, INT_IS_SIGNED, 1, 0, &is_signed, err))
        return (int)err->status;
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
        return pt_fail(err, PT_BAD_INPUT, "integers of %lld bits", (long long)bits);
    column->width = (size_t)bits / 8;
    column->is_signed = is_signed != 0;
    return PT_OK;
}

static int read_real(struct pt_arrow_column *column, const struct pt_flatbuffer_table *type,
                     struct pt_error *err)
{
    int64_t precision;
    if (pt_flatbuffer_number(type, FIRST_MEMBER, 2, 0, &precision, err))
        return (int)err->status;
    if (precision < 0 || precision > 2)
        return pt_fail(err, PT_BAD_INPUT, "floating point of an unknown precision");
    column->width = (size_t)2 << precision;
    if (precision == 0) {
        column->kind = PT_ARROW_OTHER;
        column->type = "halffloat";
    }
    return PT_OK;
}

static int read_list_size(struct pt_arrow_column *column, const struct pt_flatbuffer_table *type,
                          struct pt_error *err)
{
    int64_t size;
    if (pt_flatbuffer_number(type, FIRST_MEMBER, 4, 0, &size, err))
        return (int)err->status;
    if (size < 0)
        return pt_fail(err, PT_BAD_INPUT, "lists of a negative size");
    column->fixed_length = (uint64_t)size;
    return PT_OK;
}

/* A dense union has an offset for each row as well. */
static int read_union(struct pt_arrow_column *column, const struct pt_flatbuffer_table *type,
                      struct pt_error *err)
{
    int64_t mode;
    if (pt_flatbuffer_number(type, FIRST_MEMBER, 2, 0, &mode, err))
        return (int)err->status;
    if (mode != 0 && mode != 1)
        return pt_fail(err, PT_BAD_INPUT, "a union of an unknown mode");
    column->n_buffers += mode == 1;
    return PT_OK;
}

/* The type's own table, where it says more than its number. */
static int read_type_table(struct pt_arrow_column *column, const struct pt_flatbuffer_table *field,
                           int64_t number, struct pt_error *err)
{
    struct pt_flatbuffer_table type;
    bool found;
    if (number != TYPE_INT && number != TYPE_FLOATING_POINT && number != TYPE_FIXED_SIZE_LIST &&
        number != TYPE_UNION)
        return PT_OK;
    if (pt_flatbuffer_child(field, FIELD_TYPE_TABLE, &type, &found, err))
        return (int)err->status;
    if (!found)
        return pt_fail(err, PT_BAD_INPUT, "its type %s is not described", column->type);
    return number == TYPE_INT              ? read_integer(column, &type, err)
           : number == TYPE_FLOATING_POINT ? read_real(column, &type, err)
           : number == TYPE_UNION          ? read_union(column, &type, err)
                                           : read_list_size(column, &type, err);
}

static int read_type(struct pt_arrow_column *column, const struct pt_flatbuffer_table *field,
                     struct pt_error *err)
{
    int64_t number;
    if (pt_flatbuffer_number(field, FIELD_TYPE, 1, 0, &number, err))
        return (int)err->status;
    if (number <= 0)
        return pt_fail(err, PT_BAD_INPUT, "it has no type");
    if (number >= N_TYPES)
        return pt_fail(err, PT_MISMATCH, "Arrow type of an unknown number is not supported");
    const struct type *type = &types[number];
    column->kind = type->kind;
    column->type = type->name;
    column->n_buffers = type->n_buffers;
    column->width = type->width;
    column->is_view = number == TYPE_BINARY_VIEW || number == TYPE_UTF8_VIEW;
    return read_type_table(column, field, number, err);
}

static int read_name(struct pt_arrow_column *column, const struct pt_flatbuffer_table *field,
                     struct pt_error *err)
{
    size_t n;
    if (pt_flatbuffer_string(field, FIELD_NAME, &column->name, &n, err))
        return (int)err->status;
    if (!column->name)
        column->name = "";
    if (n > LONGEST_NAME || strlen(column->name) != n || pt_utf8_check(column->name, n) != n)
        return pt_fail(err, PT_BAD_INPUT, "a column whose name is too long, or no UTF-8");
    return PT_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two of the same name: which one is meant cannot be known. */
static int check_names(const struct pt_arrow_column *parent, struct pt_error *err)
{
    const char **names = pt_new_array(parent->n_children, sizeof *names, err);
    if (!names)
        return (int)err->status;
    for (size_t i = 0; i < parent->n_children; i++)
        names[i] = parent->children[i].name;
    qsort(names, parent->n_children, sizeof *names, compare_names);
    for (size_t i = 1; i < parent->n_children; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            pt_fail(err, PT_BAD_INPUT, "two columns are called \"%.100s\"", names[i]);
    free(names);
    return (int)err->status;
}

static int in_column(const struct pt_arrow_column *column, struct pt_error *err)
{
    return column->name ? pt_error_in(err, "column \"%.100s\"", column->name) : (int)err->status;
}

static int read_children(struct pt_arrow_column *parent, const struct pt_flatbuffer_vector *fields,
                         unsigned depth, size_t *n_fields, struct pt_error *err)
{
    *n_fields += fields->n;
    if (*n_fields > MOST_FIELDS || depth > DEEPEST_FIELD)
        return pt_fail(err, PT_MISMATCH, "more than %d columns, or nested deeper than %d", MOST_FIELDS,
                       DEEPEST_FIELD);
    parent->children = pt_new_array(fields->n, sizeof *parent->children, err);
    if (!parent->children)
        return (int)err->status;
    parent->n_children = fields->n;
    for (size_t i = 0; i < fields->n; i++) {
        struct pt_flatbuffer_table field;
        if (pt_flatbuffer_element(fields, i, &field, err) ||
            read_field(&parent->children[i], &field, depth, n_fields, err))
            return depth ? (int)err->status : in_column(&parent->children[i], err);
    }
    return parent->kind == PT_ARROW_STRUCT ? check_names(parent, err) : PT_OK;
}

/* The column itself then holds numbers; its type is that of the dictionary's values. */
static int read_dictionary(struct pt_arrow_column *column, const struct pt_flatbuffer_table *encoding,
                           struct pt_error *err)
{
    struct pt_flatbuffer_table index_type;
    bool found;
    column->dictionary = pt_new_array(1, sizeof *column->dictionary, err);
    if (!column->dictionary ||
        pt_flatbuffer_number(encoding, DICTIONARY_ID, 8, 0, &column->dictionary->id, err) ||
        pt_flatbuffer_child(encoding, DICTIONARY_INDEX_TYPE, &index_type, &found, err))
        return (int)err->status;
    column->kind = PT_ARROW_INTEGER;
    column->type = "dictionary";
    column->n_buffers = 2;
    column->width = 4;
    column->is_signed = true;
    return found ? read_integer(column, &index_type, err) : PT_OK;
}

static bool is_text(const char *text, size_t n, const char *expected)
{
    return text && n == strlen(expected) && memcmp(text, expected, n) == 0;
}

/* Marks text that holds JSON; other extensions are read as what they are stored as. */
static int read_extension(struct pt_arrow_column *column, const struct pt_flatbuffer_table *field,
                          struct pt_error *err)
{
    struct pt_flatbuffer_vector pairs;
    struct pt_flatbuffer_table pair;
    const char *key, *value;
    size_t n_key, n_value;
    if (column->kind != PT_ARROW_TEXT || pt_flatbuffer_vector(field, FIELD_METADATA, 4, &pairs, err))
        return (int)err->status;
    if (pairs.n > MOST_PAIRS)
        return pt_fail(err, PT_BAD_INPUT, "%zu notes on one column", pairs.n);
    for (size_t i = 0; i < pairs.n; i++) {
        if (pt_flatbuffer_element(&pairs, i, &pair, err) ||
            pt_flatbuffer_string(&pair, METADATA_KEY, &key, &n_key, err) ||
            pt_flatbuffer_string(&pair, METADATA_VALUE, &value, &n_value, err))
            return (int)err->status;
        if (is_text(key, n_key, "ARROW:extension:name") && is_text(value, n_value, "arrow.json"))
            column->kind = PT_ARROW_JSON;
    }
    return PT_OK;
}

/* What the values are: of the column, or of its dictionary. */
static int read_values(struct pt_arrow_column *column, const struct pt_flatbuffer_table *field,
                       unsigned depth, size_t *n_fields, struct pt_error *err)
{
    struct pt_flatbuffer_vector children;
    if (read_type(column, field, err) || pt_flatbuffer_vector(field, FIELD_CHILDREN, 4, &children, err) ||
        read_children(column, &children, depth + 1, n_fields, err))
        return (int)err->status;
    if (column->kind == PT_ARROW_LIST && column->n_children != 1)
        return pt_fail(err, PT_BAD_INPUT, "a list of %zu types", column->n_children);
    return read_extension(column, field, err);
}

static int read_field(struct pt_arrow_column *column, const struct pt_flatbuffer_table *field, unsigned depth,
                      size_t *n_fields, struct pt_error *err)
{
    struct pt_flatbuffer_table encoding;
    bool encoded;
    if (read_name(column, field, err) ||
        pt_flatbuffer_child(field, FIELD_DICTIONARY, &encoding, &encoded, err))
        return (int)err->status;
    if (!encoded)
        return read_values(column, field, depth, n_fields, err);
    if (read_dictionary(column, &encoding, err))
        return (int)err->status;
    column->dictionary->values.name = column->name;
    return read_values(&column->dictionary->values, field, depth, n_fields, err);
}

int pt_arrow_schema_read(struct pt_arrow_column *rows, const struct pt_flatbuffer_table *schema,
                         struct pt_error *err)
{
    struct pt_flatbuffer_vector fields;
    int64_t endianness;
    size_t n_fields = 0;
    if (pt_flatbuffer_number(schema, SCHEMA_ENDIANNESS, 2, 0, &endianness, err) ||
        pt_flatbuffer_vector(schema, SCHEMA_FIELDS, 4, &fields, err))
        return (int)err->status;
    if (endianness != 0)
        return pt_fail(err, PT_MISMATCH, "big-endian Arrow data is not supported");
    rows->kind = PT_ARROW_STRUCT;
    return read_children(rows, &fields, 0, &n_fields, err);
}

void pt_arrow_column_free(struct pt_arrow_column *column)
{
    for (size_t i = 0; i < column->n_children; i++)
        pt_arrow_column_free(&column->children[i]);
    free(column->children);
    free(column->texts);
    if (column->dictionary) {
        pt_arrow_column_free(&column->dictionary->values);
        pt_buffer_free(&column->dictionary->body);
        free(column->dictionary);
    }
}
