/*
 * The records of JSON as a stream: elements of arrays, and values one behind the other (JSON Lines). One
 * record at a time is in memory, however long the input is.
 */
#ifndef PT_TEXT_JSON_RECORDS_H
#define PT_TEXT_JSON_RECORDS_H

#include "io/source.h"

#include <stdbool.h>

struct pt_json_records {
    struct pt_source *source; /* borrowed */
    struct pt_buffer window;  /* owned: what has been read and not yet been taken */
    size_t at;                /* in window */
    bool at_end;              /* the source has nothing more */
    bool in_array;
    bool at_start;   /* of the array: no comma is due */
    uint64_t line;   /* of window[at], from 1 */
    uint64_t offset; /* of window[0] in the source */
};

struct pt_json_record {
    const char *text; /* borrowed until the next call */
    size_t n;
    uint64_t line, offset; /* of its first byte */
};

void pt_json_records_init(struct pt_json_records *records, struct pt_source *source);
void pt_json_records_free(struct pt_json_records *records);

/*
 * The text of the next record, which is checked for nothing but its brackets; *end = true behind the last
 * one. Between records everything is checked. After a failure *resumed says whether the next call goes on
 * behind the damage: only where it is a line of its own.
 */
int pt_json_records_next(struct pt_json_records *records, struct pt_json_record *record, bool *end,
                         bool *resumed, struct pt_error *err) PT_MUST_USE;

#endif
