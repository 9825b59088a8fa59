/*
 * The token stream: what is written is read back, by the library and by a second reader that was written from
 * man/pt-stream.5 alone; every flipped bit and every truncation of a small stream is refused, and so is what
 * does not belong together.
 */
#include "files.h"

#include "fmt/history.h"
#include "fmt/stream.h"
#include "fmt/stream_format.h"

#include <string.h>
#include <xxhash.h>

static const char fingerprint[] = "0123456789abcdef0123456789abcdef";
static const uint32_t first[] = {5, 6, 7 | PT_COUNTED, 2 | PT_COUNTED}, second[] = {99 | PT_COUNTED};

static struct pt_stream_head examples_head(void)
{
    struct pt_stream_head head = {.kind = PT_STREAM_EXAMPLES, .vocab_size = 100, .eos_id = 2};
    memcpy(head.tokenizer.text, fingerprint, sizeof fingerprint);
    head.template =
        json_pack("{s:s, s:s}", "name", "alpaca-zh", "text", "Human: {instruction}\n\nAssistant: {output}");
    return head;
}

static struct pt_stream_head updates_head(void)
{
    struct pt_stream_head head = examples_head();
    head.kind = PT_STREAM_UPDATES;
    head.n_updates = 2, head.n_examples = 3, head.n_tokens = 9, head.n_targets = 5;
    head.n_dataset_examples = 2, head.n_epochs = 1.5, head.schedule_updates = 2;
    head.packing = json_pack("{s:i}", "seed", 42);
    return head;
}

/* Writes all examples, or two updates of the same; the bytes are freed by the caller. */
static char *make_stream(struct pt_stream_head head, size_t *n)
{
    struct pt_error err = {0};
    struct pt_sink *sink;
    struct pt_stream_writer *writer;
    assert_int_equal(pt_sink_open_memory(&sink, &err), 0);
    assert_int_equal(pt_stream_writer_open(&writer, sink, &head, &err), 0);
    struct pt_example both[] = {{first, N_OF(first)}, {second, N_OF(second)}};
    if (head.kind == PT_STREAM_EXAMPLES) {
        assert_int_equal(pt_stream_write_example(writer, first, N_OF(first), &err), 0);
        assert_int_equal(pt_stream_write_example(writer, NULL, 0, &err), 0);
        assert_int_equal(pt_stream_write_example(writer, second, N_OF(second), &err), 0);
    } else {
        struct pt_update updates[] = {{0.5, 2, 2, both, (uint64_t[]){1, 1}},
                                      {1.5, 1, 1, both, (uint64_t[]){1}}};
        assert_int_equal(pt_stream_write_update(writer, &updates[0], &err), 0);
        assert_int_equal(pt_stream_write_update(writer, &updates[1], &err), 0);
    }
    assert_int_equal(pt_stream_write_end(writer, &err), 0);
    const void *bytes = pt_sink_memory(sink, n);
    char *copy = malloc(*n);
    memcpy(copy, bytes, *n);
    pt_stream_writer_free(writer);
    pt_sink_discard(sink);
    pt_stream_head_free(&head);
    return copy;
}

/* Reads everything; the status, and in *totals what there was. */
static int read_all(const char *bytes, size_t n, struct pt_stream_totals *totals, struct pt_error *err)
{
    struct pt_source *source;
    struct pt_stream_reader *reader = NULL;
    *err = (struct pt_error){0};
    char *exact = malloc(n ? n : 1); /* so that reading beyond the end is seen by the sanitizer */
    memcpy(exact, bytes, n);
    assert_int_equal(pt_source_open_memory(&source, "memory", exact, n, err), 0);
    if (!pt_stream_reader_open(&reader, source, err)) {
        bool end = false;
        struct pt_example example;
        struct pt_update update;
        while (!err->status && !end)
            (void)!(pt_stream_reader_head(reader)->kind == PT_STREAM_EXAMPLES
                        ? pt_stream_read_example(reader, &example, &end, err)
                        : pt_stream_read_update(reader, &update, &end, err));
        if (totals)
            *totals = pt_stream_reader_totals(reader);
    }
    pt_stream_reader_free(reader);
    pt_source_close(source);
    free(exact);
    return (int)err->status;
}

