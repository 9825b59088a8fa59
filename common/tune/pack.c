/*
 * The totals in the head need no second pass: full epochs are multiples of the data set's sums, and only the
 * windows of an epoch that is cut short are gone through.
 */
#include "tune/pack.h"

#include "base/memory.h"
#include "tune/spool.h"

#include <inttypes.h>
#include <stdlib.h>

struct pt_pack {
    struct pt_pack_settings settings;
    struct pt_spool *spool; /* owned */
    struct pt_order *order; /* owned; NULL before pt_pack_finish */
    struct pt_stream_head head;
    bool has_head;
    struct pt_pack_counts counts;
};

int pt_pack_open(struct pt_pack **pack, const struct pt_pack_settings *settings, struct pt_error *err)
{
    *pack = pt_new_array(1, sizeof **pack, err);
    if (!*pack)
        return (int)err->status;
    (*pack)->settings = *settings;
    if (pt_spool_open(&(*pack)->spool, settings->memory, err)) {
        pt_pack_close(*pack);
        *pack = NULL;
    }
    return (int)err->status;
}

void pt_pack_close(struct pt_pack *pack)
{
    if (!pack)
        return;
    pt_spool_close(pack->spool);
    pt_order_close(pack->order);
    pt_stream_head_free(&pack->head);
    free(pack);
}

/* The first source's head is kept; the others must fit it. */
static int take_head(struct pt_pack *pack, const struct pt_stream_head *head, const char *name,
                     struct pt_error *err)
{
    if (head->kind != PT_STREAM_EXAMPLES) {
        pt_fail(err, PT_MISMATCH, "%s: is a stream of updates, where examples are expected", name);
        return pt_error_hint(err, "it is packed already: pt-train reads it");
    }
    if (pack->has_head)
        return pt_stream_head_compare(&pack->head, head, err) ? pt_error_in(err, "%s", name) : PT_OK;
    pack->head = pt_stream_head_copy(head);
    pack->has_head = true;
    return PT_OK;
}

static int take_example(struct pt_pack *pack, const struct pt_example *example, struct pt_error *err)
{
    struct pt_pack_counts *counts = &pack->counts;
    uint64_t most = pack->settings.max_length, n = example->n_words < most ? example->n_words : most;
    uint64_t targets = pt_stream_targets(example->words, n);
    counts->untargeted += !targets;
    if (!targets && pack->settings.drop_untargeted) {
        counts->dropped++;
        return PT_OK;
    }
    counts->cut += n < example->n_words;
    counts->examples++;
    counts->tokens += n;
    counts->targets += targets;
    return pt_spool_add(pack->spool, example->words, n, err);
}

static int take_examples(struct pt_pack *pack, struct pt_stream_reader *reader, const char *name,
                         struct pt_error *err)
{
    if (take_head(pack, pt_stream_reader_head(reader), name, err))
        return (int)err->status;
    for (;;) {
        struct pt_example example;
        bool end;
        if (pt_stream_read_example(reader, &example, &end, err))
            return (int)err->status;
        if (end)
            return PT_OK;
        if (take_example(pack, &example, err))
            return (int)err->status;
    }
}

int pt_pack_read(struct pt_pack *pack, struct pt_source *source, struct pt_error *err)
{
    struct pt_stream_reader *reader;
    if (pt_stream_reader_open(&reader, source, err))
        return (int)err->status;
    int status = take_examples(pack, reader, pt_source_name(source), err);
    pt_stream_reader_free(reader);
    return status;
}

struct pt_pack_counts pt_pack_counts(const struct pt_pack *pack)
{
    return pack->counts;
}

static int refuse_empty(const struct pt_pack *pack, struct pt_error *err)
{
    if (pack->counts.dropped) {
        pt_fail(err, PT_BAD_INPUT,
                "none of the %" PRIu64 " examples has a counted token among its first %" PRIu64,
                pack->counts.dropped, pack->settings.max_length);
        return pt_error_hint(err, "a larger --max-length may reach the answers");
    }
    pt_fail(err, PT_BAD_INPUT, "the input holds no example, so there is nothing to pack");
    return pt_error_hint(err, "did pt-tokenize get the right file?");
}

