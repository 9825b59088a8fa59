/*
 * Cutting records out of a stream: any position of the window's edge, every truncation, and the places in
 * messages.
 */
#include "files.h"
#include "support.h"

#include "text/fields.h"
#include "text/json_records.h"
#include "text/records.h"

/* The records of a text; -1 where it fails. */
static int count_records(const char *text, size_t n, struct pt_error *err)
{
    struct pt_source *source;
    struct pt_json_records records;
    struct pt_json_record record;
    bool end = false, resumed;
    int count = -1;
    assert_int_equal(pt_source_open_memory(&source, "memory", text, n, err), 0);
    pt_json_records_init(&records, source);
    do {
        count++;
        if (pt_json_records_next(&records, &record, &end, &resumed, err))
            count = -1;
    } while (!end && count >= 0);
    pt_json_records_free(&records);
    pt_source_close(source);
    return count;
}

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int n;
    } cases[] = {
        {"", 0},        {" \r\n", 0},      {"[]", 0},       {"{}", 1},        {"{}{}\n{}", 3},
        {"[{},{}]", 2}, {"[{}]\n[{}]", 2}, {"[1, 2]", 2},   {"[[1],[2]]", 2}, {"{\"a\":\"}\\\"]\"}", 1},
        {"[,]", -1},    {"[{},]", -1},     {"[{} {}]", -1}, {"[{}", -1},      {"{\"a\":", -1},
        {"}", -1},      {"\"a\"", -1},     {"{}]", -1}};
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct pt_error err = {0};
        int n = count_records(cases[i].text, strlen(cases[i].text), &err);
        if (n != cases[i].n)
            fail_msg("%s: %d", cases[i].text, n);
        assert_int_equal(err.status, n < 0 ? PT_BAD_INPUT : PT_OK);
    }
}

/* An array that was cut anywhere is refused, wherever the cut is. */
static void test_truncation(void **state)
{
    (void)state;
    static const char text[] =
        "[{\"instruction\":\"a\\\"b\",\"output\":\"[{\"},\n{\"instruction\":{\"x\":[1]},\"output\":\"c\"}]";
    for (size_t n = 1; n < strlen(text); n++) {
        struct pt_error err = {0};
        assert_int_equal(count_records(text, n, &err), -1);
        assert_int_equal(err.status, PT_BAD_INPUT);
    }
    struct pt_error err = {0};
    assert_int_equal(count_records(text, strlen(text), &err), 2);
}

/* Many records of many lengths: the window's edge falls everywhere, and records longer than it come whole. */
static void test_long_input(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_buffer text = {0};
    int n = 0;
    for (size_t length = 0; text.size < (3 << 20); length = length * 7 % 70001 + 1, n++) {
        assert_int_equal(pt_buffer_append_string(&text, "{\"output\": \"", &err), 0);
        assert_int_equal(pt_buffer_reserve(&text, length, &err), 0);
        memset(text.data + text.size, n % 2 ? '}' : 'x', length);
        text.size += length;
        assert_int_equal(pt_buffer_append_string(&text, "\"}\n", &err), 0);
        if (n == 50) {
            assert_int_equal(pt_buffer_reserve(&text, 1 << 20, &err), 0);
            text.data[text.size++] = '[';
            memset(text.data + text.size, ' ', (1 << 20) - 1);
            text.size += (1 << 20) - 1;
            assert_int_equal(pt_buffer_append_string(&text, "{}]\n", &err), 0);
            n++;
        }
    }
    assert_int_equal(count_records(text.data, text.size, &err), n);
    pt_buffer_free(&text);
}

static void open_text(struct pt_records **records, const char *text, enum pt_record_form form)
{
    struct pt_error err = {0};
    write_file(in_scratch("data"), text, strlen(text));
    assert_int_equal(pt_records_open(records, in_scratch("data"), form, &err), 0);
}

static void test_places(void **state)
{
    (void)state;
    struct pt_records *records;
    struct pt_record record;
    struct pt_fields fields = {0};
    struct pt_error err = {0};
    bool end, skippable;
    open_text(&records, "\n{\"a\": 1}\n{\"b\":\n nonsense}\n{\"c\": \"3\"}", PT_RECORDS_ANY);
    assert_int_equal(pt_records_next(records, &record, &end, &skippable, &err), 0);
    assert_int_equal(record.line, 2);
    assert_int_equal(pt_records_next(records, &record, &end, &skippable, &err), 0);
    assert_int_equal(pt_fields_read(&fields, &record, &err), PT_BAD_INPUT);
    assert_int_equal(pt_record_error(&record, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "data: record 2: line 4: "));
    err = (struct pt_error){0};
    assert_int_equal(pt_records_next(records, &record, &end, &skippable, &err), 0);
    assert_int_equal(record.number, 3);
    assert_int_equal(record.line, 5);
    assert_int_equal(pt_fields_read(&fields, &record, &err), 0);
    assert_memory_equal(pt_fields_get(&fields, "c")->text, "3", 1);
    assert_int_equal(pt_records_next(records, &record, &end, &skippable, &err), 0);
    assert_true(end);
    pt_fields_free(&fields);
    pt_records_close(records);
}

static void test_text(void **state)
{
    (void)state;
    struct pt_records *records;
    struct pt_record record;
    struct pt_error err = {0};
    bool end, skippable;
    open_text(&records, "\xef\xbb\xbfone\r\n\nthree", PT_RECORDS_ANY);
    static const char *const lines[] = {"one", "", "three"};
    for (size_t i = 0; i < N_OF(lines); i++) {
        assert_int_equal(pt_records_next(records, &record, &end, &skippable, &err), 0);
        assert_false(end);
        assert_int_equal(record.kind, PT_RECORD_TEXT);
        assert_true(record.form_was_guessed);
        assert_int_equal(record.n, strlen(lines[i]));
        assert_memory_equal(record.text, lines[i], record.n);
    }
    assert_int_equal(pt_records_next(records, &record, &end, &skippable, &err), 0);
    assert_true(end);
    pt_records_close(records);
}

