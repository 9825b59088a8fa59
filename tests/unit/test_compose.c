/*
 * What is quickly seen to be in form NFC is in that form: every character alone, and in front of and behind
 * every character that could join it. Composing gives what utf8proc gives, but for a jamo that it loses, and
 * in time that grows with the text.
 */
#include "support.h"

#include "base/rng.h"
#include "base/utf8.h"
#include "text/compose.h"

#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

static bool is_surely_composed(const uint32_t *points, size_t n, char *text, size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < n; i++)
        *size += pt_utf8_encode(points[i], text + *size);
    return pt_is_surely_composed(text, *size);
}

/* Where the text is said to be in the form, composing it changes nothing. */
static bool check(const uint32_t *points, size_t n)
{
    struct pt_error err = {0};
    struct pt_buffer composed = {0};
    char text[16];
    size_t size;
    if (!is_surely_composed(points, n, text, &size))
        return false;
    assert_int_equal(pt_compose(text, size, &composed, &err), 0);
    if (composed.size != size || memcmp(composed.data, text, size) != 0)
        fail_msg("U+%04X U+%04X changes", (unsigned)points[0], n > 1 ? (unsigned)points[1] : 0);
    pt_buffer_free(&composed);
    return true;
}

static void test_all_characters(void **state)
{
    (void)state;
    size_t n_sure = 0;
    for (uint32_t point = 1; point < 0x110000; point++)
        if (point < 0xd800 || point > 0xdfff)
            n_sure += check(&point, 1);
    assert_true(n_sure > 0x300 + 20000 + 11000);
}

/* Marks and jamo, which join what stands in front of them, are never sure, so no pair can compose. */
static void test_pairs(void **state)
{
    (void)state;
    static const uint32_t fronts[] = {'e', 0xe9, 0x304b, 0x30ab, 0x4e00, 0xac00, 0xff21, 0x3001};
    for (size_t i = 0; i < N_OF(fronts); i++)
        for (uint32_t point = 1; point < 0x20000; point++) {
            uint32_t pair[] = {fronts[i], point}, turned[] = {point, fronts[i]};
            if (point < 0xd800 || point > 0xdfff) {
                check(pair, 2);
                check(turned, 2);
            }
        }
}

static void check_composed(const char *text, size_t n, const char *expected, size_t n_expected)
{
    struct pt_error err = {0};
    struct pt_buffer composed = {0};
    assert_int_equal(pt_compose(text, n, &composed, &err), 0);
    assert_int_equal(composed.size, n_expected);
    if (n_expected)
        assert_memory_equal(composed.data, expected, n_expected);
    pt_buffer_free(&composed);
}

/* Of blocks with marks, with characters that come apart, and with jamo. */
static uint32_t draw_point(struct pt_rng *rng)
{
    static const struct {
        uint32_t first, n;
    } blocks[] = {{'a', 26},    {0xc0, 0x180},   {0x300, 0x70},  {0x590, 0x40},  {0x900, 0x80},
                  {0xf70, 20},  {0x1100, 0xa7},  {0x11a8, 0x58}, {0x1e00, 512},  {0x2126, 6},
                  {0x3041, 90}, {0xac00, 11172}, {0xf900, 256},  {0xfb1d, 0x32}, {0x1d157, 16}};
    size_t i = pt_rng_below(rng, N_OF(blocks));
    return blocks[i].first + (uint32_t)pt_rng_below(rng, blocks[i].n);
}

static void test_random_texts(void **state)
{
    (void)state;
    struct pt_rng rng;
    pt_rng_seed(&rng, 11);
    for (int round = 0; round < 100000; round++) {
        char text[64];
        size_t n = 0;
        for (size_t i = pt_rng_below(&rng, 12); i-- > 0;)
            n += pt_utf8_encode(draw_point(&rng), text + n);
        utf8proc_uint8_t *expected;
        utf8proc_ssize_t n_expected = utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n,
                                                   &expected, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        assert_true(n_expected >= 0);
        check_composed(text, n, (const char *)expected, (size_t)n_expected);
        free(expected);
    }
}

/* U+11A7 stands in front of the jamo that can end a syllable and is none of them. */
static void test_jamo_that_joins_nothing(void **state)
{
    (void)state;
    static const char text[] = "\xea\xb0\x80\xe1\x86\xa7\xe1\x86\xa8",
                      jamo[] = "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa7";
    check_composed(text, strlen(text), text, strlen(text));
    check_composed(jamo, strlen(jamo), text, 6);
}

static void test_long_run_of_marks(void **state)
{
    (void)state;
    static const char pair[] = "\xcc\x81\xcc\xa3"; /* U+0301, U+0323: in the other order in the form */
    enum { PAIRS = 1 << 18 };
    char *text = test_malloc(1 + 4 * PAIRS), *expected = test_malloc(3 + 4 * PAIRS);
    text[0] = 'e';
    memcpy(expected, "\xe1\xba\xb9", 3); /* with the first U+0323 */
    for (size_t i = 0; i < PAIRS; i++) {
        memcpy(text + 1 + 4 * i, pair, 4);
        memcpy(expected + 3 + 2 * (PAIRS - 1 + i), pair, 2);
        if (i)
            memcpy(expected + 1 + 2 * i, pair + 2, 2);
    }
    alarm(60);
    check_composed(text, 1 + 4 * PAIRS, expected, 3 + 4 * PAIRS - 2);
    alarm(0);
    test_free(text);
    test_free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_characters),    cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_random_texts),      cmocka_unit_test(test_jamo_that_joins_nothing),
        cmocka_unit_test(test_long_run_of_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
