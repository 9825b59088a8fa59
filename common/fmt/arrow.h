/*
 * Reading Arrow IPC (https://arrow.apache.org/docs/format/Columnar.html), the streaming and the file format:
 * batches of rows, column by column. Values stay where they are, in the mapped file or in the batch that was
 * read last, and are checked when they are asked for: one that lies outside of its column is PT_BAD_INPUT.
 *
 * Refused by name (PT_MISMATCH): compressed batches, big-endian data and deltas of dictionaries. Columns of
 * other types than those below are stepped over. A stream without its end marker
 * counts as cut short (PT_BAD_INPUT).
 */
#ifndef PT_FMT_ARROW_H
#define PT_FMT_ARROW_H

#include "io/source.h"

enum pt_arrow_kind {
    PT_ARROW_OTHER, /* a type whose values are not read */
    PT_ARROW_NULL,
    PT_ARROW_BOOLEAN,
    PT_ARROW_INTEGER,
    PT_ARROW_REAL, /* f32 or f64 */
    PT_ARROW_TEXT, /* utf8, large_utf8, utf8_view */
    PT_ARROW_JSON, /* the same, and what it holds is a JSON value (the extension type arrow.json) */
    PT_ARROW_LIST, /* list, large_list, fixed_size_list: children[0] holds the elements of all rows */
    PT_ARROW_STRUCT,
};

struct pt_arrow_buffer {
    const uint8_t *bytes; /* borrowed */
    size_t n;
};

/* One column: what the schema says of it, and its part of the current batch. */
struct pt_arrow_column {
    const char *name; /* UTF-8, borrowed from the reader */
    enum pt_arrow_kind kind;
    const char *type;                 /* Arrow's name, static */
    unsigned n_buffers;               /* that it has in a batch, without those of a view's texts */
    size_t width;                     /* bytes of a number or an offset; 0 where there is neither */
    bool is_signed;                   /* an integer */
    bool is_view;                     /* its values are spread over `texts` */
    uint64_t fixed_length;            /* of each list, where lists have no offsets */
    struct pt_arrow_column *children; /* [n_children], owned */
    size_t n_children;
    struct pt_arrow_dictionary *dictionary; /* owned: what the integers stand for; NULL: themselves */

    uint64_t n_rows;
    struct pt_arrow_buffer validity; /* bytes NULL: no row is null */
    struct pt_arrow_buffer values;   /* numbers, offsets, or views */
    struct pt_arrow_buffer text;     /* what the offsets lead to */
    struct pt_arrow_buffer *texts;   /* [n_texts], owned: what the views lead to */
    size_t n_texts, texts_capacity;
};

/* What stands at the beginning of either format; n >= PT_ARROW_MAGIC_BYTES. */
enum { PT_ARROW_MAGIC_BYTES = 8 };
bool pt_arrow_recognise(const void *bytes, size_t n);

struct pt_arrow;
/* A regular file, which is mapped. Messages begin with its path. */
int pt_arrow_open(struct pt_arrow **arrow, const char *path, struct pt_error *err) PT_MUST_USE;
/* A source, borrowed, of which one batch at a time is in memory. */
int pt_arrow_open_source(struct pt_arrow **arrow, struct pt_source *source, struct pt_error *err) PT_MUST_USE;
void pt_arrow_close(struct pt_arrow *arrow); /* NULL is allowed */

/* Goes to the next batch; *end = true behind the last one. */
int pt_arrow_next(struct pt_arrow *arrow, bool *end, struct pt_error *err) PT_MUST_USE;
/* The rows as one struct without nulls: its children are the columns, n_rows is the batch's. */
const struct pt_arrow_column *pt_arrow_rows(const struct pt_arrow *arrow);

/* Values of row < column->n_rows. */
bool pt_arrow_is_null(const struct pt_arrow_column *column, uint64_t row);
bool pt_arrow_boolean(const struct pt_arrow_column *column, uint64_t row);
double pt_arrow_real(const struct pt_arrow_column *column, uint64_t row);
/* One beyond 64 bits with sign is PT_BAD_INPUT. */
int pt_arrow_integer(const struct pt_arrow_column *column, uint64_t row, int64_t *value,
                     struct pt_error *err) PT_MUST_USE;
/* Borrowed; not checked to be UTF-8. */
int pt_arrow_text(const struct pt_arrow_column *column, uint64_t row, const char **text, size_t *n,
                  struct pt_error *err) PT_MUST_USE;
/* The rows of children[0] that make up a list. */
int pt_arrow_list(const struct pt_arrow_column *column, uint64_t row, uint64_t *begin, uint64_t *end,
                  struct pt_error *err) PT_MUST_USE;
/* Where the value of a row that is not null is: itself, or a place among a dictionary's values. */
int pt_arrow_resolve(const struct pt_arrow_column **column, uint64_t *row, struct pt_error *err) PT_MUST_USE;

#endif
