/*
 * Merging: short and long pieces against the definition, and pieces that begin with whole characters against
 * those that begin with bytes, for random tables of merges that also tie parts of characters together.
 */
#include "support.h"

#include "base/rng.h"
#include "text/bpe.h"
#include "text/character_table.h"

#include <string.h>

enum { MERGES = 400, IDS = 256 + MERGES, LONGEST = 600 };

/* Each merge joins two tokens that are there already. */
static void draw_merges(struct pt_merges *merges, const uint8_t *text, size_t n, struct pt_rng *rng)
{
    struct pt_error err = {0};
    uint32_t symbols[LONGEST];
    assert_int_equal(pt_merges_init(merges, MERGES, &err), 0);
    for (size_t i = 0; i < n; i++)
        symbols[i] = text[i];
    /* Of pairs that stand in a text, so that they matter. */
    for (uint32_t rank = 0; rank < MERGES;) {
        size_t at = pt_rng_below(rng, n - 1), kept = 0;
        uint32_t left = symbols[at], right = symbols[at + 1];
        if (n < 4)
            break;
        pt_merges_add(merges, left, right, rank, 256 + rank);
        for (size_t i = 0; i < n; kept++) {
            bool match = i + 1 < n && symbols[i] == left && symbols[i + 1] == right;
            symbols[kept] = match ? 256 + rank : symbols[i];
            i += match ? 2 : 1;
        }
        n = kept;
        rank++;
    }
}

/* The definition: the lowest rank first, the leftmost among equals. */
static size_t merge_plainly(const struct pt_merges *merges, uint32_t *symbols, size_t n)
{
    for (;;) {
        uint64_t lowest = UINT64_MAX;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            uint64_t value = pt_merges_find(merges, symbols[i], symbols[i + 1]);
            if (value < lowest) {
                lowest = value;
                at = i;
            }
        }
        if (lowest == UINT64_MAX)
            return n;
        symbols[at] = (uint32_t)lowest;
        n--;
        memmove(symbols + at + 1, symbols + at + 2, (n - at - 1) * sizeof *symbols);
    }
}

static size_t draw_text(struct pt_rng *rng, size_t most, char *text)
{
    static const char *const characters[] = {"a",
                                             "b",
                                             " ",
                                             "\xc3\xa9",
                                             "\xc3\xa8",
                                             "\xce\xb1",
                                             "\xe4\xbd\xa0",
                                             "\xe4\xbd\xa1",
                                             "\xe5\xa5\xbd",
                                             "\xe4\xb8\x80",
                                             "\xe3\x80\x82",
                                             "\xf0\x9f\x98\x80"};
    size_t n = 0;
    for (size_t length; n + 4 < most; n += length) {
        const char *character = characters[pt_rng_below(rng, N_OF(characters))];
        length = strlen(character);
        memcpy(text + n, character, length);
    }
    return n;
}

static void expect_same(const struct pt_merges *merges, struct pt_character_table *table, const char *text,
                        size_t n)
{
    struct pt_error err = {0};
    struct pt_bpe_scratch scratch = {0};
    uint32_t plain[LONGEST], bytes[LONGEST], characters[LONGEST + PT_CHARACTER_SYMBOLS];
    size_t n_bytes = n, n_characters;
    for (size_t i = 0; i < n; i++)
        plain[i] = bytes[i] = (uint8_t)text[i];
    size_t n_plain = merge_plainly(merges, plain, n);
    assert_int_equal(pt_bpe_merge(merges, &scratch, bytes, &n_bytes, &err), 0);
    assert_int_equal(n_bytes, n_plain);
    assert_memory_equal(bytes, plain, n_plain * sizeof *plain);
    if (table) {
        n_characters = pt_character_symbols(table, text, n, characters);
        assert_int_equal(pt_bpe_merge(merges, &scratch, characters, &n_characters, &err), 0);
        assert_int_equal(n_characters, n_plain);
        assert_memory_equal(characters, plain, n_plain * sizeof *plain);
    }
    pt_bpe_scratch_free(&scratch);
}

