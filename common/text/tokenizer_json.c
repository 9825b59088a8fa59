/*
 * The parts of a tokenizer.json. Vocabulary and merges, which may be 15 MB, are read where they stand; the
 * rest becomes a small tree. Whatever could change an id and is not known here is refused by name.
 */
#include "text/bpe_tokenizer.h"
#include "text/json_scan.h"
#include "text/tokenizer_steps.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "fmt/json.h"
#include "text/byte_level.h"

#include <stdlib.h>
#include <string.h>

struct document {
    const char *name;                   /* of the file, for messages */
    struct pt_json_slice vocab, merges; /* text NULL: absent */
    json_t *rest;                       /* owned: the document without them */
};

static bool is_key(struct pt_json_slice key, const char *name)
{
    return key.n == strlen(name) && memcmp(key.text, name, key.n) == 0;
}

static int copy_pair(struct pt_buffer *out, struct pt_json_slice key, struct pt_json_slice value,
                     struct pt_error *err)
{
    if ((out->data[out->size - 1] != '{' && pt_buffer_append(out, ",", 1, err)) ||
        pt_buffer_append(out, "\"", 1, err) || pt_buffer_append(out, key.text, key.n, err) ||
        pt_buffer_append(out, "\":", 2, err))
        return (int)err->status;
    return pt_buffer_append(out, value.text, value.n, err);
}

/* Copies the pairs of an object, and of its "model", except for vocabulary and merges. False where it is
 * malformed (or err says so). */
static bool copy_without_tables(struct document *document, struct pt_json_slice object, bool in_model,
                                struct pt_buffer *out, struct pt_error *err)
{
    struct pt_json_scan scan;
    struct pt_json_slice key, value;
    enum pt_json_scanned found;
    if (!pt_json_scan_begin(&scan, object, '{') || pt_buffer_append(out, "{", 1, err))
        return false;
    while ((found = pt_json_scan_pair(&scan, &key, &value)) == PT_JSON_ELEMENT) {
        bool vocab = in_model && is_key(key, "vocab"), merges = in_model && is_key(key, "merges");
        struct pt_json_slice *table = vocab ? &document->vocab : &document->merges;
        if (vocab || merges) {
            if (table->text)
                return false;
            *table = value;
        } else if (!in_model && is_key(key, "model") && value.text[0] == '{') {
            if (copy_pair(out, key, (struct pt_json_slice){"", 0}, err) ||
                !copy_without_tables(document, value, true, out, err))
                return false;
        } else if (copy_pair(out, key, value, err)) {
            return false;
        }
    }
    return found == PT_JSON_END && !pt_buffer_append(out, "}", 1, err) && (in_model || scan.next == scan.end);
}

/* Parses the whole text only to find out what is wrong with it. */
static int explain_malformed(const char *text, size_t n, const char *name, struct pt_error *err)
{
    json_t *tree = NULL;
    if (!err->status && !pt_json_parse(&tree, text, n, name, err))
        pt_fail(err, PT_BAD_INPUT, "%s: not an object with one vocabulary", name);
    json_decref(tree);
    return (int)err->status;
}

static int read_document(struct document *document, const char *text, size_t n, struct pt_error *err)
{
    struct pt_buffer small = {0};
    struct pt_json_slice whole = {text, n};
    while (whole.n && pt_is_json_blank(whole.text[whole.n - 1]))
        whole.n--;
    if (!copy_without_tables(document, whole, false, &small, err) ||
        pt_json_parse(&document->rest, small.data, small.size, document->name, err))
        explain_malformed(text, n, document->name, err);
    pt_buffer_free(&small);
    return (int)err->status;
}

static int read_vocabulary(struct pt_bpe_tokenizer *tokenizer, const struct document *document,
                           struct pt_error *err)
{
    struct pt_json_scan scan;
    struct pt_json_slice raw, value, token;
    struct pt_buffer scratch = {0};
    enum pt_json_scanned found = PT_JSON_MALFORMED;
    if (pt_json_scan_begin(&scan, document->vocab, '{'))
        while ((found = pt_json_scan_pair(&scan, &raw, &value)) == PT_JSON_ELEMENT) {
            uint32_t id;
            if (!pt_json_scan_unescape(raw, &scratch, &token, err) || !pt_json_scan_id(value, &id))
                pt_fail(err, PT_BAD_INPUT, "vocabulary: token \"%.*s\" or its id is malformed",
                        (int)(raw.n < 100 ? raw.n : 100), raw.text);
            if (err->status || pt_vocabulary_add(&tokenizer->vocabulary, token.text, token.n, id, err))
                break;
        }
    pt_buffer_free(&scratch);
    if (found == PT_JSON_MALFORMED)
        return pt_fail(err, PT_BAD_INPUT, "the vocabulary is missing or malformed");
    return (int)err->status;
}