static struct pt_stream_reader *open_reader(const char *bytes, size_t n, struct pt_source **source)
{
    struct pt_error err = {0};
    struct pt_stream_reader *reader;
    assert_int_equal(pt_source_open_memory(source, "memory", bytes, n, &err), 0);
    assert_int_equal(pt_stream_reader_open(&reader, *source, &err), 0);
    return reader;
}

static void examples_come_back(void **state)
{
    (void)state;
    size_t n;
    char *bytes = make_stream(examples_head(), &n);
    struct pt_error err = {0};
    struct pt_source *source;
    struct pt_stream_reader *reader = open_reader(bytes, n, &source);
    const struct pt_stream_head *head = pt_stream_reader_head(reader);
    assert_int_equal(head->kind, PT_STREAM_EXAMPLES);
    assert_string_equal(head->tokenizer.text, fingerprint);
    assert_int_equal(head->vocab_size, 100);
    assert_int_equal(head->eos_id, 2);
    assert_string_equal(json_string_value(json_object_get(head->template, "name")), "alpaca-zh");

    struct pt_example example;
    bool end;
    assert_int_equal(pt_stream_read_example(reader, &example, &end, &err), 0);
    assert_false(end);
    assert_int_equal(example.n_words, N_OF(first));
    assert_memory_equal(example.words, first, sizeof first);
    assert_int_equal(pt_stream_read_example(reader, &example, &end, &err), 0);
    assert_int_equal(example.n_words, 0);
    assert_int_equal(pt_stream_read_example(reader, &example, &end, &err), 0);
    assert_memory_equal(example.words, second, sizeof second);
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(pt_stream_read_example(reader, &example, &end, &err), 0);
        assert_true(end);
    }
    struct pt_stream_totals totals = pt_stream_reader_totals(reader);
    assert_int_equal(totals.examples, 3);
    assert_int_equal(totals.tokens, 5);
    assert_int_equal(totals.targets, 3);
    pt_stream_reader_free(reader);
    pt_source_close(source);
    free(bytes);
}

static void updates_come_back(void **state)
{
    (void)state;
    size_t n;
    char *bytes = make_stream(updates_head(), &n);
    struct pt_error err = {0};
    struct pt_source *source;
    struct pt_stream_reader *reader = open_reader(bytes, n, &source);
    const struct pt_stream_head *head = pt_stream_reader_head(reader);
    assert_int_equal(head->n_updates, 2);
    assert_int_equal(head->n_dataset_examples, 2);
    assert_true(head->n_epochs == 1.5);
    assert_int_equal(json_integer_value(json_object_get(head->packing, "seed")), 42);

    struct pt_update update;
    bool end;
    uint64_t chains[3] = {pt_stream_reader_chain(reader)};
    assert_int_equal(pt_stream_read_update(reader, &update, &end, &err), 0);
    chains[1] = pt_stream_reader_chain(reader);
    assert_true(update.epoch == 0.5);
    assert_int_equal(update.n_examples, 2);
    assert_int_equal(update.n_micro_batches, 2);
    assert_int_equal(update.micro_batch_sizes[1], 1);
    assert_memory_equal(update.examples[0].words, first, sizeof first);
    assert_memory_equal(update.examples[1].words, second, sizeof second);
    assert_int_equal(pt_stream_read_update(reader, &update, &end, &err), 0);
    chains[2] = pt_stream_reader_chain(reader);
    assert_true(update.epoch == 1.5);
    assert_int_equal(update.n_examples, 1);
    assert_true(chains[0] != chains[1] && chains[1] != chains[2]);
    assert_int_equal(pt_stream_read_update(reader, &update, &end, &err), 0);
    assert_true(end);
    pt_stream_reader_free(reader);
    pt_source_close(source);

    /* The examples of updates, one by one. */
    reader = open_reader(bytes, n, &source);
    struct pt_example example;
    int examples = 0;
    for (end = false; !pt_stream_read_example(reader, &example, &end, &err) && !end;)
        examples++;
    assert_int_equal(examples, 3);
    pt_stream_reader_free(reader);
    pt_source_close(source);
    free(bytes);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct pt_stream_head (*const heads[])(void) = {examples_head, updates_head};
    for (size_t kind = 0; kind < N_OF(heads); kind++) {
        size_t n;
        char *bytes = make_stream(heads[kind](), &n);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            struct pt_error err;
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            if (read_all(bytes, n, NULL, &err) != PT_BAD_INPUT || !strstr(err.message, "byte "))
                fail_msg("bit %zu of %zu: status %d, %s", bit, 8 * n, (int)err.status, err.message);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        }
        free(bytes);
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct pt_stream_head (*const heads[])(void) = {examples_head, updates_head};
    for (size_t kind = 0; kind < N_OF(heads); kind++) {
        size_t n;
        char *bytes = make_stream(heads[kind](), &n);
        for (size_t length = 0; length < n; length++) {
            struct pt_error err;
            if (read_all(bytes, length, NULL, &err) != PT_BAD_INPUT || !strstr(err.message, "byte ") ||
                !err.hint[0])
                fail_msg("%zu of %zu bytes: status %d, %s", length, n, (int)err.status, err.message);
        }
        free(bytes);
    }
}