static void test_random_merges(void **state)
{
    (void)state;
    struct pt_rng rng;
    char text[LONGEST];
    uint32_t byte_ids[256];
    for (uint32_t i = 0; i < 256; i++)
        byte_ids[i] = i;
    pt_rng_seed(&rng, 3);
    for (int round = 0; round < 200; round++) {
        struct pt_error err = {0};
        struct pt_merges merges;
        struct pt_character_rules rules;
        struct pt_character_table *table;
        draw_merges(&merges, (uint8_t *)text, draw_text(&rng, LONGEST, text), &rng);
        assert_int_equal(pt_character_rules_init(&rules, &merges, byte_ids, IDS, &err), 0);
        assert_true(rules.usable);
        assert_int_equal(pt_character_table_new(&table, &rules, &err), 0);
        for (int i = 0; i < 60; i++)
            expect_same(&merges, table, text,
                        draw_text(&rng, 5 + pt_rng_below(&rng, i < 50 ? 60 : LONGEST - 5), text));
        pt_character_table_free(table);
        pt_character_rules_free(&rules);
        pt_merges_free(&merges);
    }
}

/* Merges that come before those that make their parts: then every piece begins with bytes. */
static void test_merges_out_of_order(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_merges merges;
    struct pt_character_rules rules;
    uint32_t byte_ids[256];
    for (uint32_t i = 0; i < 256; i++)
        byte_ids[i] = i;
    assert_int_equal(pt_merges_init(&merges, 2, &err), 0);
    pt_merges_add(&merges, 256, 'c', 0, 257);
    pt_merges_add(&merges, 'a', 'b', 1, 256);
    assert_int_equal(pt_character_rules_init(&rules, &merges, byte_ids, IDS, &err), 0);
    assert_false(rules.usable);
    pt_character_rules_free(&rules);
    /* A byte without a token. */
    byte_ids[0x80] = UINT32_MAX;
    assert_int_equal(pt_character_rules_init(&rules, &merges, byte_ids, IDS, &err), 0);
    assert_false(rules.usable);
    pt_character_rules_free(&rules);
    expect_same(&merges, NULL, "abcabab", 7);
    pt_merges_free(&merges);
}

/* A blank that takes the first byte of a character, and a character whose last byte goes to what follows. */
static void test_parts_that_go_to_neighbours(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_merges merges;
    struct pt_character_rules rules;
    struct pt_character_table *table;
    uint32_t byte_ids[256], symbols[16];
    static const uint32_t early[] = {' ', 0xe4, 0xbd, 0xa0, 'a'};
    static const uint32_t whole[] = {257};
    for (uint32_t i = 0; i < 256; i++)
        byte_ids[i] = i;
    assert_int_equal(pt_merges_init(&merges, 3, &err), 0);
    pt_merges_add(&merges, 0xe4, 0xbd, 0, 256);
    pt_merges_add(&merges, 256, 0xa0, 2, 257);
    pt_merges_add(&merges, ' ', 256, 1, 258);
    assert_int_equal(pt_character_rules_init(&rules, &merges, byte_ids, IDS, &err), 0);
    assert_int_equal(pt_character_table_new(&table, &rules, &err), 0);
    assert_int_equal(pt_character_symbols(table,
                                          " \xe4\xbd\xa0"
                                          "a",
                                          5, symbols),
                     N_OF(early));
    assert_memory_equal(symbols, early, sizeof early);
    assert_int_equal(pt_character_symbols(table, "\xe4\xbd\xa0", 3, symbols), 1);
    assert_memory_equal(symbols, whole, sizeof whole);
    expect_same(&merges, table,
                " \xe4\xbd\xa0"
                "a",
                5);
    pt_character_table_free(table);
    pt_character_rules_free(&rules);
    pt_merges_free(&merges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_merges),
        cmocka_unit_test(test_merges_out_of_order),
        cmocka_unit_test(test_parts_that_go_to_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
