/*
 * Special tokens come into the document in the order in which the reference adds them: those with an id first,
 * then the named ones; what the vocabulary lacks gets the ids behind it.
 */
#include "text/gpt2_files.h"

#include "base/utf8.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED = 7, MOST_ADDED = 1 << 16 };

static const char default_token[] = "<|endoftext|>"; /* of the first three */
static const char *const named_keys[NAMED] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                              "pad_token", "cls_token", "mask_token"};

struct document {
    const struct pt_gpt2_settings *settings;
    struct pt_json_slice vocabulary;
    uint64_t n_tokens;        /* of the vocabulary, later with those that it lacks */
    const char *named[NAMED]; /* contents; NULL: there is none */
    uint64_t ids[NAMED];      /* in the vocabulary; UINT64_MAX: it has none */
    json_t *added;            /* owned */
    struct pt_buffer *to;
};

/* With a list of its own tokenizer_config.json says all; older ones are overruled by special_tokens_map.json. */
static bool has_list(const struct pt_gpt2_settings *settings)
{
    return json_object_get(settings->tokenizer_config, "added_tokens_decoder");
}

/* Files of these names are RoBERTa's and Qwen's, too. */
static bool is_gpt2(const struct pt_gpt2_settings *settings)
{
    const char *class = json_string_value(json_object_get(settings->tokenizer_config, "tokenizer_class"));
    const char *model_type = json_string_value(json_object_get(settings->config, "model_type"));
    if (class)
        return !strcmp(class, "GPT2Tokenizer") || !strcmp(class, "GPT2TokenizerFast");
    return model_type && (!strcmp(model_type, "gpt2") || !strcmp(model_type, "opt"));
}

static int check_settings(const struct pt_gpt2_settings *settings, struct pt_error *err)
{
    static const char *const keys[] = {"additional_special_tokens", "extra_special_tokens"};
    if (!is_gpt2(settings))
        return pt_fail(err, PT_MISMATCH,
                       "without a tokenizer.json only GPT2Tokenizer is supported, in tokenizer_config.json's "
                       "\"tokenizer_class\" or as that of config.json's \"model_type\"");
    if (settings->has_added_tokens && !has_list(settings))
        return pt_fail(err, PT_MISMATCH, "added_tokens.json is not supported without a tokenizer.json");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_array_size(json_object_get(settings->tokenizer_config, keys[i])) ||
            json_object_size(json_object_get(settings->tokenizer_config, keys[i])) ||
            json_array_size(json_object_get(settings->special_tokens_map, keys[i])))
            return pt_fail(err, PT_MISMATCH, "\"%s\" is not supported without a tokenizer.json", keys[i]);
    return PT_OK;
}

static const json_t *named_value(const struct pt_gpt2_settings *settings, const char *key)
{
    const json_t *value = has_list(settings) ? NULL : json_object_get(settings->special_tokens_map, key);
    return value ? value : json_object_get(settings->tokenizer_config, key);
}

/* NULL where there is none, or one with a zero byte inside. */
static const char *content_of(const json_t *value)
{
    const json_t *content = json_is_object(value) ? json_object_get(value, "content") : value;
    const char *text = json_string_value(content);
    return text && strlen(text) == json_string_length(content) ? text : NULL;
}

static int name_tokens(struct document *document, struct pt_error *err)
{
    for (size_t i = 0; i < NAMED; i++) {
        const json_t *value = named_value(document->settings, named_keys[i]);
        document->named[i] = value ? content_of(value) : i < 3 ? default_token : NULL;
        document->ids[i] = UINT64_MAX;
        if (value && !json_is_null(value) && !document->named[i])
            return pt_fail(err, PT_BAD_INPUT, "\"%s\" is neither a string nor has a \"content\"",
                           named_keys[i]);
    }
    return PT_OK;
}

/* Goes over the vocabulary once for all named tokens. */
static int find_named(struct document *document, struct pt_error *err)
{
    struct pt_json_scan scan;
    struct pt_json_slice raw, value, token;
    struct pt_buffer scratch = {0};
    enum pt_json_scanned found = PT_JSON_MALFORMED;
    if (pt_json_scan_begin(&scan, document->vocabulary, '{'))
        while ((found = pt_json_scan_pair(&scan, &raw, &value)) == PT_JSON_ELEMENT) {
            uint32_t id;
            if (!pt_json_scan_unescape(raw, &scratch, &token, err) || !pt_json_scan_id(value, &id)) {
                found = PT_JSON_MALFORMED;
                break;
            }
            document->n_tokens++;
            for (size_t i = 0; i < NAMED; i++)
                if (document->named[i] && strlen(document->named[i]) == token.n &&
                    !memcmp(document->named[i], token.text, token.n))
                    document->ids[i] = id;
        }
    pt_buffer_free(&scratch);
    if (!err->status && (found == PT_JSON_MALFORMED || scan.next != scan.end))
        pt_fail(err, PT_BAD_INPUT, "not an object of tokens and their ids");
    return (int)err->status;
}