/* The bytes of two streams, one behind the other. */
static char *join(const char *a, size_t n_a, const char *b, size_t n_b)
{
    char *both = malloc(n_a + n_b);
    memcpy(both, a, n_a);
    memcpy(both + n_a, b, n_b);
    return both;
}

static void examples_concatenate(void **state)
{
    (void)state;
    size_t n;
    char *bytes = make_stream(examples_head(), &n), *twice = join(bytes, n, bytes, n);
    struct pt_error err;
    struct pt_stream_totals totals;
    assert_int_equal(read_all(twice, 2 * n, &totals, &err), 0);
    assert_int_equal(totals.examples, 6);
    assert_int_equal(totals.targets, 6);
    for (size_t length = n + 1; length < 2 * n; length++)
        assert_int_equal(read_all(twice, length, NULL, &err), PT_BAD_INPUT);
    twice[n] = 0;
    assert_int_equal(read_all(twice, n + 1, NULL, &err), PT_BAD_INPUT);
    assert_int_equal(read_all(twice, 2 * n, NULL, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "behind the end"));
    free(twice);
    free(bytes);
}

static int status_of_joined(struct pt_stream_head a, struct pt_stream_head b, struct pt_error *err)
{
    size_t n_a, n_b;
    char *first_bytes = make_stream(a, &n_a), *second_bytes = make_stream(b, &n_b);
    char *both = join(first_bytes, n_a, second_bytes, n_b);
    int status = read_all(both, n_a + n_b, NULL, err);
    free(both);
    free(first_bytes);
    free(second_bytes);
    return status;
}

static void what_does_not_belong_together_is_refused(void **state)
{
    (void)state;
    struct pt_error err;
    struct pt_stream_head other = examples_head();
    other.tokenizer.text[0] = 'f';
    assert_int_equal(status_of_joined(examples_head(), other, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, fingerprint));
    assert_non_null(strstr(err.message, "f123456789abcdef0123456789abcdef"));
    other = examples_head();
    json_object_set_new(other.template, "name", json_string("mine"));
    assert_int_equal(status_of_joined(examples_head(), other, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "alpaca-zh, then mine"));
    other = examples_head();
    json_decref(other.template);
    other.template = NULL;
    assert_int_equal(status_of_joined(examples_head(), other, &err), PT_MISMATCH);
    other = examples_head();
    other.vocab_size = 101;
    assert_int_equal(status_of_joined(examples_head(), other, &err), PT_MISMATCH);
    assert_int_equal(status_of_joined(updates_head(), updates_head(), &err), PT_MISMATCH);
    assert_non_null(strstr(err.hint, "pt-pack"));
    assert_int_equal(status_of_joined(examples_head(), updates_head(), &err), PT_MISMATCH);
}

