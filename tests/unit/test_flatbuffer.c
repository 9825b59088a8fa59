/*
 * Flatbuffers written by hand: what each accessor gives, and that no truncation and no changed byte leads out
 * of the bytes (the sanitizers look on).
 */
#include "support.h"

#include "base/integer.h"
#include "fmt/flatbuffer.h"

#include <string.h>

/* A table with the fields: 0 a number, 1 absent, 2 a string, 3 a vector of one table without fields, 4 a
 * vector of two numbers of 8 bytes. */
static const uint8_t example[] = {
    20,   0,    0,    0,                                           /* the root table is at 20 */
    14,   0,    20,   0,    4,   0,   0,   0, 8, 0, 12, 0, 16,  0, /* at 4: sizes of list and table, its five
                                                                      fields */
    0,    0,                                                       /* padding */
    16,   0,    0,    0,                      /* at 20: the table; its list is 16 bytes in front */
    0xfe, 0xff, 0xff, 0xff,                   /* at 24: the number -2 */
    12,   0,    0,    0,                      /* at 28: the string, at 40 */
    16,   0,    0,    0,                      /* at 32: the vector of tables, at 48 */
    28,   0,    0,    0,                      /* at 36: the vector of numbers, at 64 */
    3,    0,    0,    0,    'a', 'b', 'c', 0, /* at 40 */
    1,    0,    0,    0,    8,   0,   0,   0, /* at 48: its only table is at 60 */
    4,    0,    4,    0,                      /* at 56: list of a table without fields */
    4,    0,    0,    0,                      /* at 60 */
    2,    0,    0,    0,    1,   0,   0,   0, 0, 0, 0,  0, 255, 255, 255, 255, 255, 255, 255, 255, /* at 64 */
};

struct contents {
    int64_t number, absent;
    const char *string;
    size_t n_string;
    struct pt_flatbuffer_vector tables, numbers;
    struct pt_flatbuffer_table element;
};

/* Asks for everything, as far as it goes. */
static int read_all(const uint8_t *bytes, size_t n, struct contents *contents, struct pt_error *err)
{
    struct pt_flatbuffer_table root, child;
    bool found;
    if (pt_flatbuffer_root(bytes, n, &root, err) ||
        pt_flatbuffer_number(&root, 0, 4, 7, &contents->number, err) ||
        pt_flatbuffer_number(&root, 1, 2, 7, &contents->absent, err) ||
        pt_flatbuffer_string(&root, 2, &contents->string, &contents->n_string, err) ||
        pt_flatbuffer_vector(&root, 3, 4, &contents->tables, err) ||
        pt_flatbuffer_vector(&root, 4, 8, &contents->numbers, err))
        return (int)err->status;
    for (size_t i = 0; i < contents->tables.n; i++)
        if (pt_flatbuffer_element(&contents->tables, i, &contents->element, err))
            return (int)err->status;
    return pt_flatbuffer_child(&root, 5, &child, &found, err);
}

static void test_contents(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct contents c;
    assert_int_equal(read_all(example, sizeof example, &c, &err), 0);
    assert_int_equal(c.number, -2);
    assert_int_equal(c.absent, 7);
    assert_int_equal(c.n_string, 3);
    assert_string_equal(c.string, "abc");
    assert_int_equal(c.tables.n, 1);
    assert_int_equal(c.element.n_fields, 0);
    assert_int_equal(c.numbers.n, 2);
    assert_int_equal(pt_little_endian(c.numbers.bytes + c.numbers.at + 8, 8), UINT64_MAX);
}

/* Reads a copy of exactly n bytes, so that a sanitizer sees what lies behind them; its status. */
static int read_copy(const uint8_t *bytes, size_t n)
{
    struct pt_error err = {0};
    struct contents c;
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    int status = read_all(copy, n, &c, &err);
    assert_true(status == PT_OK || status == PT_BAD_INPUT);
    assert_true(status == PT_OK || err.message[0]);
    free(copy);
    return status;
}

static void test_truncation(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof example; n++)
        assert_int_equal(read_copy(example, n), PT_BAD_INPUT);
}

static void test_changed_bytes(void **state)
{
    (void)state;
    uint8_t changed[sizeof example];
    unsigned n_refused = 0;
    for (size_t i = 0; i < sizeof example; i++)
        for (unsigned value = 0; value < 256; value++) {
            memcpy(changed, example, sizeof example);
            changed[i] = (uint8_t)value;
            n_refused += read_copy(changed, sizeof changed) != PT_OK;
        }
    assert_true(n_refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_changed_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
