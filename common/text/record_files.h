/*
 * The records of several files or dataset folders, one after the other; an archive counts as all its members.
 */
#ifndef PT_TEXT_RECORD_FILES_H
#define PT_TEXT_RECORD_FILES_H

#include "text/records.h"

struct pt_record_files;

/* `paths` [n] as for pt_source_expand, or of folders, borrowed; none: standard input. They are opened when
 * their turn comes.
 */
int pt_record_files_open(struct pt_record_files **files, char *const *paths, size_t n,
                         enum pt_record_form form, struct pt_error *err) PT_MUST_USE;
void pt_record_files_close(struct pt_record_files *files); /* NULL is allowed */

/* As pt_records_next, over all files. Where none of them holds a record, that is PT_BAD_INPUT. */
int pt_record_files_next(struct pt_record_files *files, struct pt_record *record, bool *end, bool *skippable,
                         struct pt_error *err) PT_MUST_USE;

#endif