static void ids_beyond_the_vocabulary_are_refused(void **state)
{
    (void)state;
    struct pt_error err;
    struct pt_stream_head head = examples_head();
    head.vocab_size = 99; /* an example holds id 99 */
    size_t n;
    char *bytes = make_stream(head, &n);
    assert_int_equal(read_all(bytes, n, NULL, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "example 3: id 99 in a vocabulary of 99"));
    free(bytes);
}

static void foreign_input_is_told_apart(void **state)
{
    (void)state;
    struct pt_error err;
    assert_int_equal(read_all("", 0, NULL, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.hint, "previous command"));
    assert_int_equal(read_all("[{\"a\":1}]", 9, NULL, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.hint, "pt-tokenize"));
    assert_int_equal(read_all("\x89PTS\n\x1a\n", 7, NULL, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "line ends"));
    size_t n;
    char *bytes = make_stream(examples_head(), &n);
    struct pt_source *source;
    struct pt_stream_reader *reader = open_reader(bytes, n, &source);
    struct pt_update update;
    bool end;
    err = (struct pt_error){0};
    assert_int_equal(pt_stream_read_update(reader, &update, &end, &err), PT_MISMATCH);
    pt_stream_reader_free(reader);
    pt_source_close(source);
    free(bytes);
}

/* A section with a right checksum whose length lies: refused at the end of the input, without the memory it
 * asks for. */
static void a_length_that_lies_costs_nothing(void **state)
{
    (void)state;
    struct pt_section_header header = {.type = "head    ", .version = 1, .payload_bytes = 1 << 24};
    header.checksum = XXH64(&header, 32, 0);
    char bytes[8 + sizeof header + 100] = PT_STREAM_MAGIC;
    memcpy(bytes + 8, &header, sizeof header);
    struct pt_error err;
    assert_int_equal(read_all(bytes, sizeof bytes, NULL, &err), PT_BAD_INPUT);
    header.payload_bytes = UINT64_MAX;
    header.checksum = XXH64(&header, 32, 0);
    memcpy(bytes + 8, &header, sizeof header);
    assert_int_equal(read_all(bytes, sizeof bytes, NULL, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "longer than the format allows"));
    header.payload_bytes = 2;
    header.version = 2;
    header.checksum = XXH64(&header, 32, 0);
    memcpy(bytes + 8, &header, sizeof header);
    assert_int_equal(read_all(bytes, sizeof bytes, NULL, &err), PT_MISMATCH);
}

static void a_broken_promise_is_not_kept_quiet(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_sink *sink;
    struct pt_stream_writer *writer;
    struct pt_stream_head head = updates_head();
    assert_int_equal(pt_sink_open_memory(&sink, &err), 0);
    assert_int_equal(pt_stream_writer_open(&writer, sink, &head, &err), 0);
    assert_int_equal(pt_stream_write_end(writer, &err), PT_FAILED);
    pt_stream_writer_free(writer);
    pt_sink_discard(sink);
    pt_stream_head_free(&head);
}

/* More than one section, and an example that is longer than a section. */
static void many_and_long_examples_come_back(void **state)
{
    (void)state;
    enum { MANY = 20000, LONG = 300000 };
    struct pt_error err = {0};
    struct pt_sink *sink;
    struct pt_stream_writer *writer;
    struct pt_stream_head head = {.eos_id = -1};
    uint32_t *words = calloc(LONG, sizeof *words);
    assert_int_equal(pt_sink_open_memory(&sink, &err), 0);
    assert_int_equal(pt_stream_writer_open(&writer, sink, &head, &err), 0);
    for (uint32_t i = 0; i < LONG; i++)
        words[i] = i * 7919 & ~PT_COUNTED;
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(pt_stream_write_example(writer, words + i, i == 77 ? LONG - i : i % 30, &err), 0);
    assert_int_equal(pt_stream_write_end(writer, &err), 0);
    size_t n;
    const char *bytes = pt_sink_memory(sink, &n);
    struct pt_source *source;
    struct pt_stream_reader *reader = open_reader(bytes, n, &source);
    struct pt_example example;
    bool end;
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(pt_stream_read_example(reader, &example, &end, &err), 0);
        assert_int_equal(example.n_words, i == 77 ? LONG - i : i % 30);
        if (example.n_words)
            assert_memory_equal(example.words, words + i, example.n_words * sizeof *words);
    }
    assert_int_equal(pt_stream_read_example(reader, &example, &end, &err), 0);
    assert_true(end);
    pt_stream_reader_free(reader);
    pt_source_close(source);
    pt_stream_writer_free(writer);
    pt_sink_discard(sink);
    free(words);
}

