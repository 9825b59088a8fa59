/*
 * JSON: what is refused and how, and text that equals what Python's json.dumps writes.
 */
#include "files.h"

#include "fmt/json.h"

#include <string.h>

static int parse(const char *text, struct pt_error *err)
{
    json_t *value;
    *err = (struct pt_error){0};
    int status = pt_json_parse(&value, text, strlen(text), "x.json", err);
    json_decref(value);
    return status;
}

static void documents_are_strict(void **state)
{
    (void)state;
    struct pt_error err;
    static const char *const good[] = {"{}", "[1,\r\n 2]\r\n", "\xef\xbb\xbf{\"a\": null}", "3",
                                       "\"\\ud83d\\ude00\""};
    for (size_t i = 0; i < N_OF(good); i++)
        if (parse(good[i], &err))
            fail_msg("%s: %s", good[i], err.message);
    static const char *const bad[] = {
        "",         "\xef\xbb\xbf", "{",     "[1,]",       "{} {}", "{\"a\":1,\"a\":2}", "\"\\u0000\"",
        "\"\xff\"", "[1e999]",      "[NaN]", "\"\\ud83d\""};
    for (size_t i = 0; i < N_OF(bad); i++)
        if (parse(bad[i], &err) != PT_BAD_INPUT || strncmp(err.message, "x.json: ", 8) != 0)
            fail_msg("%s: %s", bad[i], err.message);
    assert_int_equal(parse("{\n  \"a\": 1,\n}", &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "line 3, column"));
    assert_int_equal(parse("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", &err),
                     PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "Git-LFS"));
    assert_non_null(strstr(err.hint, "git lfs pull"));
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    char *text = malloc(DEEP + 1);
    memset(text, '[', DEEP);
    text[DEEP] = 0;
    struct pt_error err;
    assert_int_equal(parse(text, &err), PT_BAD_INPUT);
    free(text);
}

static void files_load(void **state)
{
    (void)state;
    struct pt_error err = {0};
    json_t *value;
    write_file(in_scratch("a.json"), "{\"a\": [true]}", 13);
    assert_int_equal(pt_json_load(&value, in_scratch("a.json"), &err), 0);
    assert_true(json_is_true(json_array_get(json_object_get(value, "a"), 0)));
    json_decref(value);
    write_file(in_scratch("b.json"), "{\"a\": [true]", 12);
    assert_int_equal(pt_json_load(&value, in_scratch("b.json"), &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "b.json: line 1"));
    assert_null(value);
}

static void objects_of_folders_load(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_folder *folder;
    json_t *value;
    write_file(in_scratch("object.json"), "{\"a\": 1}", 8);
    write_file(in_scratch("list.json"), "[1]", 3);
    assert_int_equal(pt_folder_open(&folder, scratch, &err), 0);
    assert_int_equal(pt_json_load_object(&value, folder, "object.json", "here/object.json", &err), 0);
    assert_true(json_is_integer(json_object_get(value, "a")));
    json_decref(value);
    assert_int_equal(pt_json_load_object(&value, folder, "list.json", "here/list.json", &err), PT_BAD_INPUT);
    assert_string_equal(err.message, "here/list.json: not a JSON object");
    assert_null(value);
    err = (struct pt_error){0};
    assert_int_equal(pt_json_load_object(&value, folder, "none.json", "here/none.json", &err), PT_BAD_INPUT);
    assert_null(value);
    pt_folder_close(folder);
}

static void integers_beyond_64_bits_do_not_spoil_a_document(void **state)
{
    (void)state;
    struct pt_error err = {0};
    static const char text[] = "{\"limit\": 1000000000000000019884624838656, \"n\": 512, \"negative\": -1}";
    json_t *object;
    uint64_t n = 0;
    bool found;
    assert_int_equal(pt_json_parse(&object, text, strlen(text), "x.json", &err), PT_OK);
    assert_int_equal(pt_json_get_u64(object, "n", "here", &n, &found, &err), PT_OK);
    assert_int_equal(n, 512);
    assert_int_equal(pt_json_get_u64(object, "negative", "here", &n, &found, &err), PT_BAD_INPUT);
    err = (struct pt_error){0};
    assert_int_equal(pt_json_get_u64(object, "limit", "here", &n, &found, &err), PT_BAD_INPUT);
    int64_t whole = 0;
    assert_true(pt_json_is_whole(json_object_get(object, "negative"), &whole) && whole == -1);
    assert_false(pt_json_is_whole(json_object_get(object, "limit"), &whole));
    json_decref(object);
}

