/*
 * Packing through streams in memory: what goes in, what comes out, and the totals that the head announces.
 */
#include "support.h"

#include "base/rng.h"
#include "tune/pack.h"
#include "tune/spool.h"

#include <string.h>

enum { ROWS = 23, LONGEST = 30, MAX_LENGTH = 20, VOCAB = 100 };

static uint32_t rows[ROWS][LONGEST];
static uint64_t lengths[ROWS];

/* Rows of 0 to 30 words; the counted ones stand at the end, so that cutting takes them away first. */
static int make_rows(void **state)
{
    (void)state;
    struct pt_rng rng;
    pt_rng_seed(&rng, 3);
    for (int i = 0; i < ROWS; i++) {
        lengths[i] = i == 4 ? 0 : pt_rng_below(&rng, LONGEST + 1);
        for (uint64_t k = 0; k < lengths[i]; k++)
            rows[i][k] = pt_rng_below(&rng, VOCAB) | (k + 5 >= lengths[i] && i % 3 ? PT_COUNTED : 0);
    }
    return 0;
}

static const struct pt_pack_settings usual = {
    .max_length = MAX_LENGTH,
    .memory = 1 << 20,
    .order = {.batch_size = 2, .gradient_accumulation = 3, .epochs = 1, .seed = 42, .shuffle = true},
};

static void write_examples(struct pt_sink *sink, const struct pt_stream_head *head, int first, int end)
{
    struct pt_error err = {0};
    struct pt_stream_writer *writer;
    assert_int_equal(pt_stream_writer_open(&writer, sink, head, &err), 0);
    for (int i = first; i < end; i++)
        assert_int_equal(pt_stream_write_example(writer, rows[i], lengths[i], &err), 0);
    assert_int_equal(pt_stream_write_end(writer, &err), 0);
    pt_stream_writer_free(writer);
}

static struct pt_stream_head examples_head(void)
{
    return (struct pt_stream_head){.kind = PT_STREAM_EXAMPLES, .vocab_size = VOCAB, .eos_id = 2};
}

/* Examples [first, end) as one stream; the sink owns the bytes. */
static struct pt_sink *examples(int first, int end)
{
    struct pt_error err = {0};
    struct pt_sink *sink;
    struct pt_stream_head head = examples_head();
    assert_int_equal(pt_sink_open_memory(&sink, &err), 0);
    write_examples(sink, &head, first, end);
    return sink;
}

static int read_into(struct pt_pack *pack, const struct pt_sink *input, struct pt_error *err)
{
    size_t n;
    const void *bytes = pt_sink_memory(input, &n);
    struct pt_source *source;
    if (pt_source_open_memory(&source, "input", bytes, n, err))
        return (int)err->status;
    int status = pt_pack_read(pack, source, err);
    pt_source_close(source);
    return status;
}

static struct pt_sink *packed(const struct pt_pack_settings *settings, const struct pt_sink *input)
{
    struct pt_error err = {0};
    struct pt_pack *pack;
    struct pt_stream_head *head;
    struct pt_sink *output = NULL;
    if (pt_pack_open(&pack, settings, &err) || read_into(pack, input, &err) ||
        pt_pack_finish(pack, &head, &err) || pt_sink_open_memory(&output, &err) ||
        pt_pack_write(pack, output, &err))
        fail_msg("%s", err.message);
    pt_pack_close(pack);
    return output;
}

/* Reads the updates back, with all the reader's own checks of totals, and compares each with the rows it
 * should hold. */
