/*
 * A folder of vocab.json and merges.txt is what transformers makes of it, or is refused by name. Ids of such a
 * folder are compared with the reference's in test_tokenizer.c.
 */
#include "files.h"
#include "model_folder.h"
#include "support.h"

#include "text/tokenizer.h"

enum { FILES = 6 };

static const char *const names[FILES] = {
    "vocab.json",       "merges.txt", "tokenizer_config.json", "config.json", "special_tokens_map.json",
    "added_tokens.json"};
static const char *const good[FILES] = {
    "{\"a\":0,\"b\":1,\"ab\":2,\"</s>\":3,\"\\u0120\":4}\n",
    "#version: 0.2\na b\n",
    "{\"tokenizer_class\":\"GPT2Tokenizer\",\"bos_token\":\"</s>\",\"eos_token\":\"</s>\",\"unk_token\":\"</"
    "s>\"}",
    NULL,
    NULL,
    NULL,
};

/* The good folder with one of its files changed; NULL: without it. */
static int open_changed(struct pt_tokenizer **tokenizer, size_t changed, const char *text,
                        struct pt_error *err)
{
    struct folder folder;
    folder_make(&folder);
    for (size_t i = 0; i < FILES; i++) {
        const char *content = i == changed ? text : good[i];
        if (content)
            write_file(folder_file(&folder, names[i]), content, strlen(content));
    }
    int status = pt_tokenizer_open(tokenizer, folder.path, err);
    if (!status) { /* found without being opened, it has the same fingerprint */
        const char *file;
        struct pt_fingerprint found;
        assert_int_equal(pt_tokenizer_find(folder.path, &file, &found, err), 0);
        assert_string_equal(file, "vocab.json");
        assert_string_equal(found.text, pt_tokenizer_fingerprint(*tokenizer).text);
    }
    folder_remove(&folder);
    return status;
}