/* The field `key` of a record given as JSON. */
static void expect_field(const char *json, const char *key, enum pt_field_kind kind, const char *text,
                         size_t n)
{
    struct pt_error err = {0};
    struct pt_fields fields = {0};
    struct pt_record record = {.kind = PT_RECORD_JSON, .text = json, .n = strlen(json), .line = 1};
    if (pt_fields_read(&fields, &record, &err))
        fail_msg("%s: %s", json, err.message);
    const struct pt_field *field = pt_fields_get(&fields, key);
    assert_non_null(field);
    assert_int_equal(field->kind, kind);
    if (kind == PT_FIELD_TEXT) {
        assert_int_equal(field->n, n);
        assert_memory_equal(field->text, text, n);
    }
    pt_fields_free(&fields);
}

static void test_fields(void **state)
{
    (void)state;
    static const char escapes[] = "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80\0.";
    expect_field("{\"a\":\"x\",\"b\" : \"y\"}", "b", PT_FIELD_TEXT, "y", 1);
    expect_field("{\"a\":\"\"}", "a", PT_FIELD_TEXT, "", 0);
    expect_field("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00E9\\ud83d\\uDE00\\u0000.\"}", "a", PT_FIELD_TEXT,
                 escapes, sizeof escapes - 1);
    expect_field("{\"a\":null}", "a", PT_FIELD_NULL, NULL, 0);
    expect_field("{\"a\":-12,\"b\":\"y\"}", "a", PT_FIELD_OTHER, NULL, 0);
    expect_field("{\"a\":1e3,\"b\":\"y\"}", "b", PT_FIELD_TEXT, "y", 1);
    expect_field("{\"a\":true}", "a", PT_FIELD_OTHER, NULL, 0);
    /* These need a tree. */
    expect_field("{\"a\":[1,{\"b\":2}],\"b\":\"\\u00e9\"}", "b", PT_FIELD_TEXT, "\xc3\xa9", 2);
    expect_field("{\"\\u0061\":\"x\"}", "a", PT_FIELD_TEXT, "x", 1);
    expect_field("{\"a\":{},\"b\":null}", "b", PT_FIELD_NULL, NULL, 0);
}

static void test_numbers_beyond_64_bits(void **state)
{
    (void)state;
    static const char *const beyond[] = {
        "9223372036854775808", "-9223372036854775809",         "1e400", "2e308",
        "-1.5E+400",           "[18446744073709551616, 1e999]"};
    for (size_t i = 0; i < N_OF(beyond); i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"n\":%s,\"s\":\"\\\"1e400\",\"a\":[12]}", beyond[i]);
        expect_field(json, "n", PT_FIELD_OTHER, NULL, 0);
        expect_field(json, "s", PT_FIELD_TEXT, "\"1e400", 6);
        struct pt_error err = {0};
        struct pt_fields fields = {0};
        struct pt_record record = {.kind = PT_RECORD_JSON, .text = json, .n = strlen(json), .line = 1};
        assert_int_equal(pt_fields_read(&fields, &record, &err), 0);
        const json_t *tree = pt_fields_tree(&fields, &record, &err);
        assert_int_equal(json_integer_value(json_array_get(json_object_get(tree, "a"), 0)), 12);
        pt_fields_free(&fields);
    }
    expect_field("{\"n\":9223372036854775807,\"a\":[]}", "n", PT_FIELD_OTHER, NULL, 0);
}

/* What the quick reader takes and what jansson takes is the same: every small damage to a record, both ways.
 */
static void test_quick_reader(void **state)
{
    (void)state;
    static const char good[] =
        " {\"a\": \"x\\n\\u00e9y\", \"b\":null,\"cc\":-10 ,\"d\":true, \"e\":\"\xe4\xbd\xa0\"}";
    static const char bytes[] = "\"\\{}[],:x 0u1-.\n\t\x01\x7f\x80\xff";
    char text[sizeof good];
    for (size_t at = 1; at + 1 < sizeof good; at++)
        for (size_t i = 0; i < sizeof bytes; i++) {
            memcpy(text, good, sizeof good);
            text[at] = bytes[i];
            struct pt_error err = {0};
            struct pt_fields fields = {0};
            struct pt_record record = {
                .kind = PT_RECORD_JSON, .text = text + 1, .n = sizeof good - 2, .line = 1};
            json_t *tree = json_loadb(record.text, record.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
            int status = pt_fields_read(&fields, &record, &err);
            if ((status == 0) != json_is_object(tree))
                fail_msg("byte %zu as 0x%02x: %s", at, (uint8_t)bytes[i], err.message);
            const char *key;
            json_t *value;
            json_object_foreach(tree, key, value) {
                const struct pt_field *field = pt_fields_get(&fields, key);
                assert_non_null(field);
                assert_int_equal(field->kind == PT_FIELD_TEXT, json_is_string(value));
                assert_int_equal(field->kind == PT_FIELD_NULL, json_is_null(value));
                if (json_is_string(value)) {
                    assert_int_equal(field->n, json_string_length(value));
                    assert_memory_equal(field->text, json_string_value(value), field->n);
                }
            }
            assert_int_equal(fields.n, json_object_size(tree));
            json_decref(tree);
            pt_fields_free(&fields);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_beyond_64_bits),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_long_input),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_quick_reader),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
