/*
 * Ids and texts equal those of Hugging Face tokenizers and of sentencepiece (tests/data/tokenizer-vectors),
 * and what a tokenizer.json asks for beyond that is refused by name.
 */
#include "files.h"
#include "support.h"

#include "fmt/json.h"
#include "text/tokenizer.h"

static struct pt_tokenizer *open_or_fail(const char *path)
{
    struct pt_error err = {0};
    struct pt_tokenizer *tokenizer;
    if (pt_tokenizer_open(&tokenizer, path, &err))
        fail_msg("%s", err.message);
    return tokenizer;
}

static void decode_one_by_one(const struct pt_tokenizer *tokenizer, const struct pt_words *ids,
                              struct pt_buffer *text)
{
    struct pt_error err = {0};
    struct pt_decoder *decoder;
    assert_int_equal(pt_decoder_new(&decoder, tokenizer, false, &err), 0);
    for (size_t i = 0; i < ids->n; i++)
        assert_int_equal(pt_decoder_push(decoder, ids->data[i], text, &err), 0);
    assert_int_equal(pt_decoder_finish(decoder, text, &err), 0);
    pt_decoder_free(decoder);
}

static void check_case(const struct pt_tokenizer *tokenizer, struct pt_encoder *encoder, const json_t *vector,
                       size_t number)
{
    struct pt_error err = {0};
    struct pt_words ids = {0};
    struct pt_buffer text = {0};
    const json_t *input = json_object_get(vector, "text"), *expected = json_object_get(vector, "ids");
    const json_t *decoded = json_object_get(vector, "decoded");
    if (pt_encode(encoder, json_string_value(input), json_string_length(input), true, &ids, &err))
        fail_msg("%s", err.message);
    if (ids.n != json_array_size(expected))
        fail_msg("%s: case %zu: %zu ids in place of %zu", pt_tokenizer_kind(tokenizer), number, ids.n,
                 json_array_size(expected));
    for (size_t i = 0; i < ids.n; i++)
        if (ids.data[i] != json_integer_value(json_array_get(expected, i)))
            fail_msg("case %zu: id %zu is %u", number, i, ids.data[i]);
    assert_int_equal(pt_buffer_append(&text, "", 0, &err), 0);
    decode_one_by_one(tokenizer, &ids, &text);
    assert_int_equal(text.size, json_string_length(decoded));
    assert_memory_equal(text.data, json_string_value(decoded), text.size);
    pt_buffer_free(&text);
    pt_words_free(&ids);
}

static void check_vectors(const char *name)
{
    struct pt_error err = {0};
    struct pt_encoder *encoder;
    json_t *vectors = json_load_file(name, JSON_ALLOW_NUL, NULL);
    assert_non_null(vectors);
    char path[256];
    snprintf(path, sizeof path, "tests/data/%s", json_string_value(json_object_get(vectors, "tokenizer")));
    struct pt_tokenizer *tokenizer = open_or_fail(path);
    assert_int_equal(pt_encoder_new(&encoder, tokenizer, &err), 0);
    const json_t *cases = json_object_get(vectors, "cases");
    assert_true(json_array_size(cases) > 20);
    /* Twice: the second time many pieces come from the cache. */
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < json_array_size(cases); i++)
            check_case(tokenizer, encoder, json_array_get(cases, i), i);
    pt_encoder_free(encoder);
    pt_tokenizer_close(tokenizer);
    json_decref(vectors);
}

static void test_vectors(void **state)
{
    (void)state;
    static const char *const names[] = {
        "gpt2",        "small",      "added-tokens",   "tiny-bloom",          "llama3-form",
        "llama2-form", "gemma-form", "metaspace-form", "sentencepiece-bytes", "sentencepiece-no-bos"};
    for (size_t i = 0; i < N_OF(names); i++) {
        char path[256];
        snprintf(path, sizeof path, "tests/data/tokenizer-vectors/%s.json", names[i]);
        check_vectors(path);
    }
}

static void test_vocabulary(void **state)
{
    (void)state;
    struct pt_tokenizer *tokenizer = open_or_fail("tests/data/tiny-bloom");
    uint32_t id;
    assert_int_equal(pt_tokenizer_vocab_size(tokenizer), 1024);
    assert_true(pt_tokenizer_id(tokenizer, "</s>", &id));
    assert_int_equal(id, 2);
    assert_false(pt_tokenizer_id(tokenizer, "nothing like this", &id));
    assert_string_equal(pt_tokenizer_token(tokenizer, 3), "<pad>");
    assert_null(pt_tokenizer_token(tokenizer, 1024));
    assert_string_equal(pt_tokenizer_kind(tokenizer), "byte-level BPE");
    pt_tokenizer_close(tokenizer);
    tokenizer = open_or_fail("tests/data/tokenizers/llama2-form.json");
    assert_string_equal(pt_tokenizer_kind(tokenizer), "BPE");
    pt_tokenizer_close(tokenizer);
}

