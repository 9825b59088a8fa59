/*
 * The parts of the Arrow reader: schemas to columns, and the batches that fill them.
 */
#ifndef PT_FMT_ARROW_INSIDE_H
#define PT_FMT_ARROW_INSIDE_H

#include "fmt/arrow.h"
#include "fmt/flatbuffer.h"

/* Values that a column names by number. */
struct pt_arrow_dictionary {
    int64_t id;
    bool is_there;
    struct pt_arrow_column values;
    struct pt_buffer body; /* owned: where the values are, unless the file is mapped, or another one with this
                              id has them */
};

/* Schema.fbs: the fields of the table Message, and what its header may be. */
enum pt_arrow_message_field { PT_MESSAGE_VERSION, PT_MESSAGE_KIND, PT_MESSAGE_HEADER, PT_MESSAGE_BODY_BYTES };
enum pt_arrow_message_kind { PT_MESSAGE_SCHEMA = 1, PT_MESSAGE_DICTIONARY, PT_MESSAGE_BATCH };

/* Makes the columns of a Schema the children of `rows`, a zeroed struct. Names are borrowed from the bytes.
 */
int pt_arrow_schema_read(struct pt_arrow_column *rows, const struct pt_flatbuffer_table *schema,
                         struct pt_error *err) PT_MUST_USE;
void pt_arrow_column_free(struct pt_arrow_column *column); /* what it owns */

/* Fills the columns below `rows`, as many as there are, from a RecordBatch and its body, which must live as
 * long as they are used. */
int pt_arrow_batch_read(struct pt_arrow_column *rows, const struct pt_flatbuffer_table *batch,
                        struct pt_arrow_buffer body, struct pt_error *err) PT_MUST_USE;
/* The first dictionary with this id among those of the columns; NULL where there is none. */
struct pt_arrow_dictionary *pt_arrow_find_dictionary(const struct pt_arrow_column *column, int64_t id);
/* Fills all dictionaries with this id, which columns may share: the body is borrowed as a batch's. */
int pt_arrow_dictionaries_read(struct pt_arrow_column *column, int64_t id,
                               const struct pt_flatbuffer_table *batch, struct pt_arrow_buffer body,
                               struct pt_error *err) PT_MUST_USE;

#endif