/* Everything below up to the test is a reader of its own: bytes, the manual page, and XXH64. */
static uint64_t word64(const char *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | (unsigned char)at[i];
    return value;
}

struct plain_reader {
    const char *at;
    uint64_t seed, examples, tokens, targets, updates;
    uint64_t sum; /* of all words */
    bool ended;
};

static void plain_examples(struct plain_reader *r, const char *lengths, uint64_t count, const char *end)
{
    const char *words = lengths + 8 * count;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t length = word64(lengths + 8 * i);
        r->examples++;
        r->tokens += length;
        for (uint64_t k = 0; k < length; k++, words += 4) {
            uint32_t word = (uint32_t)(unsigned char)words[0] | (uint32_t)(unsigned char)words[1] << 8 |
                            (uint32_t)(unsigned char)words[2] << 16 | (uint32_t)(unsigned char)words[3] << 24;
            r->targets += word >> 31;
            r->sum += word;
        }
    }
    assert_ptr_equal(words, end);
}

static void plain_section(struct plain_reader *r)
{
    const char *header = r->at, *payload = header + 40;
    uint64_t bytes = word64(header + 16), count = word64(header + 24);
    assert_true(XXH64(header, 32, r->seed) == word64(header + 32));
    assert_int_equal(word64(header + 8), 1);
    r->seed = XXH64(payload, bytes, word64(header + 32));
    assert_true(r->seed == word64(payload + bytes));
    r->at = payload + bytes + 8;
    if (!memcmp(header, "examples", 8)) {
        plain_examples(r, payload, count, payload + bytes);
    } else if (!memcmp(header, "update  ", 8)) {
        r->updates++;
        plain_examples(r, payload + 16 + 8 * word64(payload + 8), count, payload + bytes);
    } else if (!memcmp(header, "end     ", 8)) {
        assert_int_equal(bytes, 32);
        assert_int_equal(word64(payload), r->updates);
        assert_int_equal(word64(payload + 8), r->examples);
        assert_int_equal(word64(payload + 16), r->tokens);
        assert_int_equal(word64(payload + 24), r->targets);
        r->ended = true;
    } else {
        assert_memory_equal(header, "head    ", 8);
    }
}

static void the_manual_page_suffices(void **state)
{
    (void)state;
    struct pt_stream_head (*const heads[])(void) = {examples_head, updates_head};
    for (size_t kind = 0; kind < N_OF(heads); kind++) {
        size_t n;
        char *bytes = make_stream(heads[kind](), &n);
        assert_memory_equal(bytes, "\211PTS\r\n\032\n", 8);
        struct plain_reader reader = {.at = bytes + 8};
        while (!reader.ended)
            plain_section(&reader);
        assert_ptr_equal(reader.at, bytes + n);
        assert_int_equal(reader.updates, kind ? 2 : 0);
        assert_int_equal(reader.examples, 3);
        assert_int_equal(reader.targets, kind ? 5 : 3);
        free(bytes);
    }
}