static void test_end_of_sequence(void **state)
{
    (void)state;
    struct pt_error err = {0};
    uint32_t id;
    struct pt_tokenizer *tokenizer = open_or_fail("tests/data/tiny-bloom");
    assert_int_equal(pt_tokenizer_eos(tokenizer, NULL, &id, &err), 0);
    assert_int_equal(id, 2);
    assert_int_equal(pt_tokenizer_eos(tokenizer, "<pad>", &id, &err), 0);
    assert_int_equal(id, 3);
    assert_int_equal(pt_tokenizer_eos(tokenizer, "<nope>", &id, &err), PT_MISMATCH);
    pt_tokenizer_close(tokenizer);
    /* A tokenizer alone: the usual names. */
    err = (struct pt_error){0};
    tokenizer = open_or_fail("tests/data/tokenizers/gpt2-part.json");
    assert_int_equal(pt_tokenizer_eos(tokenizer, NULL, &id, &err), 0);
    assert_int_equal(id, 50256);
    pt_tokenizer_close(tokenizer);
    tokenizer = open_or_fail("tests/data/tokenizers/llama3-form.json");
    assert_int_equal(pt_tokenizer_eos(tokenizer, NULL, &id, &err), PT_MISMATCH);
    pt_tokenizer_close(tokenizer);
}

static void test_sentencepiece_begin_of_sequence(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        size_t n_front;
    } cases[] = {{"{}", 1}, {"{\"add_bos_token\": true}", 1}, {"{\"add_bos_token\": false}", 0}};
    size_t n;
    char *model = read_file("tests/data/tokenizers/sentencepiece-bytes.model", &n);
    write_file(in_scratch("tokenizer.model"), model, n);
    free(model);
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct pt_error err = {0};
        struct pt_encoder *encoder;
        struct pt_words ids = {0};
        write_file(in_scratch("tokenizer_config.json"), cases[i].config, strlen(cases[i].config));
        struct pt_tokenizer *tokenizer = open_or_fail(scratch);
        assert_int_equal(pt_encoder_new(&encoder, tokenizer, &err), 0);
        assert_int_equal(pt_encode_front(encoder, &ids, &err), 0);
        assert_int_equal(ids.n, cases[i].n_front);
        pt_words_free(&ids);
        pt_encoder_free(encoder);
        pt_tokenizer_close(tokenizer);
    }
}

/* What transformers 5.24's AutoTokenizer makes of it: the same ids, or others. */
static void test_prefix_space_beside_it(void **state)
{
    (void)state;
    static const struct {
        const char *tokenizer, *class, *model_type, *prefix;
        bool same;
    } cases[] = {
        {"gpt2-part", "GPT2Tokenizer", "gpt2", "true", false},
        {"gpt2-part", "GPTNeoXTokenizerFast", "gpt_neox", "true", false},
        {"gpt2-part", "GPT2TokenizerFast", "gpt2", "false", true},
        {"gpt2-part", "PreTrainedTokenizerFast", "gpt2", "true", true},
        {"gpt2-part", "BloomTokenizerFast", "bloom", "true", true},
        {"llama2-form", "LlamaTokenizer", "llama", "false", false},
        {"metaspace-form", "LlamaTokenizerFast", "llama", "false", false},
        {"llama2-form", "LlamaTokenizer", "llama", "true", true},
        {"llama2-form", "LlamaTokenizer", "mistral", "false", true},
        {"llama3-form", "LlamaTokenizer", "llama", "true", true},
    };
    mkdir(in_scratch("beside"), 0700);
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct pt_error err = {0};
        struct pt_tokenizer *tokenizer;
        char text[256];
        size_t n;
        snprintf(text, sizeof text, "tests/data/tokenizers/%s.json", cases[i].tokenizer);
        char *json = read_file(text, &n);
        write_file(in_scratch("beside/tokenizer.json"), json, n);
        free(json);
        snprintf(text, sizeof text, "{\"tokenizer_class\": \"%s\", \"add_prefix_space\": %s}", cases[i].class,
                 cases[i].prefix);
        write_file(in_scratch("beside/tokenizer_config.json"), text, strlen(text));
        snprintf(text, sizeof text, "{\"model_type\": \"%s\"}", cases[i].model_type);
        write_file(in_scratch("beside/config.json"), text, strlen(text));
        if (pt_tokenizer_open(&tokenizer, in_scratch("beside"), &err) !=
            (cases[i].same ? PT_OK : PT_MISMATCH))
            fail_msg("case %zu: %s", i, err.message);
        if (cases[i].same)
            pt_tokenizer_close(tokenizer);
        else
            assert_non_null(strstr(err.message, "add_prefix_space"));
    }
}

