/*
 * Pre-tokenizer patterns split as in Hugging Face tokenizers, or are refused: those of the hub
 * (tests/data/tokenizer-vectors), and BLOOM's by hand.
 */
#include "support.h"

#include "base/error.h"
#include "fmt/json.h"
#include "io/source.h"
#include "text/split.h"
#include "text/split_bloom.h"

#include <string.h>

static json_t *patterns, *oracle;

static json_t *load(const char *path)
{
    struct pt_error err = {0};
    struct pt_source *source;
    struct pt_buffer text = {0};
    if (pt_source_open(&source, path, &err) || pt_source_read_all(source, 1 << 24, &text, &err))
        fail_msg("%s", err.message);
    json_t *value = json_loadb(text.data, text.size, JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    pt_source_close(source);
    pt_buffer_free(&text);
    return value;
}

static int set_up(void **state)
{
    (void)state;
    patterns = load("tests/data/tokenizer-vectors/splitRegexPatterns.json");
    oracle = load("tests/data/tokenizer-vectors/splitRegexOracle.json.gz");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(patterns);
    json_decref(oracle);
    return 0;
}

static void split_text(const struct pt_split *split, const char *text, size_t n, struct pt_spans *pieces)
{
    struct pt_error err = {0};
    struct pt_splitter *splitter;
    assert_int_equal(pt_splitter_new(&splitter, &err), 0);
    if (pt_split_apply(split, splitter, text, (struct pt_span){0, n}, pieces, &err))
        fail_msg("%s", err.message);
    pt_splitter_free(splitter);
}

static void check_input(const char *name, const struct pt_split *split, const json_t *input,
                        const json_t *expected)
{
    struct pt_spans pieces = {0};
    const char *text = json_string_value(input);
    split_text(split, text, json_string_length(input), &pieces);
    if (pieces.n != json_array_size(expected))
        fail_msg("%s: \"%s\": %zu pieces in place of %zu", name, text, pieces.n, json_array_size(expected));
    for (size_t i = 0; i < pieces.n; i++) {
        const json_t *piece = json_array_get(expected, i);
        size_t n = pieces.data[i].end - pieces.data[i].begin;
        if (n != json_string_length(piece) ||
            memcmp(text + pieces.data[i].begin, json_string_value(piece), n) != 0)
            fail_msg("%s: \"%s\": piece %zu is not \"%s\"", name, text, i, json_string_value(piece));
    }
    pt_spans_free(&pieces);
}

/* False where the pattern is refused. */
static bool check_pattern(const char *name, const json_t *pattern, const json_t *rules)
{
    const json_t *defaults = json_object_get(patterns, "defaults"),
                 *inputs = json_object_get(rules, "inputs");
    const json_t *behavior = json_object_get(rules, "behavior"), *invert = json_object_get(rules, "invert");
    const json_t *expected = json_object_get(json_object_get(oracle, "tokens"), name);
    struct pt_error err = {0};
    struct pt_split *split;
    behavior = behavior ? behavior : json_object_get(defaults, "behavior");
    invert = invert ? invert : json_object_get(defaults, "invert");
    inputs = inputs ? inputs : json_object_get(defaults, "inputs");
    bool removed = strcmp(json_string_value(behavior), "Removed") == 0;
    if (pt_split_new(&split, json_string_value(pattern), json_string_length(pattern), false,
                     removed ? PT_SPLIT_REMOVED : PT_SPLIT_ISOLATED, json_is_true(invert), &err)) {
        if (err.status != PT_MISMATCH)
            fail_msg("%s: %s", name, err.message);
        return false;
    }
    /* The oracle has nothing on BLOOM's; test_bloom_by_hand and test_real_bloom do. */
    assert_true(expected || strcmp(name, "hub-051") == 0);
    for (size_t i = 0; expected && i < json_array_size(inputs); i++)
        check_input(name, split, json_array_get(inputs, i), json_array_get(expected, i));
    pt_split_free(split);
    return true;
}

static const json_t *pattern_named(const char *id)
{
    const json_t *list = json_object_get(patterns, "patterns");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0)
            return entry;
    }
    fail_msg("no pattern %s", id);
    return NULL;
}

static void test_patterns_of_the_hub(void **state)
{
    (void)state;
    const json_t *list = json_object_get(patterns, "patterns");
    size_t n_refused = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *id = json_string_value(json_object_get(entry, "id"));
        if (!check_pattern(id, json_object_get(entry, "pattern"), entry))
            n_refused++;
    }
    assert_true(n_refused <= 20);
}

