/*
 * Arrow data against the same records as JSON Lines; every truncation and every flipped bit of small files;
 * and what is refused.
 */
#include "files.h"
#include "support.h"

#include "text/arrow_records.h"
#include "text/fields.h"

#define ARROW "tests/data/arrow/"

/* The next record of either kind, borrowed; NULL behind the last one. */
static const json_t *next_of(struct pt_records *records, struct pt_fields *fields)
{
    struct pt_error err = {0};
    struct pt_record record;
    bool end, skippable;
    const json_t *tree = NULL;
    if (!pt_records_next(records, &record, &end, &skippable, &err) && !end &&
        !pt_fields_read(fields, &record, &err))
        tree = pt_fields_tree(fields, &record, &err);
    if (err.status)
        fail_msg("%s", err.message);
    return tree;
}

static void same_records(const char *arrow, const char *lines)
{
    struct pt_error err = {0};
    struct pt_records *ours, *expected;
    struct pt_fields our_fields = {0}, expected_fields = {0};
    const json_t *a, *b;
    if (pt_records_open(&ours, arrow, PT_RECORDS_ANY, &err) ||
        pt_records_open(&expected, lines, PT_RECORDS_ANY, &err))
        fail_msg("%s", err.message);
    do {
        a = next_of(ours, &our_fields);
        b = next_of(expected, &expected_fields);
        if (a && b && !json_equal(a, b))
            fail_msg("%s: %s\nis not %s", arrow, json_dumps(a, 0), json_dumps(b, 0));
        assert_true(!a == !b);
    } while (a);
    pt_fields_free(&our_fields);
    pt_fields_free(&expected_fields);
    pt_records_close(ours);
    pt_records_close(expected);
}

static void test_rows_are_the_records_of_json(void **state)
{
    (void)state;
    same_records(ARROW "shapes.arrow", ARROW "shapes.jsonl");
    same_records(ARROW "shapes-file.arrow", ARROW "shapes.jsonl");
    same_records(ARROW "alpaca", ARROW "alpaca.jsonl");
    same_records(ARROW "ids", ARROW "ids.jsonl");
    same_records(ARROW "unused.arrow", ARROW "unused.jsonl");
    same_records(ARROW "shared-dictionary.arrow", ARROW "shared-dictionary.jsonl");
}

/* The number of good records up to the first failure that is not one record's. */
static unsigned walk(struct pt_arrow_records *records, struct pt_error *err)
{
    unsigned n = 0;
    json_t *object = NULL;
    size_t n_bytes;
    bool skippable = true;
    do {
        json_decref(object);
        *err = (struct pt_error){0};
        n += !pt_arrow_records_next(records, &object, &n_bytes, &skippable, err) && object;
        assert_true(err->status == PT_OK || err->message[0]);
    } while (object || (err->status == PT_BAD_INPUT && skippable));
    pt_arrow_records_close(records);
    return n;
}

/* Reads bytes from memory, or from a file that is mapped; its status, and how many records there were. */
static int read_bytes(const char *bytes, size_t n, bool mapped, unsigned *n_records)
{
    struct pt_error err = {0};
    struct pt_source *source;
    struct pt_arrow_records *records;
    const char *path = mapped ? in_scratch("data") : "none";
    if (mapped)
        write_file(path, bytes, n);
    assert_int_equal(pt_source_open_memory(&source, "memory", bytes, n, &err), 0);
    *n_records = 0;
    if (!pt_arrow_records_open(&records, path, source, &err))
        *n_records = walk(records, &err);
    pt_source_close(source);
    assert_true(err.status == PT_OK || err.status == PT_BAD_INPUT || err.status == PT_MISMATCH);
    return (int)err.status;
}

static const char *const small_files[] = {ARROW "small.arrow", ARROW "small-file.arrow"};

static void test_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(small_files); i++) {
        size_t n;
        unsigned n_records;
        char *bytes = read_file(small_files[i], &n);
        for (size_t cut = 0; cut < n; cut++)
            for (int mapped = 0; mapped < 2; mapped++)
                if (read_bytes(bytes, cut, mapped, &n_records) != PT_BAD_INPUT)
                    fail_msg("%s, cut at %zu, is not refused", small_files[i], cut);
        for (int mapped = 0; mapped < 2; mapped++) {
            assert_int_equal(read_bytes(bytes, n, mapped, &n_records), PT_OK);
            assert_int_equal(n_records, 2);
        }
        free(bytes);
    }
}

/* The format has no checksum: a flipped bit may go unnoticed, but never makes more records. */
static void test_flipped_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(small_files); i++) {
        size_t n;
        unsigned n_records, n_refused = 0;
        char *bytes = read_file(small_files[i], &n);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            n_refused += read_bytes(bytes, n, bit % 8 == 7, &n_records) != PT_OK;
            assert_true(n_records <= 2);
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        }
        assert_true(n_refused > 1000);
        free(bytes);
    }
}

static void test_behind_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(small_files); i++) {
        size_t n;
        unsigned n_records;
        char *bytes = read_file(small_files[i], &n), *more = calloc(1, n + 8);
        assert_non_null(more);
        memcpy(more, bytes, n);
        for (int mapped = 0; mapped < 2; mapped++)
            assert_int_equal(read_bytes(more, n + 8, mapped, &n_records), PT_BAD_INPUT);
        free(bytes);
        free(more);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int status;
        const char *message;
    } cases[] = {
        {"refused/lz4.arrow", PT_MISMATCH, "compressed (LZ4)"},
        {"refused/zstd.arrow", PT_MISMATCH, "compressed (ZSTD)"},
        {"refused/delta.arrow", PT_MISMATCH, "deltas of dictionaries"},
        {"refused/deep.arrow", PT_MISMATCH, "nested deeper"},
        {"refused/bytes.arrow", PT_BAD_INPUT, "record 1: \"output\": byte 1 of the text: not UTF-8"},
        {"refused/many-nulls.arrow", PT_BAD_INPUT, "a record of more than 1 GiB"},
        {"refused/many-objects.arrow", PT_BAD_INPUT, "a record of more than 1 GiB"},
        {"refused/twins.arrow", PT_BAD_INPUT, "two columns are called \"output\""},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct pt_error err = {0};
        struct pt_records *records = NULL;
        struct pt_record record;
        char path[128];
        bool end = false, skippable;
        snprintf(path, sizeof path, ARROW "%s", cases[i].path);
        int status = pt_records_open(&records, path, PT_RECORDS_ANY, &err);
        while (!status && !end)
            status = pt_records_next(records, &record, &end, &skippable, &err);
        if (status != cases[i].status || !strstr(err.message, cases[i].message))
            fail_msg("%s: %d: %s", path, status, err.message);
        if (records)
            pt_records_close(records);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_the_records_of_json),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_behind_the_end),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
