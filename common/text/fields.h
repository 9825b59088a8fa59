/*
 * The fields of a record by name, whatever the record came as. No tree is built where the record is an object
 * of plain values; where one is needed it is this record's alone.
 */
#ifndef PT_TEXT_FIELDS_H
#define PT_TEXT_FIELDS_H

#include "base/buffer.h"
#include "text/records.h"

#include <jansson.h>

/* What stands in a record's tree for a number that 64 bits do not hold. Nothing takes such a number, and in a
 * field that nobody asks for it does no harm. */
#define PT_FIELD_BEYOND 1e308

enum pt_field_kind {
    PT_FIELD_NULL,
    PT_FIELD_TEXT,
    PT_FIELD_OTHER, /* a number, a truth value, an array, an object */
};

struct pt_field {
    const char *key; /* borrowed, as all pointers here from the record or from struct pt_fields */
    size_t key_bytes;
    enum pt_field_kind kind;
    const char *text; /* valid UTF-8 */
    size_t n;
};

/* The fields of one record at a time. Starts zeroed. */
struct pt_fields {
    struct pt_field *list; /* [n], owned */
    size_t n, capacity;
    struct pt_buffer unescaped;
    json_t *tree; /* owned; NULL where none was needed */
};
void pt_fields_free(struct pt_fields *fields);

/*
 * Reads a record; plain text has no fields. PT_BAD_INPUT where its JSON is malformed, has a key twice or is
 * no object; record->line is the line of the fault then.
 */
int pt_fields_read(struct pt_fields *fields, struct pt_record *record, struct pt_error *err) PT_MUST_USE;

/* NULL where the record has no such field. */
const struct pt_field *pt_fields_get(const struct pt_fields *fields, const char *key);

/* The JSON of a record with numbers beyond 64 bits replaced, and with jansson's flags on top of those that
 * records have; the caller owns it. NULL with error filled. */
json_t *pt_record_json(const char *text, size_t n, size_t flags, json_error_t *error) PT_MUST_USE;

/* The record as a tree, borrowed; for what is more than text. NULL with err filled. */
const json_t *pt_fields_tree(struct pt_fields *fields, struct pt_record *record, struct pt_error *err);

#endif
