/*
 * Records out of a file: objects of JSON arrays or JSON Lines, or plain text, told apart by content.
 */
#ifndef PT_TEXT_RECORDS_H
#define PT_TEXT_RECORDS_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum pt_record_form {
    PT_RECORDS_ANY,   /* JSON where the first character is a bracket or brace, else lines of text */
    PT_RECORDS_LINES, /* text, a line a record */
    PT_RECORDS_WHOLE, /* text, the file is the record */
};

struct pt_record {
    json_t *object;   /* borrowed until the next call; NULL where the record is text */
    const char *text; /* borrowed likewise */
    size_t n;
    uint64_t number, line; /* from 1 */
};

struct pt_records;

/* `path` as for pt_source_open. A Git-LFS pointer or UTF-16 in place of data is PT_BAD_INPUT. */
int pt_records_open(struct pt_records **records, const char *path, enum pt_record_form form,
                    struct pt_error *err) PT_MUST_USE;
void pt_records_close(struct pt_records *records);
const char *pt_records_name(const struct pt_records *records); /* of the file, for messages */
bool pt_records_are_text(const struct pt_records *records);

/*
 * The next record; *end = true behind the last one. A file without any is PT_BAD_INPUT. Messages name file,
 * record and line. After PT_BAD_INPUT *skippable says whether only this record is bad, so that the next call
 * goes on behind it.
 */
int pt_records_next(struct pt_records *records, struct pt_record *record, bool *end, bool *skippable,
                    struct pt_error *err) PT_MUST_USE;

/* Puts file, record and line in front of a message about this record. Returns the recorded status. */
int pt_records_error(const struct pt_records *records, const struct pt_record *record, struct pt_error *err);

#endif
