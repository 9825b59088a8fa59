/*
 * What small files named tokenizer.json ask for is done as Hugging Face tokenizers does it, or refused by
 * name.
 */
#include "files.h"
#include "support.h"

#include "text/tokenizer.h"

#define BEGIN "{\"version\":\"1.0\","
#define BYTE_LEVEL "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
#define DECODER "\"decoder\":{\"type\":\"ByteLevel\"}"
#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"

static void check_refusal(const char *text, enum pt_status status, const char *reason)
{
    struct pt_error err = {0};
    struct pt_tokenizer *tokenizer;
    const char *path = in_scratch("tokenizer.json");
    write_file(path, text, strlen(text));
    if (pt_tokenizer_open(&tokenizer, path, &err) == PT_OK)
        fail_msg("accepted: %s", text);
    if (err.status != status || !strstr(err.message, reason))
        fail_msg("expected \"%s\": %d %s", reason, (int)err.status, err.message);
}

static struct pt_tokenizer *open_text(const char *json)
{
    struct pt_error err = {0};
    struct pt_tokenizer *tokenizer;
    write_file(in_scratch("tokenizer.json"), json, strlen(json));
    if (pt_tokenizer_open(&tokenizer, in_scratch("tokenizer.json"), &err))
        fail_msg("%s: %s", json, err.message);
    return tokenizer;
}

static void check_taken(const char *json)
{
    pt_tokenizer_close(open_text(json));
}

static void test_malformed(void **state)
{
    (void)state;
    check_refusal("", PT_BAD_INPUT, "empty");
    check_refusal("{", PT_BAD_INPUT, "tokenizer.json");
    check_refusal("{\"model\": \xff}", PT_BAD_INPUT, "byte 10: not UTF-8");
    check_refusal("version https://git-lfs.github.com/spec/v1\n", PT_BAD_INPUT, "LFS");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER "}", PT_BAD_INPUT, "no model");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER
                                   ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}",
                  PT_BAD_INPUT, "twice");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER
                                   ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
                  PT_BAD_INPUT, "id 0");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER
                                   ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}",
                  PT_BAD_INPUT, "malformed");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER
                                   ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":99999999},\"merges\":[]}}",
                  PT_BAD_INPUT, "beyond");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER
                                   ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}",
                  PT_BAD_INPUT, "merge 0");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER
                                   ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}",
                  PT_BAD_INPUT, "merge 0");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER "," MODEL "," MODEL "}", PT_BAD_INPUT, "");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER "," MODEL ",\"added_tokens\":[{\"id\":3,\"content\":\"x\"}]}",
                  PT_BAD_INPUT, "missing");
}

/* A file's end counts as JSON's does: no NUL, as padding writes it, is white space. */
static void test_bytes_behind_it(void **state)
{
    (void)state;
    static const char json[] = BEGIN BYTE_LEVEL "," DECODER "," MODEL "}\n\0";
    struct pt_error err = {0};
    struct pt_tokenizer *tokenizer;
    write_file(in_scratch("tokenizer.json"), json, sizeof json - 1);
    assert_int_equal(pt_tokenizer_open(&tokenizer, in_scratch("tokenizer.json"), &err), PT_BAD_INPUT);
    check_taken(json);
}

#define MERGES(list)                                                                                       \
    BEGIN BYTE_LEVEL "," DECODER                                                                           \
                     ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[" list \
                     "]}}"

static void test_version_among_merges(void **state)
{
    (void)state;
    check_taken(MERGES("\"#version: 0.2\",\"a b\""));
    check_taken(MERGES("\"a b\",\"#version\""));
    check_refusal(MERGES("\"#version: 0.2\",\"a c\""), PT_BAD_INPUT, "merge 0");
    check_refusal(MERGES("[\"#version:\",\"0.2\"]"), PT_BAD_INPUT, "merge 0");
}

