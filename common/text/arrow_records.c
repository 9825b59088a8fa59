/*
 * One row at a time becomes JSON. Lists, views and dictionaries may name the same few bytes over and over, so
 * a record's size is counted while it is built.
 */
#include "text/arrow_records.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "fmt/arrow.h"
#include "io/map.h"
#include "text/dataset_folder.h"
#include "text/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a value, one that holds others, and a member of an object count besides their text: about as many as they
 * take in memory. */
enum { VALUE_BYTES = 64, CONTAINER_BYTES = 256, MEMBER_BYTES = 64 };
#define LARGEST_RECORD (UINT64_C(1) << 30)

struct pt_arrow_records {
    struct pt_dataset_folder folder;
    size_t next_path;       /* in the folder */
    struct pt_arrow *arrow; /* owned: the current file */
    uint64_t row, n_rows;   /* of the current batch: the next one */
    uint64_t bytes;         /* that the current record counts so far */
};

/* --- files --- */

/* Whether there is a regular file at `path` that is Arrow data as it stands. */
static int is_arrow_file(const char *path, bool *is, struct pt_error *err)
{
    struct stat status;
    struct pt_map map;
    *is = false;
    if (strcmp(path, "-") == 0 || stat(path, &status) || !S_ISREG(status.st_mode))
        return PT_OK;
    if (pt_map_open(&map, path, err))
        return (int)err->status;
    *is = pt_arrow_recognise(map.data, map.size);
    pt_map_close(&map);
    return PT_OK;
}

int pt_arrow_records_open(struct pt_arrow_records **out, const char *path, struct pt_source *source,
                          struct pt_error *err)
{
    struct pt_arrow_records *records = pt_new_array(1, sizeof *records, err);
    bool mappable;
    *out = NULL;
    if (records && !is_arrow_file(path, &mappable, err) &&
        !(mappable ? pt_arrow_open(&records->arrow, path, err)
                   : pt_arrow_open_source(&records->arrow, source, err)))
        *out = records;
    else
        pt_arrow_records_close(records);
    return (int)err->status;
}

int pt_arrow_records_open_folder(struct pt_arrow_records **out, const char *path, struct pt_error *err)
{
    struct pt_arrow_records *records = pt_new_array(1, sizeof *records, err);
    *out = NULL;
    if (records && !pt_dataset_folder_open(&records->folder, path, err))
        *out = records;
    else
        pt_arrow_records_close(records);
    return (int)err->status;
}

void pt_arrow_records_close(struct pt_arrow_records *records)
{
    if (!records)
        return;
    pt_arrow_close(records->arrow);
    pt_dataset_folder_free(&records->folder);
    free(records);
}

/* Goes to the batch that has the next row, in this file or the next one. *end: there is none. */
static int find_row(struct pt_arrow_records *records, bool *end, struct pt_error *err)
{
    *end = false;
    while (records->row == records->n_rows) {
        bool file_ended = true;
        if (records->arrow && pt_arrow_next(records->arrow, &file_ended, err))
            return (int)err->status;
        records->row = 0;
        records->n_rows = file_ended ? 0 : pt_arrow_rows(records->arrow)->n_rows;
        if (!file_ended)
            continue;
        *end = records->next_path == records->folder.n_paths;
        if (*end)
            return PT_OK;
        pt_arrow_close(records->arrow);
        if (pt_arrow_open(&records->arrow, records->folder.paths[records->next_path++], err))
            return (int)err->status;
    }
    return PT_OK;
}

/* --- values: NULL where they fail --- */

static json_t *value_of(struct pt_arrow_records *records, const struct pt_arrow_column *column, uint64_t row,
                        struct pt_error *err);

static json_t *checked(json_t *value, struct pt_error *err)
{
    if (!value)
        pt_fail(err, PT_FAILED, "out of memory");
    return value;
}

static int too_large(struct pt_error *err)
{
    return pt_fail(err, PT_BAD_INPUT, "a record of more than 1 GiB");
}

static int count_bytes(struct pt_arrow_records *records, size_t n, struct pt_error *err)
{
    if (n > LARGEST_RECORD - records->bytes)
        return too_large(err);
    records->bytes += n;
    return PT_OK;
}

/* The text of a row, which counts. */
static int take_text(struct pt_arrow_records *records, const struct pt_arrow_column *column, uint64_t row,
                     const char **text, size_t *n, struct pt_error *err)
{
    if (pt_arrow_text(column, row, text, n, err))
        return (int)err->status;
    if (count_bytes(records, *n, err))
        return (int)err->status;
    size_t valid = pt_utf8_check(*text, *n);
    return valid == *n ? PT_OK : pt_fail(err, PT_BAD_INPUT, "byte %zu of the text: not UTF-8", valid);
}

