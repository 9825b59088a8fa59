/*
 * Records are copied, since readers lend theirs only until the next one. The copies stand in one buffer,
 * which moves while it grows, so pointers into it are set at the end.
 */
#include "text/record_batch.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH_BYTES = 64 << 10, BATCH_RECORDS = 1024 };

/* Forgets the entries from `from` on. */
static void drop_entries(struct pt_record_batch *batch, size_t from)
{
    for (size_t i = from; i < batch->n; i++) {
        json_decref(batch->entries[i].record.object);
        free(batch->entries[i].failure);
    }
    batch->n = from;
}

void pt_record_batch_free(struct pt_record_batch *batch)
{
    drop_entries(batch, 0);
    free(batch->entries);
    pt_buffer_free(&batch->text);
    pt_words_free(&batch->words);
}

/*
 * Moves what is wrong with a record to its entry; without the memory for it, err says that. One error serves
 * all records of a batch, since zeroing it costs as much as reading a short line.
 */
static int keep_failure(struct pt_batch_entry *entry, struct pt_error *err)
{
    struct pt_error no_memory = {0};
    entry->failure = pt_new_array(1, sizeof *err, &no_memory);
    if (entry->failure)
        *entry->failure = *err;
    *err = no_memory;
    return (int)err->status;
}

static int keep_record(struct pt_record_batch *batch, struct pt_batch_entry *entry,
                       const struct pt_record *record, struct pt_error *err)
{
    entry->record = *record;
    json_incref(record->object);
    batch->n_bytes += record->n;
    entry->name_at = batch->text.size;
    if (pt_buffer_append(&batch->text, record->name, strlen(record->name) + 1, err))
        return (int)err->status;
    entry->text_at = batch->text.size;
    return record->text ? pt_buffer_append(&batch->text, record->text, record->n, err) : PT_OK;
}

/* Adds the next record, or what is wrong with it. False where nothing comes behind it. */
static bool add_record(struct pt_record_batch *batch, struct pt_record_files *files,
                       struct pt_examples *examples, struct pt_error *err)
{
    struct pt_record record = {0};
    bool end = false, about_record = false;
    if (pt_reserve(&batch->entries, &batch->capacity, batch->n + 1, sizeof *batch->entries, &batch->failure))
        return false;
    if (!pt_record_files_next(files, &record, &end, &about_record, err) && !end &&
        !pt_examples_are_settled(examples))
        (void)!pt_examples_settle(examples, &record, &about_record, err);
    if (err->status && !about_record)
        batch->failure = *err;
    if (batch->failure.status || end)
        return false;
    struct pt_batch_entry *entry = &batch->entries[batch->n++];
    *entry = (struct pt_batch_entry){0};
    if (err->status ? keep_failure(entry, err) : keep_record(batch, entry, &record, err))
        batch->failure = *err;
    return !batch->failure.status;
}

bool pt_record_batch_fill(struct pt_record_batch *batch, struct pt_record_files *files,
                          struct pt_examples *examples)
{
    if (batch->failure.status)
        return false;
    drop_entries(batch, 0);
    pt_buffer_clear(&batch->text);
    batch->n_bytes = 0;
    struct pt_error err = {0};
    while (batch->n_bytes < BATCH_BYTES && batch->n < BATCH_RECORDS &&
           add_record(batch, files, examples, &err))
        ;
    for (size_t i = 0; i < batch->n; i++) {
        struct pt_batch_entry *entry = &batch->entries[i];
        entry->record.text = batch->text.data + entry->text_at;
        entry->record.name = batch->text.data + entry->name_at;
    }
    return batch->n > 0 || batch->failure.status;
}

void pt_record_batch_make(struct pt_record_batch *batch, struct pt_example_maker *maker)
{
    struct pt_error err = {0};
    batch->words.n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        struct pt_batch_entry *entry = &batch->entries[i];
        bool about_record;
        if (entry->failure)
            continue;
        entry->words_at = batch->words.n;
        if (!pt_example_make(maker, &entry->record, &batch->words, &about_record, &err)) {
            entry->n_words = batch->words.n - entry->words_at;
        } else if (!about_record || keep_failure(entry, &err)) {
            batch->failure = err; /* stands in front of one that ended the reading */
            drop_entries(batch, i);
            return;
        }
    }
}
