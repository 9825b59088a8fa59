/*
 * Ids and texts equal those of Hugging Face tokenizers and of sentencepiece (tests/data/tokenizer-vectors).
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
    static const char *const names[] = {"gpt2",
                                        "small",
                                        "added-tokens",
                                        "tiny-bloom",
                                        "llama3-form",
                                        "llama2-form",
                                        "gemma-form",
                                        "metaspace-form",
                                        "falcon-form",
                                        "punctuation-form",
                                        "opt-form",
                                        "sentencepiece-bytes",
                                        "sentencepiece-no-bos"};
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
        cmocka_unit_test(test_not_sentencepiece),
        cmocka_unit_test(test_sentencepiece_cut_short),
        cmocka_unit_test(test_decoding_bytes_and_blanks),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