static void equal_streams_are_equal_bytes(void **state)
{
    (void)state;
    size_t n, m;
    char *a = make_stream(updates_head(), &n), *b = make_stream(updates_head(), &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

/* Bytes of the first version, which every later one must read (and this one writes). */
static void the_first_streams_stay_readable(void **state)
{
    (void)state;
    static const char *const files[] = {"tests/data/streams/examples.pts", "tests/data/streams/updates.pts"};
    struct pt_stream_head (*const heads[])(void) = {examples_head, updates_head};
    for (size_t kind = 0; kind < N_OF(heads); kind++) {
        size_t n, m;
        struct pt_error err;
        char *old = read_file(files[kind], &n), *new = make_stream(heads[kind](), &m);
        assert_int_equal(read_all(old, n, NULL, &err), 0);
        assert_int_equal(n, m);
        assert_memory_equal(old, new, n);
        free(old);
        free(new);
    }
}

static void histories_are_free_of_places(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_stream_head head = {.eos_id = -1};
    static const char *const paths[] = {
        "/models/bloom/", "/dev/fd/63", "x", "/", "\xff/z\xffy", "a/b c", "data.tar.gz:in/it.json"};
    json_t *arguments = json_array();
    assert_int_equal(pt_history_add_word(arguments, "and/or", &err), 0);
    for (size_t i = 0; i < N_OF(paths); i++)
        assert_int_equal(pt_history_add_path(arguments, paths[i], &err), 0);
    assert_int_equal(pt_history_add(&head.history, "pt-x", arguments, &err), 0);
    json_decref(arguments);
    struct pt_buffer text = {0};
    assert_int_equal(pt_stream_head_write(&head, &text, &err), 0);
    assert_non_null(strstr(text.data, "\"tool\":\"pt-x\",\"version\":\""));
    assert_non_null(strstr(text.data,
                           "\"arguments\":[\"and/or\",\"bloom\",\"-\",\"x\",\"/\",\"z\xef\xbf\xbdy\","
                           "\"b c\",\"it.json\"]"));
    struct pt_stream_head back;
    assert_int_equal(pt_stream_head_parse(&back, text.data, text.size, &err), 0);
    assert_int_equal(json_array_size(back.history), 1);
    assert_int_equal(back.eos_id, -1);
    assert_int_equal(back.vocab_size, 0);
    pt_stream_head_free(&back);
    pt_buffer_free(&text);
    pt_stream_head_free(&head);
}

static void bad_heads_are_refused(void **state)
{
    (void)state;
    static const char *const heads[] = {"{}",
                                        "[]",
                                        "{\"kind\":\"other\"}",
                                        "{\"kind\":\"examples\",\"vocab_size\":-1}",
                                        "{\"kind\":\"examples\",\"vocab_size\":0}",
                                        "{\"kind\":\"examples\",\"vocab_size\":2147483648}",
                                        "{\"kind\":\"examples\",\"tokenizer\":\"abc\"}",
                                        "{\"kind\":\"examples\",\"vocab_size\":10,\"eos_id\":10}",
                                        "{\"kind\":\"examples\",\"template\":3}",
                                        "{\"kind\":\"examples\",\"history\":{}}",
                                        "{\"kind\":\"updates\"}",
                                        "{\"kind\":\"examples\",\"kind\":\"examples\"}"};
    for (size_t i = 0; i < N_OF(heads); i++) {
        struct pt_error err = {0};
        struct pt_stream_head head;
        if (pt_stream_head_parse(&head, heads[i], strlen(heads[i]), &err) != PT_BAD_INPUT)
            fail_msg("%s: %s", heads[i], err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_come_back),
        cmocka_unit_test(updates_come_back),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(examples_concatenate),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
        cmocka_unit_test(ids_beyond_the_vocabulary_are_refused),
        cmocka_unit_test(foreign_input_is_told_apart),
        cmocka_unit_test(a_length_that_lies_costs_nothing),
        cmocka_unit_test(a_broken_promise_is_not_kept_quiet),
        cmocka_unit_test(many_and_long_examples_come_back),
        cmocka_unit_test(the_manual_page_suffices),
        cmocka_unit_test(equal_streams_are_equal_bytes),
        cmocka_unit_test(the_first_streams_stay_readable),
        cmocka_unit_test(histories_are_free_of_places),
        cmocka_unit_test(bad_heads_are_refused),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
