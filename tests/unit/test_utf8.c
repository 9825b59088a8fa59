/*
 * UTF-8 against an independent statement of the rule: every point has exactly one form, nothing else is
 * well-formed.
 */
#include "support.h"

#include "base/utf8.h"

#include <string.h>

static void every_point_survives(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        char text[4];
        uint32_t read = 0;
        size_t n = pt_utf8_encode(point, text);
        assert_int_equal(n, point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4);
        assert_int_equal(pt_utf8_decode(text, n, &read), n);
        assert_int_equal(read, point);
        assert_int_equal(pt_utf8_decode(text, n - 1, NULL), 0);
        assert_int_equal(pt_utf8_check(text, n), n);
    }
}

static void other_bytes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",         "\xc3(",        "\xe2\x82(",        "\xf0\x9f\x98(",    "\xe2(\xa1"};
    for (size_t i = 0; i < N_OF(bad); i++) {
        assert_int_equal(pt_utf8_decode(bad[i], strlen(bad[i]), NULL), 0);
        assert_int_equal(pt_utf8_check(bad[i], strlen(bad[i])), 0);
    }
    assert_int_equal(pt_utf8_decode("", 0, NULL), 0);
}

static void check_finds_the_first_bad_byte(void **state)
{
    (void)state;
    char text[40];
    for (size_t at = 0; at < sizeof text; at++) {
        memset(text, 'a', sizeof text);
        text[at] = (char)0xff;
        assert_int_equal(pt_utf8_check(text, sizeof text), at);
    }
    static const char good[] = "ascii, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x98\x80 and ascii again";
    assert_int_equal(pt_utf8_check(good, strlen(good)), strlen(good));
    assert_int_equal(pt_utf8_check(good, 8), 7); /* cut inside a character */
    assert_int_equal(pt_utf8_check("a\0b", 3), 3);
}

static void an_incomplete_tail_is_held_back(void **state)
{
    (void)state;
    static const char text[] = "ab\xf0\x9f\x98\x80";
    static const size_t expected[] = {0, 1, 2, 2, 2, 2, 6};
    for (size_t n = 0; n <= 6; n++)
        assert_int_equal(pt_utf8_complete(text, n), expected[n]);
    assert_int_equal(pt_utf8_complete("a\xe2\x82", 3), 1);
    assert_int_equal(pt_utf8_complete("a\xc3", 2), 1);
    /* What can never become a character is not waited for. */
    assert_int_equal(pt_utf8_complete("a\xff", 2), 2);
    assert_int_equal(pt_utf8_complete("a\x80", 2), 2);
    assert_int_equal(pt_utf8_complete("\x80\x80\x80\x80", 4), 4);
    assert_int_equal(pt_utf8_complete("a\xed\xa0", 3), 3);
    assert_int_equal(pt_utf8_complete("a\xe2\x82\xac\xac", 5), 5);
}

static void controls_are_not_printable(void **state)
{
    (void)state;
    static const uint32_t controls[] = {0, 0x1b, 0x1f, 0x7f, 0x80, 0x9b, 0x9f};
    static const uint32_t printable[] = {' ', '~', 0xa0, 0x4f60, 0x1f600};
    for (size_t i = 0; i < N_OF(controls); i++)
        assert_false(pt_utf8_is_printable(controls[i]));
    for (size_t i = 0; i < N_OF(printable); i++)
        assert_true(pt_utf8_is_printable(printable[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_point_survives),           cmocka_unit_test(other_bytes_are_refused),
        cmocka_unit_test(check_finds_the_first_bad_byte), cmocka_unit_test(an_incomplete_tail_is_held_back),
        cmocka_unit_test(controls_are_not_printable),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