static json_t *flag(const json_t *value, const char *key)
{
    return json_boolean(json_is_true(json_object_get(value, key)));
}

static int add_token(struct document *document, const char *content, uint64_t id, const json_t *value,
                     bool special, struct pt_error *err)
{
    json_t *token =
        json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:b}", "id", (json_int_t)id, "content", content,
                  "single_word", flag(value, "single_word"), "lstrip", flag(value, "lstrip"), "rstrip",
                  flag(value, "rstrip"), "normalized", flag(value, "normalized"), "special", special);
    return token && !json_array_append_new(document->added, token) ? PT_OK
                                                                   : pt_fail(err, PT_FAILED, "out of memory");
}

static const json_t *find_added(const struct document *document, const char *content)
{
    for (size_t i = 0; i < json_array_size(document->added); i++) {
        const json_t *token = json_array_get(document->added, i);
        if (!strcmp(json_string_value(json_object_get(token, "content")), content))
            return token;
    }
    return NULL;
}

/* Which of two descriptions of a token counts, only the reference knows. */
static int check_alike(const json_t *added, const char *content, const json_t *value, struct pt_error *err)
{
    static const char *const flags[] = {"single_word", "lstrip", "rstrip"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (json_is_true(json_object_get(added, flags[i])) != json_is_true(json_object_get(value, flags[i])))
            return pt_fail(err, PT_MISMATCH, "special token \"%.100s\": \"%s\" is both true and false",
                           content, flags[i]);
    return PT_OK;
}

/* Those that tokenizer_config.json lists with their ids, in their order. */
static int add_listed(struct document *document, struct pt_error *err)
{
    const json_t *list = json_object_get(document->settings->tokenizer_config, "added_tokens_decoder");
    char key[24];
    size_t left = json_object_size(list);
    if (left > MOST_ADDED)
        return pt_fail(err, PT_BAD_INPUT, "%zu added tokens are too many", left);
    for (uint64_t id = 0; left && !err->status; id++) {
        snprintf(key, sizeof key, "%" PRIu64, id);
        const json_t *value = json_object_get(list, key);
        const char *content = content_of(value);
        if (id >= document->n_tokens + MOST_ADDED || (value && !content))
            return pt_fail(err, PT_BAD_INPUT, "tokenizer_config.json: malformed \"added_tokens_decoder\"");
        if (value &&
            !add_token(document, content, id, value, json_is_true(json_object_get(value, "special")), err))
            left--;
    }
    return (int)err->status;
}

static int add_named(struct document *document, struct pt_error *err)
{
    for (size_t i = 0; i < json_array_size(document->added); i++) {
        const json_t *id = json_object_get(json_array_get(document->added, i), "id");
        if ((uint64_t)json_integer_value(id) >= document->n_tokens)
            document->n_tokens = (uint64_t)json_integer_value(id) + 1;
    }
    for (size_t i = 0; i < NAMED && !err->status; i++) {
        const char *content = document->named[i];
        const json_t *added = content ? find_added(document, content) : NULL,
                     *value = named_value(document->settings, named_keys[i]);
        if (added && !has_list(document->settings))
            (void)!check_alike(added, content, value, err);
        if (!content || added)
            continue;
        uint64_t id = document->ids[i] == UINT64_MAX ? document->n_tokens++ : document->ids[i];
        (void)!add_token(document, content, id, value, true, err);
    }
    return (int)err->status;
}

/* The element of a template that stands for a named token, and what it is. */
static int template_token(struct document *document, size_t named, json_t *single, json_t *specials,
                          struct pt_error *err)
{
    static const char *const settings[] = {"add_bos_token", "add_eos_token"};
    const char *content = document->named[named];
    bool wanted = false, found;
    if (pt_json_get_bool(document->settings->tokenizer_config, settings[named], "tokenizer_config.json",
                         &wanted, &found, err) ||
        !wanted || !content)
        return (int)err->status;
    const json_int_t id = json_integer_value(json_object_get(find_added(document, content), "id"));
    if (json_array_append_new(single,
                              json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", content, "type_id", 0)) ||
        json_object_set_new(specials, content, json_pack("{s:s, s:[I]}", "id", content, "ids", id)))
        return pt_fail(err, PT_FAILED, "out of memory");
    return PT_OK;
}

static json_t *post_processor(struct document *document, struct pt_error *err)
{
    json_t *single = json_array(), *specials = json_object();
    if (!template_token(document, 0, single, specials, err) &&
        json_array_append_new(single, json_pack("{s:{s:s, s:i}}", "Sequence", "id", "A", "type_id", 0)))
        pt_fail(err, PT_FAILED, "out of memory");
    if (!err->status)
        (void)!template_token(document, 1, single, specials, err);
    return json_pack("{s:s, s:o, s:o}", "type", "TemplateProcessing", "single", single, "special_tokens",
                     specials);
}

/* Everything but the model, up to where that begins. */
static int append_steps(struct document *document, struct pt_error *err)
{
    bool prefix = false, found;
    if (pt_json_get_bool(document->settings->tokenizer_config, "add_prefix_space", "tokenizer_config.json",
                         &prefix, &found, err))
        return (int)err->status;
    json_t *post = post_processor(document, err);
    json_t *steps = json_pack("{s:s, s:O, s:{s:s, s:b}, s:o, s:{s:s}}", "version", "1.0", "added_tokens",
                              document->added, "pre_tokenizer", "type", "ByteLevel", "add_prefix_space",
                              prefix, "post_processor", post, "decoder", "type", "ByteLevel");
    if (!err->status && (!steps || pt_json_append(document->to, steps, JSON_COMPACT, err)))
        pt_fail(err, PT_FAILED, "out of memory");
    json_decref(steps);
    return (int)err->status;
}

/* A line a merge, behind a line that begins with "#version". */
static int append_merges(struct document *document, struct pt_json_slice merges, struct pt_error *err)
{
    const char *line = merges.text, *end = merges.text + merges.n;
    bool first = true;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            stop = end;
        if ((!first && pt_buffer_append(document->to, ",", 1, err)) ||
            pt_json_append_string(document->to, line, (size_t)(stop - line), false, err))
            return (int)err->status;
        first = false;
        line = stop + 1;
    }
    return PT_OK;
}

static int append_model(struct document *document, struct pt_json_slice merges, struct pt_error *err)
{
    static const char begin[] = ",\"model\":{\"type\":\"BPE\",\"vocab\":", between[] = ",\"merges\":[",
                      end[] = "]}}";
    document->to->size--; /* the closing bracket */
    if (pt_buffer_append(document->to, begin, sizeof begin - 1, err) ||
        pt_buffer_append(document->to, document->vocabulary.text, document->vocabulary.n, err) ||
        pt_buffer_append(document->to, between, sizeof between - 1, err) ||
        append_merges(document, merges, err))
        return (int)err->status;
    return pt_buffer_append(document->to, end, sizeof end - 1, err);
}

int pt_gpt2_fingerprint(struct pt_fingerprint *fingerprint, const void *vocabulary, size_t n_vocabulary,
                        const void *merges, size_t n_merges, struct pt_error *err)
{
    struct pt_hasher *hasher = pt_hasher_new(err);
    if (!hasher)
        return (int)err->status;
    pt_hasher_add(hasher, vocabulary, n_vocabulary);
    pt_hasher_add(hasher, merges, n_merges);
    *fingerprint = pt_hasher_result(hasher);
    pt_hasher_free(hasher);
    return PT_OK;
}

static int check_text(struct pt_json_slice text, const char *name, struct pt_error *err)
{
    const size_t valid = pt_utf8_check(text.text, text.n);
    return valid < text.n ? pt_fail(err, PT_BAD_INPUT, "%s: byte %zu: not UTF-8", name, valid) : PT_OK;
}

int pt_gpt2_document(struct pt_json_slice vocabulary, struct pt_json_slice merges,
                     const struct pt_gpt2_settings *settings, struct pt_buffer *to, struct pt_error *err)
{
    struct document document = {.settings = settings, .vocabulary = vocabulary, .to = to};
    while (document.vocabulary.n && pt_is_json_blank(document.vocabulary.text[document.vocabulary.n - 1]))
        document.vocabulary.n--;
    document.added = json_array();
    if (!check_text(vocabulary, PT_GPT2_VOCABULARY, err) && !check_text(merges, PT_GPT2_MERGES, err) &&
        !check_settings(settings, err) && !name_tokens(&document, err) && !find_named(&document, err) &&
        !add_listed(&document, err) && !add_named(&document, err) && !append_steps(&document, err))
        (void)!append_model(&document, merges, err);
    json_decref(document.added);
    return (int)err->status;
}