static void test_invalid_text(void **state)
{
    (void)state;
    static const char *const paths[] = {"tests/data/tiny-bloom",
                                        "tests/data/tokenizers/sentencepiece-bytes.model"};
    for (size_t i = 0; i < N_OF(paths); i++) {
        struct pt_error err = {0};
        struct pt_encoder *encoder;
        struct pt_words ids = {0};
        struct pt_tokenizer *tokenizer = open_or_fail(paths[i]);
        assert_int_equal(pt_encoder_new(&encoder, tokenizer, &err), 0);
        assert_int_equal(pt_encode(encoder, "ab\xff", 3, false, &ids, &err), PT_BAD_INPUT);
        assert_string_equal(err.message, "byte 2: not UTF-8");
        pt_words_free(&ids);
        pt_encoder_free(encoder);
        pt_tokenizer_close(tokenizer);
    }
}

static void test_decoding_holds_back_and_replaces(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_decoder *decoder;
    struct pt_buffer text = {0};
    struct pt_tokenizer *tokenizer = open_or_fail("tests/data/tokenizers/llama3-form.json");
    uint32_t e4 = 0, bd = 0, a0 = 0, a = 0;
    assert_true(pt_tokenizer_id(tokenizer, "ä", &e4) && pt_tokenizer_id(tokenizer, "½", &bd) &&
                pt_tokenizer_id(tokenizer, "ł", &a0) && pt_tokenizer_id(tokenizer, "a", &a));
    assert_int_equal(pt_decoder_new(&decoder, tokenizer, false, &err), 0);
    /* E4 BD A0 is one character: nothing comes before its last byte. */
    assert_int_equal(pt_decoder_push(decoder, e4, &text, &err), 0);
    assert_int_equal(pt_decoder_push(decoder, bd, &text, &err), 0);
    assert_int_equal(text.size, 0);
    assert_int_equal(pt_decoder_push(decoder, a0, &text, &err), 0);
    assert_string_equal(text.data, "你");
    /* E4 BD and then a letter: one replacement for the broken part. */
    assert_int_equal(pt_decoder_push(decoder, e4, &text, &err), 0);
    assert_int_equal(pt_decoder_push(decoder, bd, &text, &err), 0);
    assert_int_equal(pt_decoder_push(decoder, a, &text, &err), 0);
    assert_int_equal(pt_decoder_push(decoder, bd, &text, &err), 0);
    assert_int_equal(pt_decoder_push(decoder, e4, &text, &err), 0);
    assert_int_equal(pt_decoder_finish(decoder, &text, &err), 0);
    assert_string_equal(text.data, "你\xef\xbf\xbd"
                                   "a\xef\xbf\xbd\xef\xbf\xbd");
    assert_int_equal(pt_decoder_push(decoder, 1000000, &text, &err), PT_MISMATCH);
    pt_buffer_free(&text);
    pt_decoder_free(decoder);
    pt_tokenizer_close(tokenizer);
}

/* The text of ids; a bar stands behind what came before the end. */
static void check_decoded(const char *path, bool skip_special, const uint32_t *ids, size_t n,
                          const char *expected)
{
    struct pt_error err = {0};
    struct pt_decoder *decoder;
    struct pt_buffer text = {0};
    struct pt_tokenizer *tokenizer = open_or_fail(path);
    assert_int_equal(pt_decoder_new(&decoder, tokenizer, skip_special, &err), 0);
    /* Twice: a text leaves nothing behind for the next one. */
    for (int round = 0; round < 2; round++) {
        pt_buffer_clear(&text);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(pt_decoder_push(decoder, ids[i], &text, &err), 0);
        assert_int_equal(pt_buffer_append(&text, "|", 1, &err), 0);
        assert_int_equal(pt_decoder_finish(decoder, &text, &err), 0);
        assert_string_equal(text.data, expected);
    }
    pt_buffer_free(&text);
    pt_decoder_free(decoder);
    pt_tokenizer_close(tokenizer);
}