static int add_product(uint64_t *sum, uint64_t a, uint64_t b, struct pt_error *err)
{
    uint64_t product;
    if (!pt_multiply(a, b, &product) || __builtin_add_overflow(*sum, product, sum))
        return pt_fail(err, PT_MISMATCH, "more tokens than can be counted");
    return PT_OK;
}

/* What the stream holds in all: full epochs, and the windows of a last one that is cut short. */
static int sum_up(struct pt_pack *pack, struct pt_error *err)
{
    struct pt_stream_head *head = &pack->head;
    const struct pt_pack_counts *counts = &pack->counts;
    uint64_t full = pt_order_updates(pack->order) / pt_order_updates_per_epoch(pack->order);
    head->n_updates = head->schedule_updates = pt_order_updates(pack->order);
    head->n_dataset_examples = counts->examples;
    head->n_examples = head->n_tokens = head->n_targets = 0;
    if (add_product(&head->n_examples, full, counts->examples, err) ||
        add_product(&head->n_tokens, full, counts->tokens, err) ||
        add_product(&head->n_targets, full, counts->targets, err))
        return (int)err->status;
    head->n_epochs = (double)full;
    struct pt_window window;
    for (pt_order_start_epoch(pack->order, full); pt_order_next(pack->order, &window);) {
        head->n_epochs = window.epoch;
        head->n_examples += window.n_examples;
        for (uint64_t i = 0; i < window.n_examples; i++) {
            head->n_tokens += pt_spool_tokens(pack->spool, window.examples[i]);
            head->n_targets += pt_spool_targets(pack->spool, window.examples[i]);
        }
    }
    return PT_OK;
}

int pt_pack_finish(struct pt_pack *pack, struct pt_stream_head **head, struct pt_error *err)
{
    const struct pt_pack_settings *settings = &pack->settings;
    const struct pt_order_settings *order = &settings->order;
    if (!pack->counts.examples)
        return refuse_empty(pack, err);
    pack->settings.order.n_examples = pack->counts.examples;
    if (pt_order_open(&pack->order, order, err) || sum_up(pack, err))
        return (int)err->status;
    pack->head.kind = PT_STREAM_UPDATES;
    pack->head.packing =
        json_pack("{s:I, s:I, s:I, s:I, s:b, s:b}", "max_length", (json_int_t)settings->max_length,
                  "batch_size", (json_int_t)order->batch_size, "gradient_accumulation",
                  (json_int_t)order->gradient_accumulation, "seed", (json_int_t)order->seed, "shuffle",
                  order->shuffle, "drop_untargeted", settings->drop_untargeted);
    if (!pack->head.packing)
        return pt_fail(err, PT_FAILED, "out of memory");
    *head = &pack->head;
    return PT_OK;
}

static int write_updates(struct pt_pack *pack, struct pt_stream_writer *writer, struct pt_error *err)
{
    struct pt_window window;
    for (pt_order_start_epoch(pack->order, 0); pt_order_next(pack->order, &window);) {
        struct pt_update update = {
            .epoch = window.epoch,
            .n_examples = window.n_examples,
            .n_micro_batches = window.n_micro_batches,
            .micro_batch_sizes = window.micro_batch_sizes,
        };
        if (pt_spool_get(pack->spool, window.examples, window.n_examples, &update.examples, err) ||
            pt_stream_write_update(writer, &update, err))
            return (int)err->status;
    }
    return pt_stream_write_end(writer, err);
}

int pt_pack_write(struct pt_pack *pack, struct pt_sink *sink, struct pt_error *err)
{
    struct pt_stream_writer *writer;
    if (pt_stream_writer_open(&writer, sink, &pack->head, err))
        return (int)err->status;
    int status = write_updates(pack, writer, err);
    pt_stream_writer_free(writer);
    return status;
}
