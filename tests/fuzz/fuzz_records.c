/*
 * Records of files of any kind: JSON, lines, compressed files, archives and their members. The fields of a
 * JSON record are those that jansson finds, where it takes their numbers.
 */
#include "input_file.h"
#include "io/source.h"
#include "text/fields.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_RECORDS = 1000 };

static void compare_with_jansson(const struct pt_fields *fields, const struct pt_record *record)
{
    const char *key;
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_error_t error;
    json_t *value, *tree = json_loadb(record->text, record->n, flags, &error);
    if (!tree && json_error_code(&error) == json_error_numeric_overflow)
        return;
    if (!json_is_object(tree) || json_object_size(tree) != fields->n)
        __builtin_trap();
    json_object_foreach(tree, key, value) {
        const struct pt_field *field = pt_fields_get(fields, key);
        bool is_text = json_is_string(value);
        if (!field || is_text != (field->kind == PT_FIELD_TEXT) ||
            json_is_null(value) != (field->kind == PT_FIELD_NULL))
            __builtin_trap();
        if (is_text && (field->n != json_string_length(value) ||
                        memcmp(field->text, json_string_value(value), field->n)))
            __builtin_trap();
    }
    json_decref(tree);
}

static void read_records(struct pt_records *records)
{
    struct pt_fields fields = {0};
    struct pt_record record;
    bool end = false, skippable = true;
    for (int i = 0; i < MOST_RECORDS && skippable; i++) {
        struct pt_error err = {0};
        int status = pt_records_next(records, &record, &end, &skippable, &err);
        if (!status && end)
            break;
        if (!status) {
            skippable = true;
            status = pt_fields_read(&fields, &record, &err);
            if (!status && record.kind == PT_RECORD_JSON)
                compare_with_jansson(&fields, &record);
        }
        if (status && ((status != PT_BAD_INPUT && status != PT_MISMATCH) || !err.message[0]))
            __builtin_trap();
    }
    pt_fields_free(&fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct pt_error err = {0};
    struct pt_records *records;
    char **paths = NULL;
    size_t n_paths = 0;
    if (pt_source_expand(input_file(bytes, n, "records"), &paths, &n_paths, &err))
        return 0;
    for (size_t i = 0; i < n_paths; i++) {
        if (!pt_records_open(&records, paths[i], PT_RECORDS_ANY, &err)) {
            read_records(records);
            pt_records_close(records);
        }
        free(paths[i]);
    }
    free(paths);
    return 0;
}
