/*
 * Records out of a file: values of JSON arrays or JSON Lines, rows of Arrow data, or plain text, told apart
 * by content; or out of a dataset folder (text/dataset_folder.h). A record is cut out here, and read by
 * text/fields.h, so that the two can be different threads' work.
 */
#ifndef PT_TEXT_RECORDS_H
#define PT_TEXT_RECORDS_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pt_record_form {
    PT_RECORDS_ANY,   /* JSON where the first character is a bracket or brace, Arrow, else lines of text */
    PT_RECORDS_LINES, /* text, a line a record */
    PT_RECORDS_WHOLE, /* text, the file is the record */
};

enum pt_record_kind {
    PT_RECORD_TEXT,   /* `text` is the record */
    PT_RECORD_JSON,   /* `text` is one JSON value, of which nothing but its brackets was checked */
    PT_RECORD_OBJECT, /* `object` is the record: a row of Arrow data */
};

/* Everything in it is borrowed until the next call that gives a record. */
struct pt_record {
    enum pt_record_kind kind;
    const char *text;
    size_t n; /* bytes of text; about as many for an object */
    json_t *object;
    const char *name;      /* of the file or folder, for messages */
    uint64_t number, line; /* from 1; line 0: rows have none */
    uint64_t offset;       /* of JSON's first byte in the file */
    bool form_was_guessed; /* text only because it did not begin as JSON does */
};

struct pt_records;

/* Whether the path is a folder's, which holds records only as a dataset. */
bool pt_records_in_folder(const char *path);
/* `path` as for pt_source_open, or of a dataset folder. A Git-LFS pointer or UTF-16 in place of data is
 * PT_BAD_INPUT. */
int pt_records_open(struct pt_records **records, const char *path, enum pt_record_form form,
                    struct pt_error *err) PT_MUST_USE;
void pt_records_close(struct pt_records *records); /* NULL is allowed */

/*
 * The next record; *end = true behind the last one. Messages name file,
 * record and line. After PT_BAD_INPUT *skippable says whether only this record is bad, so that the next call
 * goes on behind it.
 */
int pt_records_next(struct pt_records *records, struct pt_record *record, bool *end, bool *skippable,
                    struct pt_error *err) PT_MUST_USE;

/* Puts file, record and line in front of a message about this record. Returns the recorded status. */
int pt_record_error(const struct pt_record *record, struct pt_error *err);

#endif