/* The two halves of a merge, one behind the other in `joined`: "a b", or ["a", "b"]. */
static bool take_merge(struct pt_json_slice value, struct pt_buffer *scratch, struct pt_buffer *joined,
                       size_t *n_left, struct pt_error *err)
{
    struct pt_json_slice half[2], text;
    struct pt_json_scan scan;
    pt_buffer_clear(joined);
    if (pt_json_scan_string(value, &text)) {
        if (!pt_json_scan_unescape(text, scratch, &text, err))
            return false;
        const char *blank = memchr(text.text, ' ', text.n);
        if (!blank)
            return false;
        *n_left = (size_t)(blank - text.text);
        size_t n_right = text.n - *n_left - 1;
        return !memchr(blank + 1, ' ', n_right) && !pt_buffer_append(joined, text.text, *n_left, err) &&
               !pt_buffer_append(joined, blank + 1, n_right, err);
    }
    if (!pt_json_scan_begin(&scan, value, '['))
        return false;
    for (int i = 0; i < 2; i++) {
        if (pt_json_scan_element(&scan, &half[i]) != PT_JSON_ELEMENT ||
            !pt_json_scan_string(half[i], &text) || !pt_json_scan_unescape(text, scratch, &text, err) ||
            pt_buffer_append(joined, text.text, text.n, err))
            return false;
        if (i == 0)
            *n_left = joined->size;
    }
    return pt_json_scan_element(&scan, &half[0]) == PT_JSON_END;
}

static int add_merge(struct pt_bpe_tokenizer *tokenizer, const struct pt_buffer *joined, size_t n_left,
                     uint32_t rank, struct pt_error *err)
{
    const struct pt_vocabulary *vocabulary = &tokenizer->vocabulary;
    uint32_t left, right, merged;
    if (!pt_vocabulary_find(vocabulary, joined->data, n_left, &left) ||
        !pt_vocabulary_find(vocabulary, joined->data + n_left, joined->size - n_left, &right) ||
        !pt_vocabulary_find(vocabulary, joined->data, joined->size, &merged))
        return pt_fail(err, PT_BAD_INPUT, "merge %u: \"%.*s\" + \"%s\" is not in the vocabulary", rank,
                       (int)n_left, joined->data, joined->data + n_left);
    pt_merges_add(&tokenizer->merges, left, right, rank, merged);
    return PT_OK;
}

static size_t count_elements(struct pt_json_slice array)
{
    struct pt_json_scan scan;
    struct pt_json_slice value;
    size_t n = 0;
    if (pt_json_scan_begin(&scan, array, '['))
        while (pt_json_scan_element(&scan, &value) == PT_JSON_ELEMENT)
            n++;
    return n;
}

/* The first line of a merges.txt, which the reference passes over wherever it stands. */
static bool is_version_line(struct pt_json_slice value)
{
    static const char mark[] = "#version";
    struct pt_json_slice text;
    return pt_json_scan_string(value, &text) && text.n >= sizeof mark - 1 &&
           memcmp(text.text, mark, sizeof mark - 1) == 0;
}

static int read_merges(struct pt_bpe_tokenizer *tokenizer, const struct document *document,
                       struct pt_error *err)
{
    struct pt_json_scan scan;
    struct pt_json_slice value;
    struct pt_buffer scratch = {0}, joined = {0};
    enum pt_json_scanned found = PT_JSON_MALFORMED;
    size_t n = count_elements(document->merges), n_left = 0;
    if (n > UINT32_MAX / 2)
        return pt_fail(err, PT_BAD_INPUT, "%zu merges are too many", n);
    if (pt_merges_init(&tokenizer->merges, n, err))
        return (int)err->status;
    uint32_t rank = 0;
    if (pt_json_scan_begin(&scan, document->merges, '['))
        while ((found = pt_json_scan_element(&scan, &value)) == PT_JSON_ELEMENT) {
            if (is_version_line(value))
                continue;
            if (!take_merge(value, &scratch, &joined, &n_left, err))
                pt_fail(err, PT_BAD_INPUT, "merge %u is malformed", rank);
            if (err->status || add_merge(tokenizer, &joined, n_left, rank++, err))
                break;
        }
    pt_buffer_free(&scratch);
    pt_buffer_free(&joined);
    if (found == PT_JSON_MALFORMED)
        return pt_fail(err, PT_BAD_INPUT, "the merges are missing or malformed");
    return (int)err->status;
}