static void fields_are_typed(void **state)
{
    (void)state;
    json_t *object = json_pack("{s:i, s:i, s:f, s:b, s:s, s:n, s:o}", "n", 3, "negative", -1, "real", 0.5,
                               "yes", 1, "text", "x", "null", "list", json_array());
    struct pt_error err = {0};
    uint64_t u = 7;
    double d = 7;
    bool b = false, found;
    const char *s = NULL;
    assert_int_equal(pt_json_get_u64(object, "n", "here", &u, &found, &err), 0);
    assert_true(found && u == 3);
    assert_int_equal(pt_json_get_u64(object, "absent", "here", &u, &found, &err), 0);
    assert_true(!found && u == 3);
    assert_int_equal(pt_json_get_u64(object, "null", "here", &u, &found, &err), 0);
    assert_false(found);
    assert_int_equal(pt_json_get_double(object, "real", "here", &d, &found, &err), 0);
    assert_true(found && d == 0.5);
    assert_int_equal(pt_json_get_double(object, "n", "here", &d, &found, &err), 0);
    assert_true(found && d == 3);
    assert_int_equal(pt_json_get_bool(object, "yes", "here", &b, &found, &err), 0);
    assert_true(found && b);
    assert_int_equal(pt_json_get_string(object, "text", "here", &s, &found, &err), 0);
    assert_string_equal(s, "x");
    static const char *const wrong[] = {"negative", "real", "text", "list", "yes"};
    for (size_t i = 0; i < N_OF(wrong); i++) {
        err = (struct pt_error){0};
        assert_int_equal(pt_json_get_u64(object, wrong[i], "here", &u, &found, &err), PT_BAD_INPUT);
        assert_non_null(strstr(err.message, "here: "));
        assert_non_null(strstr(err.message, wrong[i]));
    }
    err = (struct pt_error){0};
    assert_int_equal(pt_json_get_bool(object, "n", "here", &b, &found, &err), PT_BAD_INPUT);
    err = (struct pt_error){0};
    assert_int_equal(pt_json_get_double(object, "text", "here", &d, &found, &err), PT_BAD_INPUT);
    err = (struct pt_error){0};
    assert_int_equal(pt_json_get_string(object, "n", "here", &s, &found, &err), PT_BAD_INPUT);
    json_decref(object);
}

static void assert_written(const json_t *value, size_t flags, const char *expected)
{
    struct pt_buffer text = {0};
    struct pt_error err = {0};
    assert_int_equal(pt_json_append(&text, value, flags, &err), 0);
    assert_string_equal(text.data, expected);
    pt_buffer_free(&text);
}

/* The expected texts are those of Python's json.dumps. */
static void writing_equals_pythons(void **state)
{
    (void)state;
    json_t *value = json_pack("{s:s, s:[i,f,f,n,b], s:{}, s:[]}", "z",
                              "\xe4\xb8\x8b\"\\\n\x01\x7f\xf0\x9f\x98\x80", "a", -3, 0.1, 2.0, 0, "m", "e");
    assert_written(
        value, JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_INDENT(2),
        "{\n  \"a\": [\n    -3,\n    0.1,\n    2.0,\n    null,\n    false\n  ],\n  \"e\": [],\n  \"m\": {},\n"
        "  \"z\": \"\\u4e0b\\\"\\\\\\n\\u0001\\u007f\\ud83d\\ude00\"\n}");
    assert_written(value, JSON_COMPACT,
                   "{\"z\":\"\xe4\xb8\x8b\\\"\\\\\\n\\u0001\x7f\xf0\x9f\x98\x80\",\"a\":[-3,0.1,2.0,null,"
                   "false],\"m\":{},\"e\":[]}");
    assert_written(json_object_get(value, "a"), 0, "[-3, 0.1, 2.0, null, false]");
    json_decref(value);
}

static void reals_read_back_exactly(void **state)
{
    (void)state;
    static const double reals[] = {0.1,  1.0 / 3,           5e-05, 1e300, 4.9e-324, 123456789.125, -0.0,
                                   1e16, 9007199254740993.0};
    for (size_t i = 0; i < N_OF(reals); i++) {
        struct pt_buffer text = {0};
        struct pt_error err = {0};
        json_t *real = json_real(reals[i]), *back;
        assert_int_equal(pt_json_append(&text, real, 0, &err), 0);
        assert_int_equal(pt_json_parse(&back, text.data, text.size, "real", &err), 0);
        assert_true(json_is_real(back) && json_real_value(back) == reals[i]);
        json_decref(real);
        json_decref(back);
        pt_buffer_free(&text);
    }
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
    (void)state;
    json_t *text = pt_json_text("\xff"
                                "a\xc3\xa9\xc3",
                                5);
    assert_string_equal(json_string_value(text), "\xef\xbf\xbd"
                                                 "a\xc3\xa9\xef\xbf\xbd");
    json_decref(text);
    text = pt_json_text("", 0);
    assert_string_equal(json_string_value(text), "");
    json_decref(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_strict),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(files_load),
        cmocka_unit_test(objects_of_folders_load),
        cmocka_unit_test(integers_beyond_64_bits_do_not_spoil_a_document),
        cmocka_unit_test(fields_are_typed),
        cmocka_unit_test(writing_equals_pythons),
        cmocka_unit_test(reals_read_back_exactly),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced),
    };
    return cmocka_run_group_tests_name("json", tests, make_scratch, remove_scratch);
}