static void test_unsupported(void **state)
{
    (void)state;
    static const char *const flags =
        "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}]}";
    char text[1024];
    check_refusal(BEGIN BYTE_LEVEL "," DECODER ",\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}",
                  PT_MISMATCH, "WordPiece");
    check_refusal(BEGIN BYTE_LEVEL
                  "," DECODER ",\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{},\"merges\":[]}}",
                  PT_MISMATCH, "dropout");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER
                                   ",\"model\":{\"type\":\"BPE\",\"novelty\":1,\"vocab\":{},\"merges\":[]}}",
                  PT_MISMATCH, "novelty");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER
                                   ",\"model\":{\"byte_fallback\":true,\"vocab\":{},\"merges\":[]}}",
                  PT_MISMATCH, "byte_fallback");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER ",\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0.0]]}}",
                  PT_MISMATCH, "Unigram");
    check_refusal(BEGIN BYTE_LEVEL "," MODEL "}", PT_MISMATCH, "decoder");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER "," MODEL ",\"surprise\":{}}", PT_MISMATCH, "surprise");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER "," MODEL ",\"normalizer\":{\"type\":\"Lowercase\"}}",
                  PT_MISMATCH, "Lowercase");
    check_refusal(BEGIN BYTE_LEVEL "," DECODER "," MODEL ",\"post_processor\":{\"type\":\"BertProcessing\"}}",
                  PT_MISMATCH, "BertProcessing");
    check_refusal(BEGIN "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&b]\"},"
                        "\"behavior\":\"Isolated\"}," DECODER "," MODEL "}",
                  PT_MISMATCH, "intersection");
    snprintf(text, sizeof text,
             BEGIN BYTE_LEVEL "," DECODER "," MODEL ",\"added_tokens\":[{\"id\":7,\"content\":\"x\",%s",
             flags);
    check_refusal(text, PT_MISMATCH, "would give it 3");
    snprintf(text, sizeof text,
             BEGIN BYTE_LEVEL "," DECODER "," MODEL ",\"added_tokens\":[{\"id\":3,\"content\":\"\\u0000\",%s",
             flags);
    check_refusal(text, PT_BAD_INPUT, "a NUL character (\\u0000) is refused");
}

/* What tokenizers 0.23.3 makes of characters without a token, with each setting of the model. */
static void test_unknown_characters(void **state)
{
    (void)state;
    static const char text[] = "你好éaa你é你a";
    static const struct {
        const char *fallback, *fuse, *unknown;
        size_t n;
        uint32_t ids[10];
    } cases[] = {
        {"false", "false", "null", 2, {4, 1}},
        {"false", "false", "\"<unk>\"", 8, {0, 0, 0, 4, 0, 0, 0, 1}},
        {"false", "true", "\"<unk>\"", 4, {0, 4, 0, 1}},
        {"true", "false", "null", 6, {2, 3, 4, 2, 3, 1}},
        {"true", "false", "\"<unk>\"", 10, {0, 2, 3, 0, 4, 2, 3, 0, 0, 1}},
        {"true", "true", "\"<unk>\"", 8, {2, 3, 0, 4, 2, 3, 0, 1}},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        char json[512];
        struct pt_error err = {0};
        struct pt_encoder *encoder;
        struct pt_words ids = {0};
        snprintf(json, sizeof json,
                 BEGIN "\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"byte_fallback\":%s,\"fuse_unk\":%s,"
                       "\"unk_token\":%s,\"vocab\":{\"<unk>\":0,\"a\":1,\"<0xC3>\":2,\"<0xA9>\":3,\"aa\":4},"
                       "\"merges\":[[\"a\",\"a\"]]}}",
                 cases[i].fallback, cases[i].fuse, cases[i].unknown);
        struct pt_tokenizer *tokenizer = open_text(json);
        assert_int_equal(pt_encoder_new(&encoder, tokenizer, &err), 0);
        assert_int_equal(pt_encode(encoder, text, sizeof text - 1, true, &ids, &err), 0);
        assert_int_equal(ids.n, cases[i].n);
        assert_memory_equal(ids.data, cases[i].ids, ids.n * sizeof *ids.data);
        pt_words_free(&ids);
        pt_encoder_free(encoder);
        pt_tokenizer_close(tokenizer);
    }
}

#define FIRST "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"first\"}"
#define METASPACE "{\"type\":\"Metaspace\",\"replacement\":\"_\"}"
#define STEP(part, step) BEGIN "\"" part "\":" step "," DECODER "," MODEL "}"
#define DECODERS(steps) BEGIN "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[" steps "]}," MODEL "}"
#define REPLACE "{\"type\":\"Replace\",\"pattern\":{\"String\":\"_\"},\"content\":\" \"}"
#define STRIP(start, stop) "{\"type\":\"Strip\",\"content\":\" \",\"start\":" start ",\"stop\":" stop "}"

