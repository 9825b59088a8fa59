/*
 * Batches of records go through base/ordered.h: one thread at a time reads a batch, many make examples, and
 * one at a time writes, in the order of reading.
 */
#include "text/example_stream.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/ordered.h"
#include "text/record_batch.h"

#include <stdlib.h>

enum { BATCHES_PER_THREAD = 2 };

struct run {
    const struct pt_example_stream_settings *settings;
    struct pt_record_files *files;
    struct pt_examples *examples;
    struct pt_example_maker **makers; /* [n_threads], owned */
    struct pt_record_batch *batches;  /* [n_batches], owned */
    void **slots;                     /* [n_batches], owned: their addresses */
    size_t n_batches;
    struct pt_sink *sink;
    struct pt_stream_writer *writer; /* NULL until there is an example */
    uint64_t n_written, n_bad;
};

static int open_writer(struct run *run, struct pt_error *err)
{
    struct pt_stream_head head = {.kind = PT_STREAM_EXAMPLES, .history = json_incref(run->settings->history)};
    if (!pt_examples_describe(run->examples, &head, err))
        (void)!pt_stream_writer_open(&run->writer, run->sink, &head, err);
    pt_stream_head_free(&head);
    return (int)err->status;
}

/* A bad record is reported and forgotten where that is wanted and possible. */
static int forgive(struct run *run, const struct pt_error *failure, struct pt_error *err)
{
    if (failure->status != PT_BAD_INPUT || !run->settings->skip_bad) {
        *err = *failure;
        return (int)err->status;
    }
    pt_log(PT_LOG_WARNING, "skipped: %s", failure->message);
    run->n_bad++;
    return PT_OK;
}

static int give_entry(struct run *run, const struct pt_record_batch *batch,
                      const struct pt_batch_entry *entry, struct pt_error *err)
{
    if (entry->record.form_was_guessed && entry->record.number == 1)
        pt_log(PT_LOG_NOTE, "%s: plain text, a line an example", entry->record.name);
    if (entry->failure)
        return forgive(run, entry->failure, err);
    if (!run->writer && open_writer(run, err))
        return (int)err->status;
    run->n_written++;
    return pt_stream_write_example(run->writer, batch->words.data + entry->words_at, entry->n_words, err);
}

static bool take(void *context, void *slot)
{
    struct run *run = context;
    return pt_record_batch_fill(slot, run->files, run->examples);
}

static void work(void *context, size_t worker, void *slot)
{
    struct run *run = context;
    pt_record_batch_make(slot, run->makers[worker]);
}

static int give(void *context, void *slot, struct pt_error *err)
{
    const struct pt_record_batch *batch = slot;
    for (size_t i = 0; i < batch->n; i++)
        if (give_entry(context, batch, &batch->entries[i], err))
            return (int)err->status;
    if (batch->failure.status)
        *err = batch->failure;
    return (int)err->status;
}

static int prepare(struct run *run, struct pt_error *err)
{
    const struct pt_example_stream_settings *settings = run->settings;
    size_t n = settings->n_threads;
    run->n_batches = n == 1 ? 1 : n * BATCHES_PER_THREAD;
    run->makers = pt_new_array(n, sizeof *run->makers, err);
    run->batches = pt_new_array(run->n_batches, sizeof *run->batches, err);
    run->slots = pt_new_array(run->n_batches, sizeof *run->slots, err);
    if (err->status || pt_examples_new(&run->examples, &settings->examples, err))
        return (int)err->status;
    for (size_t i = 0; i < run->n_batches; i++)
        run->slots[i] = &run->batches[i];
    for (size_t i = 0; i < n && !err->status; i++)
        (void)!pt_example_maker_new(&run->makers[i], run->examples, err);
    return (int)err->status;
}

static void release(struct run *run)
{
    for (size_t i = 0; run->makers && i < run->settings->n_threads; i++)
        pt_example_maker_free(run->makers[i]);
    for (size_t i = 0; run->batches && i < run->n_batches; i++)
        pt_record_batch_free(&run->batches[i]);
    free(run->makers);
    free(run->batches);
    free(run->slots);
    pt_examples_free(run->examples);
    pt_stream_writer_free(run->writer);
}

static int finish(struct run *run, struct pt_error *err)
{
    if (!run->writer)
        return pt_fail(err, PT_BAD_INPUT, "all %llu records are bad", (unsigned long long)run->n_bad);
    if (run->n_bad)
        pt_log(PT_LOG_WARNING, "%llu bad records skipped, %llu examples written",
               (unsigned long long)run->n_bad, (unsigned long long)run->n_written);
    return pt_stream_write_end(run->writer, err);
}

int pt_example_stream_write(struct pt_record_files *files, const struct pt_example_stream_settings *settings,
                            struct pt_sink *sink, struct pt_error *err)
{
    static const struct pt_ordered calls = {take, work, give};
    struct run run = {.settings = settings, .files = files, .sink = sink};
    if (!prepare(&run, err) &&
        !pt_ordered_run(&calls, &run, settings->n_threads, run.slots, run.n_batches, err))
        (void)!finish(&run, err);
    release(&run);
    return (int)err->status;
}