/* What tokenizers 0.23.3 makes of them. */
static void test_decoding_bytes_and_blanks(void **state)
{
    (void)state;
    static const char llama[] = "tests/data/tokenizers/llama2-form.json",
                      gemma[] = "tests/data/tokenizers/gemma-form.json",
                      metaspace[] = "tests/data/tokenizers/metaspace-form.json";
    enum { BYTES = 3, A = 294, BLANK = 320, THE = 331 };
    const uint32_t character[] = {BYTES + 0xe4, BYTES + 0xbd, BYTES + 0xa0, A},
                   broken[] = {BYTES + 0xe4, BYTES + 0xbd, BYTES + 0xa0, BYTES + 0xff, A},
                   open_end[] = {A, BYTES + 0xe4, BYTES + 0xbd}, blanks[] = {BLANK, BLANK, THE},
                   begun[] = {1, THE}, blank_bytes[] = {BYTES + 0x20, BYTES + 0x20, THE};
    check_decoded(llama, false, character, 4, "你a|");
    check_decoded(llama, false, character, 3, "|你");
    check_decoded(llama, false, broken, 5,
                  "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                  "a|");
    check_decoded(llama, false, open_end, 3, "a|\xef\xbf\xbd\xef\xbf\xbd");
    check_decoded(metaspace, false, character, 4, "<0xE4><0xBD><0xA0>a|");
    check_decoded(llama, false, blanks, 3, "  the|");
    check_decoded(gemma, false, blanks, 3, "   the|");
    check_decoded(metaspace, false, blanks, 3, "  the|");
    check_decoded(llama, false, begun, 2, "<s> the|");
    check_decoded(llama, true, begun, 2, "the|");
    check_decoded(metaspace, true, begun, 2, "the|");
    check_decoded(gemma, true, begun, 2, " the|");
    check_decoded(llama, false, blank_bytes, 3, "  the|");
}

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

static void check_taken(const char *json)
{
    struct pt_error err = {0};
    struct pt_tokenizer *tokenizer;
    write_file(in_scratch("tokenizer.json"), json, strlen(json));
    if (pt_tokenizer_open(&tokenizer, in_scratch("tokenizer.json"), &err))
        fail_msg("%s: %s", json, err.message);
    pt_tokenizer_close(tokenizer);
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
    write_file(in_scratch("tokenizer.json"), json, sizeof json - 2);
    pt_tokenizer_close(open_or_fail(in_scratch("tokenizer.json")));
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
        int n = snprintf(
            json, sizeof json,
            BEGIN "\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"byte_fallback\":%s,\"fuse_unk\":%s,"
                  "\"unk_token\":%s,\"vocab\":{\"<unk>\":0,\"a\":1,\"<0xC3>\":2,\"<0xA9>\":3,\"aa\":4},"
                  "\"merges\":[[\"a\",\"a\"]]}}",
            cases[i].fallback, cases[i].fuse, cases[i].unknown);
        write_file(in_scratch("tokenizer.json"), json, (size_t)n);
        struct pt_tokenizer *tokenizer = open_or_fail(in_scratch("tokenizer.json"));
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
        write_file(in_scratch("tokenizer.json"), tokenizers[i], strlen(tokenizers[i]));
        struct pt_tokenizer *tokenizer = open_or_fail(in_scratch("tokenizer.json"));
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

static void test_not_sentencepiece(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tokenizer *tokenizer;
    write_file(in_scratch("broken.model"), "\x0a\xffnonsense", 10);
    assert_int_equal(pt_tokenizer_open(&tokenizer, in_scratch("broken.model"), &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "SentencePiece"));
}

static void check_cuts(const char *path, size_t first, size_t last, size_t step)
{
    size_t n;
    char *bytes = read_file(path, &n);
    for (size_t cut = first; cut < last && cut < n; cut += step) {
        struct pt_error err = {0};
        struct pt_tokenizer *tokenizer;
        write_file(in_scratch("cut.model"), bytes, cut);
        if (pt_tokenizer_open(&tokenizer, in_scratch("cut.model"), &err) != PT_BAD_INPUT)
            fail_msg("%s, cut at byte %zu: %d %s", path, cut, (int)err.status, err.message);
    }
    free(bytes);
}

/* What is cut between two pieces, or in front of the normalizer, is sound to the library. */
static void test_sentencepiece_cut_short(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t normalizer; /* where it begins */
    } models[] = {{"tests/data/tokenizers/sentencepiece-bytes.model", 32517},
                  {"tests/data/tokenizers/sentencepiece-no-bos.model", 15577}};
    for (size_t m = 0; m < N_OF(models); m++) {
        check_cuts(models[m].path, 1, 300, 1);
        check_cuts(models[m].path, models[m].normalizer - 150, models[m].normalizer + 10, 1);
        check_cuts(models[m].path, 300, SIZE_MAX, 9973);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_end_of_sequence),
        cmocka_unit_test(test_sentencepiece_begin_of_sequence),
        cmocka_unit_test(test_prefix_space_beside_it),
        cmocka_unit_test(test_invalid_text),
        cmocka_unit_test(test_decoding_holds_back_and_replaces),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_bytes_behind_it),
        cmocka_unit_test(test_version_among_merges),
        cmocka_unit_test(test_not_sentencepiece),
        cmocka_unit_test(test_sentencepiece_cut_short),
        cmocka_unit_test(test_unknown_characters),
        cmocka_unit_test(test_steps_that_are_refused),
        cmocka_unit_test(test_prefix_of_the_first),
        cmocka_unit_test(test_white_space_that_is_a_token),
        cmocka_unit_test(test_decoding_bytes_and_blanks),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
