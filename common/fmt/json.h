/*
 * JSON on top of jansson: strict loading and exact writing. Duplicate keys, NUL characters, trailing bytes
 * and nesting beyond jansson's bound are refused with line and column. A Git-LFS pointer in place of data is
 * named as such.
 */
#ifndef PT_FMT_JSON_H
#define PT_FMT_JSON_H

#include "base/buffer.h"
#include "base/error.h"
#include "io/folder.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A whole document; the caller owns *value (json_decref). A UTF-8 byte order mark is skipped. Where an
 * integer does not fit into 64 bits (tokenizer_config.json's model_max_length is often 1e30, written out),
 * all integers of the document come as reals.
 */
int pt_json_parse(json_t **value, const char *text, size_t n, const char *name,
                  struct pt_error *err) PT_MUST_USE;
/* Whatever pt_source_open takes, at most PT_JSON_LIMIT bytes. */
int pt_json_load(json_t **value, const char *path, struct pt_error *err) PT_MUST_USE;
enum { PT_JSON_LIMIT = 1 << 29 };

/* The object that a small file of a folder (16 MiB at most) must be; `where` names it in messages. */
int pt_json_load_object(json_t **object, const struct pt_folder *folder, const char *name, const char *where,
                        struct pt_error *err) PT_MUST_USE;

/* White space between values. */
bool pt_is_json_blank(char c);

/* The first line of a Git-LFS pointer, which stands where a large file was not fetched; and its refusal
 * (PT_BAD_INPUT). */
bool pt_is_lfs_pointer(const void *bytes, size_t n);
int pt_refuse_lfs_pointer(const char *name, struct pt_error *err);

/* Whether it is a whole number, which may have come as a real: below 2^53 then. */
bool pt_json_is_whole(const json_t *value, int64_t *whole);
/* Typed fields. Absent or null: *found = false and *value is left as it was. Another type or range is
 * PT_BAD_INPUT that names `where` and the key. A whole number as pt_json_is_whole has it
 * is an integer too. */
int pt_json_get_u64(const json_t *object, const char *key, const char *where, uint64_t *value, bool *found,
                    struct pt_error *err) PT_MUST_USE;
int pt_json_get_double(const json_t *object, const char *key, const char *where, double *value, bool *found,
                       struct pt_error *err) PT_MUST_USE;
int pt_json_get_bool(const json_t *object, const char *key, const char *where, bool *value, bool *found,
                     struct pt_error *err) PT_MUST_USE;
/* Borrowed from the object. */
int pt_json_get_string(const json_t *object, const char *key, const char *where, const char **value,
                       bool *found, struct pt_error *err) PT_MUST_USE;

/* Sets the key to the value and takes it over; NULL is one that could not be made: PT_FAILED. */
int pt_json_set(json_t *object, const char *key, json_t *value, struct pt_error *err) PT_MUST_USE;
/* A new string of bytes that need not be text, such as a file's name: those that are not UTF-8 become U+FFFD.
 * NULL where memory is out. */
json_t *pt_json_text(const char *bytes, size_t n) PT_MUST_USE;

/*
 * Text that reads back exactly. Of the flags of json_dumps it knows JSON_COMPACT, JSON_INDENT(n),
 * JSON_SORT_KEYS and JSON_ENSURE_ASCII, and writes what Python's json.dumps writes with the like settings
 * (lower-case escapes); reals have the shortest exact digits. A real that is not finite is written as null.
 */
int pt_json_append(struct pt_buffer *out, const json_t *value, size_t flags,
                   struct pt_error *err) PT_MUST_USE;
int pt_json_append_string(struct pt_buffer *out, const char *text, size_t n, bool ascii,
                          struct pt_error *err) PT_MUST_USE;

#endif
