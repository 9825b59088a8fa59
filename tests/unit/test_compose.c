/*
 * What is quickly seen to be in form NFC is in that form: every character alone, and in front of and behind
 * every character that could join it.
 */
#include "support.h"

#include "base/utf8.h"
#include "text/compose.h"

#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_characters),
        cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
