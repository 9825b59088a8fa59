/*
 * Reading flatbuffers (https://flatbuffers.dev/internals/) without their schema compiler: the caller knows
 * the number and type of each field. Every offset is checked against the bytes before it is followed; one
 * that leads out of them is PT_BAD_INPUT. Tables may be shared, so what walks them bounds its own depth and
 * work.
 */
#ifndef PT_FMT_FLATBUFFER_H
#define PT_FMT_FLATBUFFER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A table; it lives as long as the bytes. */
struct pt_flatbuffer_table {
    const uint8_t *bytes; /* [n_bytes], borrowed: the whole flatbuffer */
    size_t n_bytes;
    size_t at, n_inline;         /* where the table is, and its own bytes */
    size_t offsets_at, n_fields; /* where the offsets of its fields are */
};

/* A vector: of numbers or structs, which lie at bytes + at, or of offsets to tables. */
struct pt_flatbuffer_vector {
    const uint8_t *bytes; /* [n_bytes], borrowed: the whole flatbuffer */
    size_t n_bytes;
    size_t at, n; /* of the first element; elements */
};

int pt_flatbuffer_root(const uint8_t *bytes, size_t n, struct pt_flatbuffer_table *table,
                       struct pt_error *err) PT_MUST_USE;

/* A field that is a signed number of `width` bytes, or a truth value; `absent` where the table lacks it. */
int pt_flatbuffer_number(const struct pt_flatbuffer_table *table, unsigned field, size_t width,
                         int64_t absent, int64_t *value, struct pt_error *err) PT_MUST_USE;
/* NUL-terminated and borrowed; *text = NULL where the table lacks it. */
int pt_flatbuffer_string(const struct pt_flatbuffer_table *table, unsigned field, const char **text,
                         size_t *n, struct pt_error *err) PT_MUST_USE;
/* *found = false where the table lacks it. */
int pt_flatbuffer_child(const struct pt_flatbuffer_table *table, unsigned field,
                        struct pt_flatbuffer_table *child, bool *found, struct pt_error *err) PT_MUST_USE;
/* Elements of `width` bytes, 4 for tables. Without any where the table lacks it. */
int pt_flatbuffer_vector(const struct pt_flatbuffer_table *table, unsigned field, size_t width,
                         struct pt_flatbuffer_vector *vector, struct pt_error *err) PT_MUST_USE;
/* The table that element i < n of a vector of tables names. */
int pt_flatbuffer_element(const struct pt_flatbuffer_vector *vector, size_t i,
                          struct pt_flatbuffer_table *table, struct pt_error *err) PT_MUST_USE;

#endif
