/*
 * Lines of a source: their ends, the last one, the limit, and lines longer than what is read at once.
 */
#include "support.h"

#include "io/line.h"

#include <stdio.h>
#include <string.h>

static struct pt_source *source_of(const char *text, size_t n)
{
    struct pt_error err = {0};
    struct pt_source *source;
    assert_int_equal(pt_source_open_memory(&source, "memory", text, n, &err), 0);
    return source;
}

static void expect_lines(const char *text, const char *const *expected)
{
    struct pt_error err = {0};
    struct pt_buffer line = {0};
    struct pt_source *source = source_of(text, strlen(text));
    bool end;
    for (; *expected; expected++) {
        assert_int_equal(pt_line_read(source, 10, &line, &end, &err), 0);
        assert_false(end);
        assert_int_equal(line.size, strlen(*expected));
        assert_string_equal(line.data, *expected);
    }
    assert_int_equal(pt_line_read(source, 10, &line, &end, &err), 0);
    assert_true(end);
    pt_buffer_free(&line);
    pt_source_close(source);
}

static void test_ends(void **state)
{
    (void)state;
    expect_lines("", (const char *const[]){NULL});
    expect_lines("\n", (const char *const[]){"", NULL});
    expect_lines("one\ntwo", (const char *const[]){"one", "two", NULL});
    expect_lines("one\r\n\r\n\n\rtwo\r", (const char *const[]){"one", "", "", "\rtwo\r", NULL});
}

static void test_limit(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_buffer line = {0};
    bool end;
    struct pt_source *source = source_of("0123456789\n0123456789a\n", 23);
    assert_int_equal(pt_line_read(source, 10, &line, &end, &err), 0);
    assert_int_equal(line.size, 10);
    assert_int_equal(pt_line_read(source, 10, &line, &end, &err), PT_BAD_INPUT);
    assert_string_equal(err.message, "memory: byte 22: a line of more than 10 bytes");
    pt_buffer_free(&line);
    pt_source_close(source);
}

/* Longer than any buffer of a source, from a file that has to be read in parts. */
static void test_long_line(void **state)
{
    (void)state;
    enum { LONG = 1 << 20 };
    struct pt_error err = {0};
    struct pt_buffer line = {0};
    struct pt_source *source;
    bool end;
    char path[] = "/tmp/pt-line-XXXXXX";
    FILE *file = fdopen(mkstemp(path), "w");
    assert_non_null(file);
    for (int i = 0; i < LONG; i++)
        fputc('a' + i % 26, file);
    fputs("\nlast", file);
    fclose(file);
    assert_int_equal(pt_source_open(&source, path, &err), 0);
    assert_int_equal(pt_line_read(source, LONG, &line, &end, &err), 0);
    assert_int_equal(line.size, LONG);
    assert_int_equal(line.data[LONG - 1], 'a' + (LONG - 1) % 26);
    assert_int_equal(pt_line_read(source, LONG, &line, &end, &err), 0);
    assert_string_equal(line.data, "last");
    pt_buffer_free(&line);
    pt_source_close(source);
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
