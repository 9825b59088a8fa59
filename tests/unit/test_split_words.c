/*
 * Patterns that are matched by hand split as PCRE2 does: every character of Unicode between neighbours of
 * every class, and random strings of characters that are near a border of some class.
 */
#include "support.h"

#include "base/rng.h"
#include "base/utf8.h"
#include "text/split_bloom.h"
#include "text/split_words.h"

#include <stdio.h>
#include <string.h>

static const char *const patterns[] = {
    pt_gpt2_pattern,
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    pt_bloom_pattern,
};

/* A pattern's two ways of splitting. */
struct pair {
    struct pt_split *by_hand, *by_pattern;
    struct pt_splitter *splitter;
    struct pt_spans pieces[2];
};

static void open_pair(struct pair *pair, const char *pattern)
{
    struct pt_error err = {0};
    char variant[256];
    *pair = (struct pair){0};
    /* A group around it changes nothing but keeps it from being recognised. */
    snprintf(variant, sizeof variant, "(?:%s)", pattern);
    assert_null(pt_word_pattern_of(variant));
    assert_true(pt_word_pattern_of(pattern) || strcmp(pattern, pt_bloom_pattern) == 0);
    assert_int_equal(
        pt_split_new(&pair->by_hand, pattern, strlen(pattern), false, PT_SPLIT_ISOLATED, false, &err), 0);
    assert_int_equal(
        pt_split_new(&pair->by_pattern, variant, strlen(variant), false, PT_SPLIT_ISOLATED, false, &err), 0);
    assert_int_equal(pt_splitter_new(&pair->splitter, &err), 0);
}

static void close_pair(struct pair *pair)
{
    pt_split_free(pair->by_hand);
    pt_split_free(pair->by_pattern);
    pt_splitter_free(pair->splitter);
    pt_spans_free(&pair->pieces[0]);
    pt_spans_free(&pair->pieces[1]);
}

static void compare(struct pair *pair, const char *text, size_t n)
{
    struct pt_error err = {0};
    struct pt_span all = {0, n};
    pair->pieces[0].n = pair->pieces[1].n = 0;
    if (pt_split_apply(pair->by_hand, pair->splitter, text, all, &pair->pieces[0], &err) ||
        pt_split_apply(pair->by_pattern, pair->splitter, text, all, &pair->pieces[1], &err))
        fail_msg("%s", err.message);
    if (pair->pieces[0].n != pair->pieces[1].n ||
        (pair->pieces[0].n && memcmp(pair->pieces[0].data, pair->pieces[1].data,
                                     pair->pieces[0].n * sizeof *pair->pieces[0].data) != 0))
        fail_msg("\"%.*s\": %zu pieces by hand, %zu by the pattern", (int)n, text, pair->pieces[0].n,
                 pair->pieces[1].n);
}

/* Writes a character between neighbours of every class. */
static size_t surround(uint32_t point, char *text)
{
    static const char form[] = "a@@b @@1@!@ @\n@'@s  @\t@22@'S@ ";
    size_t n = 0;
    for (const char *c = form; *c; c++) {
        if (*c == '@')
            n += pt_utf8_encode(point, text + n);
        else
            text[n++] = *c;
    }
    return n;
}

static void test_all_characters(void **state)
{
    (void)state;
    char text[256];
    for (size_t i = 0; i < N_OF(patterns); i++) {
        struct pair pair;
        open_pair(&pair, patterns[i]);
        /* The planes in between have no characters. */
        for (uint32_t point = 1; point < 0x110000; point += point == 0x40000 ? 0xa0000 : 1)
            if (point < 0xd800 || point > 0xdfff)
                compare(&pair, text, surround(point, text));
        close_pair(&pair);
    }
}

static void test_random_strings(void **state)
{
    (void)state;
    static const char *const parts[] = {"a",
                                        "Z",
                                        "\xc3\xa9",
                                        "\xe4\xbd\xa0",
                                        "\xc5\xbf",
                                        "\xe2\x84\xaa",
                                        "1",
                                        "\xd9\xa3",
                                        "\xe2\x91\xa0",
                                        "\xc2\xb2",
                                        " ",
                                        " ",
                                        "\n",
                                        "\r",
                                        "\t",
                                        "\xc2\x85",
                                        "\xe3\x80\x80",
                                        "\xe2\x80\xa8",
                                        "\xe2\x80\x8b",
                                        "'",
                                        "'s",
                                        "'LL",
                                        "'re",
                                        "'\xc5\xbf",
                                        ".",
                                        "\xe3\x80\x82",
                                        "(",
                                        "!",
                                        "\xcc\x81",
                                        "\xf0\x9f\x98\x80",
                                        "\xef\xbc\x8c",
                                        "\xd8\x8c",
                                        "\xef\xbb\xbf",
                                        "_",
                                        "\x1c",
                                        "\x7f"};
    struct pt_rng rng;
    for (size_t i = 0; i < N_OF(patterns); i++) {
        struct pair pair;
        open_pair(&pair, patterns[i]);
        pt_rng_seed(&rng, 1);
        for (int round = 0; round < 40000; round++) {
            char text[128];
            size_t n = 0;
            for (uint32_t left = 1 + pt_rng_below(&rng, 12); left > 0; left--) {
                const char *part = parts[pt_rng_below(&rng, N_OF(parts))];
                memcpy(text + n, part, strlen(part));
                n += strlen(part);
            }
            compare(&pair, text, n);
        }
        close_pair(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_characters),
        cmocka_unit_test(test_random_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