static void test_steps_that_are_refused(void **state)
{
    (void)state;
    check_refusal(STEP("pre_tokenizer", "{\"type\":\"Metaspace\"}"), PT_BAD_INPUT, "not one character");
    check_refusal(STEP("pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"__\"}"), PT_BAD_INPUT,
                  "not one character");
    check_refusal(
        STEP("pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"last\"}"),
        PT_BAD_INPUT, "\"last\"");
    check_refusal(STEP("pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":"
                                        "\"first\",\"add_prefix_space\":false}"),
                  PT_BAD_INPUT, "contradicts");
    check_refusal(
        STEP("pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[" METASPACE "," METASPACE "]}"),
        PT_MISMATCH, "behind another");
    check_refusal(STEP("pre_tokenizer",
                       "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\"}," METASPACE "]}"),
                  PT_MISMATCH, "behind ByteLevel");
    check_refusal(STEP("pre_tokenizer", "{\"type\":\"Punctuation\",\"behavior\":\"Merged\"}"), PT_BAD_INPUT,
                  "unknown behavior");
    check_refusal(STEP("normalizer", "{\"type\":\"Prepend\"}"), PT_BAD_INPUT, "Prepend");
    check_refusal(
        STEP("normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" +\"},\"content\":\"_\"}"),
        PT_MISMATCH, "pattern");
    check_refusal(STEP("normalizer", "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"}}"), PT_BAD_INPUT,
                  "content");
    check_refusal(DECODERS("{\"type\":\"WordPiece\"}"), PT_MISMATCH, "WordPiece");
    check_refusal(DECODERS("{\"type\":\"ByteFallback\"}," REPLACE), PT_MISMATCH, "Replace at this place");
    check_refusal(DECODERS(REPLACE ",{\"type\":\"ByteLevel\"}"), PT_MISMATCH, "ByteLevel at this place");
    check_refusal(DECODERS(REPLACE "," STRIP("1", "0")), PT_MISMATCH, "Strip at this place");
    check_refusal(DECODERS("{\"type\":\"Fuse\"}," STRIP("0", "1")), PT_MISMATCH, "\"stop\"");
    check_refusal(DECODERS("{\"type\":\"Fuse\"}," STRIP("-1", "0")), PT_BAD_INPUT, "start");
}

/* The reference asks where a piece began before it was normalised. */
static void test_prefix_of_the_first(void **state)
{
    (void)state;
#define REPLACING(what) "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" what "\"},\"content\":\"_\"}"
    static const char refused[] = "\"first\" is not supported behind";
    check_refusal(STEP("normalizer", "{\"type\":\"Replace\",\"pattern\":{\"String\":\"b\"},\"content\":\"\"},"
                                     "\"pre_tokenizer\":" FIRST),
                  PT_MISMATCH, refused);
    check_refusal(
        STEP("normalizer",
             "{\"type\":\"Prepend\",\"prepend\":\" \"},"
             "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"}," FIRST "]}"),
        PT_MISMATCH, refused);
    check_refusal(STEP("normalizer",
                       REPLACE ",\"pre_tokenizer\":" FIRST ",\"added_tokens\":[{\"id\":3,\"content\":\"x\","
                               "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":true,"
                               "\"special\":true}]"),
                  PT_MISMATCH, refused);
    check_refusal(STEP("normalizer", REPLACING("ab") ",\"pre_tokenizer\":" FIRST), PT_MISMATCH, refused);
    check_taken(STEP("normalizer", REPLACING("\xe2\x96\x81") ",\"pre_tokenizer\":" FIRST));
    check_taken(STEP("normalizer", REPLACE ",\"pre_tokenizer\":" FIRST));
    check_taken(
        STEP("pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\"}," FIRST "]}"));
}

#define BLANK_TOKEN(flags)                                                                           \
    BEGIN BYTE_LEVEL "," DECODER "," MODEL                                                           \
                     ",\"added_tokens\":[{\"id\":3,\"content\":\"\\n\",\"single_word\":false," flags \
                     ",\"normalized\":false,\"special\":true}]}"

/* Tokens that are white space, and take more of it with them: in time that grows with the text. */
static void test_white_space_that_is_a_token(void **state)
{
    (void)state;
    static const char *const tokenizers[] = {BLANK_TOKEN("\"lstrip\":true,\"rstrip\":false"),
                                             BLANK_TOKEN("\"lstrip\":false,\"rstrip\":true")};
    enum { LINES = 1 << 19 };
    char *text = test_malloc(2 * LINES);
    for (size_t i = 0; i < LINES; i++)
        memcpy(text + 2 * i, " \n", 2);
    alarm(60);
    for (size_t i = 0; i < N_OF(tokenizers); i++) {
        struct pt_error err = {0};
        struct pt_encoder *encoder;
        struct pt_words ids = {0};
        struct pt_tokenizer *tokenizer = open_text(tokenizers[i]);
        assert_int_equal(pt_encoder_new(&encoder, tokenizer, &err), 0);
        assert_int_equal(pt_encode(encoder, text, 2 * LINES, false, &ids, &err), 0);
        assert_int_equal(ids.n, LINES);
        pt_words_free(&ids);
        pt_encoder_free(encoder);
        pt_tokenizer_close(tokenizer);
    }
    alarm(0);
    test_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed),           cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_bytes_behind_it),     cmocka_unit_test(test_version_among_merges),
        cmocka_unit_test(test_unknown_characters),  cmocka_unit_test(test_steps_that_are_refused),
        cmocka_unit_test(test_prefix_of_the_first), cmocka_unit_test(test_white_space_that_is_a_token),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