/* The tokens of single bytes in the byte alphabet. */
static void find_byte_tokens(struct pt_bpe_tokenizer *tokenizer)
{
    unsigned n_missing = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        char character[2];
        size_t n = pt_byte_to_character((uint8_t)byte, character);
        tokenizer->byte_ids[byte] = PT_NO_TOKEN;
        /* C0, C1 and F5 to FF are never part of UTF-8. */
        if (!pt_bpe_find(tokenizer, character, n, &tokenizer->byte_ids[byte]))
            n_missing += byte != 0xc0 && byte != 0xc1 && byte < 0xf5;
    }
    if (n_missing && tokenizer->unknown_id == PT_NO_TOKEN)
        pt_log(PT_LOG_WARNING,
               "the vocabulary has no token for %u of the 256 bytes: they vanish from texts, as in the "
               "reference",
               n_missing);
}

/* The tokens of ASCII characters, and of the bytes of characters that have none. */
static void find_character_tokens(struct pt_bpe_tokenizer *tokenizer)
{
    unsigned n_missing = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        char token[16], character = (char)byte;
        int n = snprintf(token, sizeof token, "<0x%02X>", byte);
        tokenizer->byte_ids[byte] = tokenizer->fallback_ids[byte] = PT_NO_TOKEN;
        if (byte < 0x80)
            (void)pt_bpe_find(tokenizer, &character, 1, &tokenizer->byte_ids[byte]);
        if (!pt_bpe_find(tokenizer, token, (size_t)n, &tokenizer->fallback_ids[byte]))
            n_missing++;
    }
    if ((n_missing || !tokenizer->byte_fallback) && tokenizer->unknown_id == PT_NO_TOKEN)
        pt_log(PT_LOG_WARNING,
               "the vocabulary has no token for unknown characters: they vanish from texts, as in "
               "the reference");
}

static int read_model(struct pt_bpe_tokenizer *tokenizer, const struct document *document,
                      struct pt_error *err)
{
    const json_t *model = json_object_get(document->rest, "model");
    if (!json_is_object(model))
        return pt_fail(err, PT_BAD_INPUT, "there is no model");
    if (pt_check_model(model, err) || read_vocabulary(tokenizer, document, err) ||
        read_merges(tokenizer, document, err))
        return (int)err->status;
    tokenizer->n_model_ids = tokenizer->vocabulary.n_ids;
    return pt_read_model_options(tokenizer, model, err);
}

/* What is left once the vocabulary stands. */
static int read_steps(struct pt_bpe_tokenizer *tokenizer, const json_t *rest, struct pt_error *err)
{
    if (pt_read_added_tokens(tokenizer, json_object_get(rest, "added_tokens"), err) ||
        pt_read_normalizer(tokenizer, json_object_get(rest, "normalizer"), err) ||
        pt_read_pre_tokenizer(tokenizer, json_object_get(rest, "pre_tokenizer"), err) ||
        pt_read_post_processor(tokenizer, json_object_get(rest, "post_processor"), err) ||
        pt_read_decoder(tokenizer, json_object_get(rest, "decoder"), err))
        return (int)err->status;
    return pt_prepare_added_tokens(tokenizer, err);
}

/* Steps behind ByteLevel may split within a character. */
static bool keeps_characters_whole(const struct pt_bpe_tokenizer *tokenizer)
{
    for (size_t i = 0; i < tokenizer->n_pre_steps; i++)
        if (tokenizer->pre_steps[i].spelled)
            return false;
    return true;
}

int pt_bpe_tokenizer_new(struct pt_bpe_tokenizer **out, const char *text, size_t n, const char *name,
                         struct pt_error *err)
{
    struct document document = {.name = name};
    size_t valid = pt_utf8_check(text, n);
    if (valid < n)
        return pt_fail(err, PT_BAD_INPUT, "%s: byte %zu: not UTF-8", name, valid);
    if (read_document(&document, text, n, err))
        return (int)err->status;
    struct pt_bpe_tokenizer *tokenizer = pt_new_array(1, sizeof *tokenizer, err);
    if (tokenizer && !pt_check_document(document.rest, err) && !read_model(tokenizer, &document, err) &&
        !read_steps(tokenizer, document.rest, err)) {
        tokenizer->is_byte_level ? find_byte_tokens(tokenizer) : find_character_tokens(tokenizer);
        if (tokenizer->is_byte_level && keeps_characters_whole(tokenizer))
            (void)!pt_character_rules_init(&tokenizer->characters, &tokenizer->merges, tokenizer->byte_ids,
                                           tokenizer->vocabulary.n_ids, err);
    }
    json_decref(document.rest);
    if (err->status) {
        pt_bpe_tokenizer_free(tokenizer);
        return pt_error_in(err, "%s", name);
    }
    *out = tokenizer;
    return PT_OK;
}