static void test_patterns_of_known_families(void **state)
{
    (void)state;
    /* Qwen 2, Llama 3, GPT-4, GPT-4o, BLOOM, CLIP, and digits one by one. */
    static const char *const ids[] = {"hub-005", "hub-037", "hub-041", "hub-032",
                                      "hub-042", "hub-051", "hub-081", "hub-068"};
    for (size_t i = 0; i < N_OF(ids); i++) {
        const json_t *entry = pattern_named(ids[i]);
        if (!check_pattern(ids[i], json_object_get(entry, "pattern"), entry))
            fail_msg("%s is refused", ids[i]);
    }
}

static void test_other_behaviors(void **state)
{
    (void)state;
    const json_t *list = json_object_get(patterns, "additionalCases");
    size_t n_checked = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const char *id = json_string_value(json_object_get(entry, "patternId"));
        n_checked += check_pattern(json_string_value(json_object_get(entry, "name")),
                                   json_object_get(pattern_named(id), "pattern"), entry);
    }
    assert_true(n_checked >= 4);
}

static void check_merging(enum pt_split_behavior behavior, bool invert, const char *const *expected)
{
    static const char text[] = "a--b-";
    struct pt_error err = {0};
    struct pt_split *split;
    struct pt_spans pieces = {0};
    assert_int_equal(pt_split_new(&split, "-", 1, true, behavior, invert, &err), 0);
    split_text(split, text, strlen(text), &pieces);
    for (size_t i = 0; i < pieces.n; i++) {
        assert_non_null(expected[i]);
        assert_int_equal(pieces.data[i].end - pieces.data[i].begin, strlen(expected[i]));
        assert_memory_equal(text + pieces.data[i].begin, expected[i], strlen(expected[i]));
    }
    assert_null(expected[pieces.n]);
    pt_spans_free(&pieces);
    pt_split_free(split);
}

/* As the reference's own tests have them for a similar text. */
static void test_merging_behaviors(void **state)
{
    (void)state;
    check_merging(PT_SPLIT_ISOLATED, false, (const char *const[]){"a", "-", "-", "b", "-", NULL});
    check_merging(PT_SPLIT_REMOVED, false, (const char *const[]){"a", "b", NULL});
    check_merging(PT_SPLIT_REMOVED, true, (const char *const[]){"-", "-", "-", NULL});
    check_merging(PT_SPLIT_CONTIGUOUS, false, (const char *const[]){"a", "--", "b", "-", NULL});
    check_merging(PT_SPLIT_MERGED_WITH_PREVIOUS, false, (const char *const[]){"a-", "-", "b-", NULL});
    check_merging(PT_SPLIT_MERGED_WITH_NEXT, false, (const char *const[]){"a", "-", "-b", "-", NULL});
}

/* How many pieces a text becomes. */
static size_t count_pieces(const char *pattern, const char *text)
{
    struct pt_error err = {0};
    struct pt_split *split;
    struct pt_spans pieces = {0};
    if (pt_split_new(&split, pattern, strlen(pattern), false, PT_SPLIT_ISOLATED, false, &err))
        fail_msg("%s: %s", pattern, err.message);
    split_text(split, text, strlen(text), &pieces);
    size_t n = pieces.n;
    pt_spans_free(&pieces);
    pt_split_free(split);
    return n;
}

/* Counted with tokenizers 0.23.3. */
static void test_word_and_alphabetic_characters(void **state)
{
    (void)state;
    static const char *const latin[] = {"!\u00b2!", "!\u00b9!", "!\u00bd!"};
    static const char *const marks[] = {"!\u0363!", "!\u0c04!", "!\u0f83!", "!\u1de6!", "!\U00011080!"};
    for (size_t i = 0; i < N_OF(latin); i++) {
        assert_int_equal(count_pieces("\\w+", latin[i]), 3);
        assert_int_equal(count_pieces("\\W+", latin[i]), 3);
        assert_int_equal(count_pieces("\\b!", latin[i]), 2);
        assert_int_equal(count_pieces("[\\w]+", latin[i]), 1);
        assert_int_equal(count_pieces("[^\\w\\s]+", latin[i]), 1);
    }
    for (size_t i = 0; i < N_OF(marks); i++) {
        assert_int_equal(count_pieces("[[:alpha:]]+", marks[i]), 3);
        assert_int_equal(count_pieces("[^[:alnum:]]+", marks[i]), 3);
    }
}

static void check_refused(const char *pattern)
{
    struct pt_error err = {0};
    struct pt_split *split;
    if (!pt_split_new(&split, pattern, strlen(pattern), false, PT_SPLIT_ISOLATED, false, &err))
        fail_msg("%s is taken", pattern);
    assert_int_equal(err.status, PT_MISMATCH);
}