static void assert_updates(const struct pt_sink *output, const struct pt_order_settings *settings)
{
    struct pt_error err = {0};
    size_t n;
    const void *bytes = pt_sink_memory(output, &n);
    struct pt_source *source;
    struct pt_stream_reader *reader;
    struct pt_order *order;
    struct pt_order_settings all = *settings;
    all.n_examples = ROWS;
    assert_int_equal(pt_source_open_memory(&source, "output", bytes, n, &err), 0);
    assert_int_equal(pt_stream_reader_open(&reader, source, &err), 0);
    assert_int_equal(pt_order_open(&order, &all, &err), 0);
    struct pt_window window;
    struct pt_update update = {0};
    bool end;
    while (pt_order_next(order, &window)) {
        if (pt_stream_read_update(reader, &update, &end, &err) || end)
            fail_msg("%s", err.message);
        assert_true(update.epoch == window.epoch);
        assert_int_equal(update.n_micro_batches, window.n_micro_batches);
        assert_memory_equal(update.micro_batch_sizes, window.micro_batch_sizes, 8 * window.n_micro_batches);
        for (uint64_t i = 0; i < window.n_examples; i++) {
            uint64_t row = window.examples[i], kept = lengths[row] < MAX_LENGTH ? lengths[row] : MAX_LENGTH;
            assert_int_equal(update.examples[i].n_words, kept);
            assert_true(!kept || !memcmp(update.examples[i].words, rows[row], kept * sizeof **rows));
        }
    }
    assert_int_equal(pt_stream_read_update(reader, &update, &end, &err), 0);
    assert_true(end);
    const struct pt_stream_head *head = pt_stream_reader_head(reader);
    assert_int_equal(head->schedule_updates, pt_order_updates(order));
    assert_int_equal(head->n_dataset_examples, ROWS);
    assert_true(head->n_epochs == window.epoch);
    pt_order_close(order);
    pt_stream_reader_free(reader);
    pt_source_close(source);
}

static void updates_hold_the_rows_of_the_order(void **state)
{
    (void)state;
    struct pt_sink *input = examples(0, ROWS);
    static const struct {
        double epochs;
        uint64_t max_steps;
        bool shuffle;
    } runs[] = {{1, 0, true},  {3, 0, true}, {2.4, 0, true}, {0.3, 0, true},
                {1, 11, true}, {1, 2, true}, {2, 0, false}};
    for (size_t i = 0; i < N_OF(runs); i++) {
        struct pt_pack_settings settings = usual;
        settings.order.epochs = runs[i].epochs;
        settings.order.max_steps = runs[i].max_steps;
        settings.order.shuffle = runs[i].shuffle;
        struct pt_sink *output = packed(&settings, input);
        assert_updates(output, &settings.order);
        pt_sink_discard(output);
    }
    pt_sink_discard(input);
}

static void the_temporary_file_changes_nothing(void **state)
{
    (void)state;
    struct pt_sink *input = examples(0, ROWS);
    struct pt_pack_settings settings = usual;
    settings.order.epochs = 2.5;
    struct pt_sink *in_memory = packed(&settings, input);
    size_t n, m;
    const void *expected = pt_sink_memory(in_memory, &n);
    for (uint64_t memory = 0; memory < 1200; memory += 101) {
        settings.memory = memory;
        struct pt_sink *output = packed(&settings, input);
        const void *bytes = pt_sink_memory(output, &m);
        assert_int_equal(m, n);
        assert_memory_equal(bytes, expected, n);
        pt_sink_discard(output);
    }
    pt_sink_discard(in_memory);
    pt_sink_discard(input);
}

static void several_sources_are_one_data_set(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_sink *parts[] = {examples(0, 9), examples(9, 9), examples(9, ROWS)}, *output;
    struct pt_pack *pack;
    struct pt_stream_head *head;
    assert_int_equal(pt_pack_open(&pack, &usual, &err), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read_into(pack, parts[i], &err), 0);
        pt_sink_discard(parts[i]);
    }
    assert_int_equal(pt_pack_finish(pack, &head, &err), 0);
    assert_int_equal(pt_sink_open_memory(&output, &err), 0);
    assert_int_equal(pt_pack_write(pack, output, &err), 0);
    assert_updates(output, &usual.order);
    pt_sink_discard(output);
    pt_pack_close(pack);
}

