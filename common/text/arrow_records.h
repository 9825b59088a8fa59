/*
 * The records of Arrow data: each row as the JSON object that the same data would be as JSON Lines. Null
 * stays null, lists are arrays, structs objects, text with the extension type arrow.json what it says, reals
 * that are not finite null. What JSON has nothing for (dates, decimals, bytes, maps) is an empty object,
 * which no field of a template or of ready-made ids takes.
 */
#ifndef PT_TEXT_ARROW_RECORDS_H
#define PT_TEXT_ARROW_RECORDS_H

#include "io/source.h"

#include <jansson.h>

struct pt_arrow_records;

/* A dataset folder (text/dataset_folder.h), whose files are mapped one after the other. */
int pt_arrow_records_open_folder(struct pt_arrow_records **records, const char *path,
                                 struct pt_error *err) PT_MUST_USE;
/* Arrow data in a source, borrowed, that was opened at `path`; the file there is mapped if it is the data
 * itself (neither compressed, nor in an archive, nor a pipe). */
int pt_arrow_records_open(struct pt_arrow_records **records, const char *path, struct pt_source *source,
                          struct pt_error *err) PT_MUST_USE;
void pt_arrow_records_close(struct pt_arrow_records *records); /* NULL is allowed */

/*
 * The next record, owned by the caller, and about how many bytes it takes; *object = NULL behind the last
 * one. After PT_BAD_INPUT *skippable says whether only this record is bad.
 */
int pt_arrow_records_next(struct pt_arrow_records *records, json_t **object, size_t *n_bytes, bool *skippable,
                          struct pt_error *err) PT_MUST_USE;

#endif