static void what_cannot_be_what_it_says_is_refused(void **state)
{
    (void)state;
    static const struct {
        size_t file;
        const char *text;
        enum pt_status status;
        const char *reason;
    } cases[] = {
        {0, "", PT_BAD_INPUT, "vocab.json: not an object of tokens"},
        {0, "[\"a\"]", PT_BAD_INPUT, "not an object of tokens"},
        {0, "{\"a\":0,\"b\":1,\"ab\":2", PT_BAD_INPUT, "not an object of tokens"},
        {0, "{\"a\":0},\"merges\":[],\"more\":{}", PT_BAD_INPUT, "not an object of tokens"},
        {0, "{\"a\":\"0\"}", PT_BAD_INPUT, "not an object of tokens"},
        {0, "{\"a\":-1}", PT_BAD_INPUT, "not an object of tokens"},
        {0, "{\"a\":0,\"b\":1,\"a\":2,\"ab\":3}", PT_BAD_INPUT, "twice"},
        {0, "{\"a\":0,\"b\":1}", PT_BAD_INPUT, "merge 0"},
        {0, "{\"\xff\":0}", PT_BAD_INPUT, "vocab.json: byte 2: not UTF-8"},
        {0, NULL, PT_BAD_INPUT, "vocab.json with merges.txt"},
        {1, NULL, PT_BAD_INPUT, "vocab.json with merges.txt"},
        {1, "a\xff b\n", PT_BAD_INPUT, "merges.txt: byte 1: not UTF-8"},
        {1, "a b\n\n", PT_BAD_INPUT, "merge 1 is malformed"},
        {1, "a b c\n", PT_BAD_INPUT, "merge 0 is malformed"},
        {1, "a \"\n", PT_BAD_INPUT, "merge 0"},
        {1, "a b\r\n", PT_BAD_INPUT, "merge 0"},
        {2, NULL, PT_MISMATCH, "only GPT2Tokenizer"},
        {2, "{}", PT_MISMATCH, "only GPT2Tokenizer"},
        {2, "{\"tokenizer_class\":\"RobertaTokenizer\"}", PT_MISMATCH, "only GPT2Tokenizer"},
        {2, "{\"tokenizer_class\":\"GPT2Tokenizer\",\"additional_special_tokens\":[\"<x>\"]}", PT_MISMATCH,
         "additional_special_tokens"},
        {2, "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_bos_token\":1}", PT_BAD_INPUT, "add_bos_token"},
        {2, "{\"tokenizer_class\":\"GPT2Tokenizer\",\"eos_token\":1}", PT_BAD_INPUT, "eos_token"},
        {4, "{\"eos_token\":{\"lstrip\":true}}", PT_BAD_INPUT, "eos_token"},
        {4, "{\"eos_token\":\"<\\u0000>\"}", PT_BAD_INPUT, ""},
        {2, "{\"tokenizer_class\":\"GPT2Tokenizer\",\"added_tokens_decoder\":{\"x\":{\"content\":\"y\"}}}",
         PT_BAD_INPUT, "added_tokens_decoder"},
        {2, "{\"tokenizer_class\":\"GPT2Tokenizer\",\"added_tokens_decoder\":{\"5\":{}}}", PT_BAD_INPUT,
         "added_tokens_decoder"},
        {2, "{\"tokenizer_class\":\"GPT2Tokenizer\",\"added_tokens_decoder\":{\"9\":{\"content\":\"y\"}}}",
         PT_MISMATCH, "id 9 here"},
        {4, "{\"eos_token\":{\"content\":\"</s>\",\"lstrip\":true}}", PT_MISMATCH, "both true and false"},
        {5, "{\"<x>\":5}", PT_MISMATCH, "added_tokens.json"},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct pt_error err = {0};
        struct pt_tokenizer *tokenizer;
        if (open_changed(&tokenizer, cases[i].file, cases[i].text, &err) == PT_OK)
            fail_msg("accepted: %s %s", names[cases[i].file], cases[i].text);
        if (err.status != cases[i].status || !strstr(err.message, cases[i].reason))
            fail_msg("expected \"%s\": %d %s", cases[i].reason, (int)err.status, err.message);
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    char cut[64];
    for (size_t n = 0; n + 2 < strlen(good[0]); n++) { /* a blank ends it */
        struct pt_error err = {0};
        struct pt_tokenizer *tokenizer;
        memcpy(cut, good[0], n);
        cut[n] = 0;
        assert_int_equal(open_changed(&tokenizer, 0, cut, &err), PT_BAD_INPUT);
    }
}

static void check_ids(size_t file, const char *change, const char *text, const uint32_t *ids, size_t n)
{
    struct pt_error err = {0};
    struct pt_tokenizer *tokenizer;
    struct pt_encoder *encoder;
    struct pt_words found = {0};
    if (open_changed(&tokenizer, file, change, &err))
        fail_msg("%s", err.message);
    assert_int_equal(pt_encoder_new(&encoder, tokenizer, &err), 0);
    assert_int_equal(pt_encode(encoder, text, strlen(text), true, &found, &err), 0);
    assert_int_equal(found.n, n);
    assert_memory_equal(found.data, ids, n * sizeof *ids);
    pt_words_free(&found);
    pt_encoder_free(encoder);
    pt_tokenizer_close(tokenizer);
}
#define IDS(...) (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)

#define CONFIG(more) \
    "{\"tokenizer_class\":\"GPT2TokenizerFast\",\"bos_token\":\"</s>\",\"eos_token\":\"</s>\"" more "}"

static void settings_are_those_of_the_files_beside(void **state)
{
    (void)state;
    check_ids(2, good[2], "ab</s>b", IDS(2, 3, 1));
    check_ids(1, "a b", "ab", IDS(2)); /* neither a version nor an end of line */
    check_ids(2, CONFIG(",\"unk_token\":null,\"add_bos_token\":true"), "ab", IDS(3, 2));
    check_ids(2, CONFIG(",\"unk_token\":null,\"add_prefix_space\":true"), "ab", IDS(4, 2));
    /* What the vocabulary lacks gets an id behind it: by default this token is the unknown one. */
    check_ids(2, CONFIG(""), "a<|endoftext|>b", IDS(0, 5, 1));
    check_ids(2, CONFIG(",\"mask_token\":\"<m>\",\"pad_token\":{\"content\":\"<p>\",\"lstrip\":true}"),
              "a <p><m>", IDS(0, 6, 7));
    check_ids(2,
              CONFIG(",\"unk_token\":\"</"
                     "s>\",\"added_tokens_decoder\":{\"6\":{\"content\":\"<y>\"},\"5\":{\"content\":"
                     "\"<x>\",\"rstrip\":true}}"),
              "<x> a<y>b", IDS(5, 0, 6, 1));
}

/* Without tokenizer_config.json: config.json says the class. */
static void the_type_of_the_model_says_the_class(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tokenizer *tokenizer;
    struct folder folder;
    folder_make(&folder);
    for (size_t i = 0; i < 2; i++)
        write_file(folder_file(&folder, names[i]), good[i], strlen(good[i]));
    write_file(folder_file(&folder, "config.json"), "{\"model_type\":\"opt\"}", 20);
    assert_int_equal(pt_tokenizer_open(&tokenizer, folder.path, &err), 0);
    assert_int_equal(pt_tokenizer_vocab_size(tokenizer), 6); /* with <|endoftext|> */
    pt_tokenizer_close(tokenizer);
    assert_int_equal(pt_tokenizer_open(&tokenizer, folder_file(&folder, "vocab.json"), &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "half a tokenizer"));
    err = (struct pt_error){0};
    write_file(folder_file(&folder, "config.json"), "{\"model_type\":\"qwen2\"}", 22);
    assert_int_equal(pt_tokenizer_open(&tokenizer, folder.path, &err), PT_MISMATCH);
    folder_remove(&folder);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_what_it_says_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(settings_are_those_of_the_files_beside),
        cmocka_unit_test(the_type_of_the_model_says_the_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
