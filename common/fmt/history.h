/*
 * Histories: the commands that made a file, an array of {"tool", "version", "arguments"}, oldest first. So
 * that equal inputs give equal bytes, arguments say nothing of where files lie or how the work was watched.
 */
#ifndef PT_FMT_HISTORY_H
#define PT_FMT_HISTORY_H

#include "base/error.h"

#include <jansson.h>

/* Appends a word to the arguments of an entry, a JSON array. Bytes that are not UTF-8 become U+FFFD. */
int pt_history_add_word(json_t *arguments, const char *word, struct pt_error *err) PT_MUST_USE;
/* The same for a path: its last component alone, and "-" for an open descriptor (/dev/fd/63). */
int pt_history_add_path(json_t *arguments, const char *path, struct pt_error *err) PT_MUST_USE;
/* Appends an entry for a command of this version. *history is owned by the caller and may be shared with
 * others, who do not see the entry; NULL is empty. */
int pt_history_add(json_t **history, const char *tool, const json_t *arguments,
                   struct pt_error *err) PT_MUST_USE;

#endif