/* What Oniguruma takes for one string may match a character that folds to several. */
static void test_letters_that_fold_together(void **state)
{
    (void)state;
    static const char *const refused[] = {"(?i:ss)",    "(?i:s(?:t))",    "(?i:(?:s)t)", "(?i:(?:f(?:f)))",
                                          "(?i:s{1}t)", "(?i:h\\x{331})", "(?i:\\x73t)"};
    static const char *const taken[] = {"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
                                        "(?i:[sdmt]|ll|ve|re)",
                                        "(?i:s|t)",
                                        "s(?:t)",
                                        "(?i:s)t",
                                        "s(?i:t)",
                                        "(?i:s+t)"};
    for (size_t i = 0; i < N_OF(refused); i++)
        check_refused(refused[i]);
    for (size_t i = 0; i < N_OF(taken); i++)
        (void)count_pieces(taken[i], "st");
}

/* BLOOM's pattern through PCRE2 and by hand. */
static void check_by_hand(const char *text, size_t n)
{
    struct pt_error err = {0};
    struct pt_split *split;
    struct pt_spans by_pattern = {0}, by_hand = {0};
    char variant[256];
    /* A group around it changes nothing but keeps it from being recognised. */
    snprintf(variant, sizeof variant, "(?:%s)", pt_bloom_pattern);
    assert_int_equal(pt_split_new(&split, variant, strlen(variant), false, PT_SPLIT_ISOLATED, false, &err),
                     0);
    split_text(split, text, n, &by_pattern);
    assert_int_equal(pt_split_bloom(text, (struct pt_span){0, n}, &by_hand, &err), 0);
    assert_int_equal(by_pattern.n, by_hand.n);
    assert_memory_equal(by_pattern.data, by_hand.data, by_hand.n * sizeof *by_hand.data);
    pt_spans_free(&by_pattern);
    pt_spans_free(&by_hand);
    pt_split_free(split);
}

static void test_bloom_by_hand(void **state)
{
    (void)state;
    json_t *vectors = load("tests/data/tokenizer-vectors/tiny-bloom.json");
    const json_t *cases = json_object_get(vectors, "cases");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *text = json_object_get(json_array_get(cases, i), "text");
        if (json_string_length(text))
            check_by_hand(json_string_value(text), json_string_length(text));
    }
    json_decref(vectors);
}

/* How many bytes the characters of a byte-level token stand for. */
static size_t token_bytes(const char *token)
{
    size_t n = 0;
    for (; *token; token++)
        n += ((uint8_t)*token & 0xc0) != 0x80;
    return n;
}

/* Every piece of the real BLOOM tokenizer ends where one of its tokens ends. */
static void check_real_bloom(const json_t *vector, const struct pt_spans *pieces, size_t n)
{
    const json_t *tokens = json_object_get(vector, "tokens");
    size_t at = 0, piece = 0;
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        at += token_bytes(json_string_value(json_array_get(tokens, i)));
        assert_true(piece < pieces->n && at <= pieces->data[piece].end);
        piece += at == pieces->data[piece].end;
    }
    assert_int_equal(at, n);
    assert_int_equal(piece, pieces->n);
}

static void test_real_bloom(void **state)
{
    (void)state;
    json_t *vectors = load("tests/data/tokenizer-vectors/bloom.json");
    const json_t *cases = json_object_get(vectors, "cases");
    size_t n_checked = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        struct pt_error err = {0};
        struct pt_spans pieces = {0};
        const json_t *vector = json_array_get(cases, i), *text = json_object_get(vector, "text");
        const char *special = strstr(json_string_value(text), "<s>");
        if (!special && !strstr(json_string_value(text), "</s>")) {
            assert_int_equal(pt_split_bloom(json_string_value(text),
                                            (struct pt_span){0, json_string_length(text)}, &pieces, &err),
                             0);
            check_real_bloom(vector, &pieces, json_string_length(text));
            n_checked++;
        }
        pt_spans_free(&pieces);
    }
    assert_true(n_checked > 20);
    json_decref(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns_of_the_hub),
        cmocka_unit_test(test_patterns_of_known_families),
        cmocka_unit_test(test_other_behaviors),
        cmocka_unit_test(test_merging_behaviors),
        cmocka_unit_test(test_word_and_alphabetic_characters),
        cmocka_unit_test(test_letters_that_fold_together),
        cmocka_unit_test(test_bloom_by_hand),
        cmocka_unit_test(test_real_bloom),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
