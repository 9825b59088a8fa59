/*
 * Some records at a time, and the examples that become of them: what one thread works on while others do the
 * same with theirs.
 */
#ifndef PT_TEXT_RECORD_BATCH_H
#define PT_TEXT_RECORD_BATCH_H

#include "text/examples.h"
#include "text/record_files.h"

struct pt_batch_entry {
    struct pt_record record;
    size_t text_at, name_at;  /* of the record's text and its file's name in the batch's text */
    struct pt_error *failure; /* owned: what is wrong with this record, NULL: nothing so far */
    size_t words_at, n_words; /* of the example in the batch's words */
};

/* Starts zeroed. */
struct pt_record_batch {
    struct pt_batch_entry *entries; /* [n], owned */
    size_t n, capacity, n_bytes;
    struct pt_buffer text;
    struct pt_words words;
    struct pt_error
        failure; /* behind the last entry: it ends everything; its status is 0 where there is none */
};
void pt_record_batch_free(struct pt_record_batch *batch);

/*
 * Fills the batch anew, at most a record beyond 64 KiB, and settles the examples with the first
 * records. False where there is nothing more. What is wrong with a record, or ends everything, is kept, to be
 * reported when its turn comes.
 */
bool pt_record_batch_fill(struct pt_record_batch *batch, struct pt_record_files *files,
                          struct pt_examples *examples);
/* Makes the examples of all records that nothing is wrong with. */
void pt_record_batch_make(struct pt_record_batch *batch, struct pt_example_maker *maker);

#endif