static json_t *text_of(struct pt_arrow_records *records, const struct pt_arrow_column *column, uint64_t row,
                       struct pt_error *err)
{
    const char *text;
    size_t n;
    if (take_text(records, column, row, &text, &n, err))
        return NULL;
    if (column->kind == PT_ARROW_TEXT)
        return checked(json_stringn_nocheck(text, n), err);
    json_error_t error;
    json_t *value = pt_record_json(text, n, JSON_DECODE_ANY, &error);
    if (!value)
        pt_fail(err, PT_BAD_INPUT, "its JSON: %s", error.text);
    return value;
}

static json_t *integer_of(const struct pt_arrow_column *column, uint64_t row, struct pt_error *err)
{
    int64_t value;
    struct pt_error beyond = {0};
    return checked(pt_arrow_integer(column, row, &value, &beyond) ? json_real(PT_FIELD_BEYOND)
                                                                  : json_integer(value),
                   err);
}

static json_t *real_of(const struct pt_arrow_column *column, uint64_t row, struct pt_error *err)
{
    double value = pt_arrow_real(column, row);
    return isfinite(value) ? checked(json_real(value), err) : json_null();
}

static json_t *array_of(struct pt_arrow_records *records, const struct pt_arrow_column *column, uint64_t row,
                        struct pt_error *err)
{
    uint64_t begin, end;
    if (pt_arrow_list(column, row, &begin, &end, err))
        return NULL;
    if (end - begin > (LARGEST_RECORD - records->bytes) / VALUE_BYTES) {
        too_large(err);
        return NULL;
    }
    json_t *array = checked(json_array(), err);
    for (uint64_t i = begin; array && i < end; i++) {
        json_t *value = value_of(records, &column->children[0], i, err);
        if (!value || json_array_append_new(array, value)) {
            pt_fail(err, PT_FAILED, "out of memory");
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

/* `visible`: an object with the keys that are taken; NULL: all are. */
static json_t *object_of(struct pt_arrow_records *records, const struct pt_arrow_column *column, uint64_t row,
                         const json_t *visible, struct pt_error *err)
{
    json_t *object = checked(json_object(), err);
    for (size_t i = 0; object && i < column->n_children; i++) {
        const struct pt_arrow_column *child = &column->children[i];
        if (visible && !json_object_get(visible, child->name))
            continue;
        json_t *value = count_bytes(records, MEMBER_BYTES + strlen(child->name), err)
                            ? NULL
                            : value_of(records, child, row, err);
        if (!value || json_object_set_new_nocheck(object, child->name, value)) {
            pt_fail(err, PT_FAILED, "out of memory");
            pt_error_in(err, "\"%.100s\"", child->name);
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

static json_t *value_of(struct pt_arrow_records *records, const struct pt_arrow_column *column, uint64_t row,
                        struct pt_error *err)
{
    const bool holds_others =
        column->kind == PT_ARROW_LIST || column->kind == PT_ARROW_STRUCT || column->kind == PT_ARROW_OTHER;
    if (count_bytes(records, holds_others ? CONTAINER_BYTES : VALUE_BYTES, err))
        return NULL;
    if (pt_arrow_is_null(column, row))
        return json_null();
    if (column->dictionary)
        return pt_arrow_resolve(&column, &row, err) ? NULL : value_of(records, column, row, err);
    switch (column->kind) {
    case PT_ARROW_NULL:
        return json_null();
    case PT_ARROW_BOOLEAN:
        return json_boolean(pt_arrow_boolean(column, row));
    case PT_ARROW_INTEGER:
        return integer_of(column, row, err);
    case PT_ARROW_REAL:
        return real_of(column, row, err);
    case PT_ARROW_TEXT:
    case PT_ARROW_JSON:
        return text_of(records, column, row, err);
    case PT_ARROW_LIST:
        return array_of(records, column, row, err);
    case PT_ARROW_STRUCT:
        return object_of(records, column, row, NULL, err);
    case PT_ARROW_OTHER:
        break;
    }
    return checked(json_object(), err);
}

int pt_arrow_records_next(struct pt_arrow_records *records, json_t **object, size_t *n_bytes, bool *skippable,
                          struct pt_error *err)
{
    bool end;
    *object = NULL;
    *n_bytes = 0;
    *skippable = false;
    if (find_row(records, &end, err) || end)
        return (int)err->status;
    *skippable = true;
    records->bytes = 0;
    *object = object_of(records, pt_arrow_rows(records->arrow), records->row++, records->folder.columns, err);
    *n_bytes = records->bytes;
    return (int)err->status;
}