static void counts_are_of_one_epoch(void **state)
{
    (void)state;
    struct pt_pack_counts expected = {.examples = ROWS};
    for (int i = 0; i < ROWS; i++) {
        uint64_t kept = lengths[i] < MAX_LENGTH ? lengths[i] : MAX_LENGTH,
                 targets = pt_stream_targets(rows[i], kept);
        expected.tokens += kept;
        expected.targets += targets;
        expected.cut += lengths[i] > MAX_LENGTH;
        expected.untargeted += targets == 0;
    }
    assert_true(expected.cut > 0 &&
                expected.untargeted > ROWS / 3); /* some lost their counted tokens by the cut */
    struct pt_error err = {0};
    struct pt_sink *input = examples(0, ROWS);
    for (int drop = 0; drop < 2; drop++) {
        struct pt_pack_settings settings = usual;
        settings.drop_untargeted = drop;
        settings.order.epochs = 2;
        struct pt_pack *pack;
        struct pt_stream_head *head;
        assert_int_equal(pt_pack_open(&pack, &settings, &err), 0);
        assert_int_equal(read_into(pack, input, &err), 0);
        struct pt_pack_counts counts = pt_pack_counts(pack);
        assert_int_equal(counts.untargeted, expected.untargeted);
        assert_int_equal(counts.targets, expected.targets);
        assert_int_equal(counts.dropped, drop ? expected.untargeted : 0);
        assert_int_equal(counts.examples + counts.dropped, ROWS);
        if (!drop) {
            assert_int_equal(counts.tokens, expected.tokens);
            assert_int_equal(counts.cut, expected.cut);
        }
        assert_int_equal(pt_pack_finish(pack, &head, &err), 0);
        assert_int_equal(head->n_tokens, 2 * counts.tokens);
        assert_int_equal(head->n_targets, 2 * counts.targets);
        pt_pack_close(pack);
    }
    pt_sink_discard(input);
}

static void assert_refused(const struct pt_pack_settings *settings, struct pt_sink *first,
                           struct pt_sink *second, int status, const char *reason)
{
    struct pt_error err = {0};
    struct pt_pack *pack;
    struct pt_stream_head *head;
    assert_int_equal(pt_pack_open(&pack, settings, &err), 0);
    if (!read_into(pack, first, &err) && (!second || !read_into(pack, second, &err)))
        (void)!pt_pack_finish(pack, &head, &err);
    if ((int)err.status != status || !strstr(err.message, reason) || !err.hint[0])
        fail_msg("status %d, '%s', hint '%s' where %d and '%s' were expected", err.status, err.message,
                 err.hint, status, reason);
    pt_pack_close(pack);
    pt_sink_discard(first);
    pt_sink_discard(second);
}

static void other_inputs_are_refused(void **state)
{
    (void)state;
    struct pt_error err = {0};
    assert_refused(&usual, examples(0, 0), NULL, PT_BAD_INPUT, "no example");
    struct pt_sink *input = examples(0, ROWS);
    assert_refused(&usual, packed(&usual, input), NULL, PT_MISMATCH, "stream of updates");
    pt_sink_discard(input);

    struct pt_pack_settings short_ones = usual;
    short_ones.drop_untargeted = true;
    short_ones.max_length = 1;
    assert_refused(&short_ones, examples(3, 4), NULL, PT_BAD_INPUT, "counted token");

    struct pt_stream_head other = examples_head();
    strcpy(other.tokenizer.text, "0123456789abcdef0123456789abcdef");
    struct pt_sink *foreign;
    assert_int_equal(pt_sink_open_memory(&foreign, &err), 0);
    write_examples(foreign, &other, 0, 3);
    struct pt_pack *pack;
    struct pt_sink *first = examples(0, 3);
    assert_int_equal(pt_pack_open(&pack, &usual, &err), 0);
    assert_int_equal(read_into(pack, first, &err), 0);
    assert_int_equal(read_into(pack, foreign, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "0123456789abcdef0123456789abcdef"));
    pt_pack_close(pack);
    pt_sink_discard(first);
    pt_sink_discard(foreign);
}

static void a_missing_temporary_folder_is_named(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_spool *spool;
    char *saved = getenv("TMPDIR") ? strdup(getenv("TMPDIR")) : NULL;
    setenv("TMPDIR", "/nonexistent/folder", 1);
    assert_int_equal(pt_spool_open(&spool, 8, &err), 0);
    assert_int_equal(pt_spool_add(spool, rows[1], 2, &err), 0);
    assert_int_equal(pt_spool_add(spool, rows[1], 3, &err), PT_FAILED);
    assert_string_equal(err.message, "temporary file in /nonexistent/folder: No such file or directory");
    pt_spool_close(spool);
    if (saved)
        setenv("TMPDIR", saved, 1);
    else
        unsetenv("TMPDIR");
    free(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates_hold_the_rows_of_the_order),
        cmocka_unit_test(the_temporary_file_changes_nothing),
        cmocka_unit_test(several_sources_are_one_data_set),
        cmocka_unit_test(counts_are_of_one_epoch),
        cmocka_unit_test(other_inputs_are_refused),
        cmocka_unit_test(a_missing_temporary_folder_is_named),
    };
    return cmocka_run_group_tests_name("pack", tests, make_rows, NULL);
}
