/*
 * One function a part. The reference's classes are named in messages as the file names them.
 */
#include "text/tokenizer_steps.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "fmt/json.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST_SEQUENCE = 8 };

static int check_keys(const json_t *object, const char *what, const char *const *known, struct pt_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i] && !json_is_null(value))
            return pt_fail(err, PT_MISMATCH, "%s: \"%.100s\" is not supported", what, key);
    }
    return PT_OK;
}

int pt_check_document(const json_t *document, struct pt_error *err)
{
    /* Truncation and padding of the file do not count: the reference's models switch them off. */
    static const char *const known[] = {"version",    "truncation", "padding",       "added_tokens",
                                        "normalizer", "model",      "pre_tokenizer", "post_processor",
                                        "decoder",    NULL};
    const char *version;
    bool found;
    if (check_keys(document, "document", known, err) ||
        pt_json_get_string(document, "version", "document", &version, &found, err))
        return (int)err->status;
    if (found && strcmp(version, "1.0") != 0)
        return pt_fail(err, PT_MISMATCH, "version \"%.100s\" is not supported", version);
    return PT_OK;
}

int pt_check_model(const json_t *model, struct pt_error *err)
{
    static const char *const known[] = {"type",
                                        "dropout",
                                        "unk_token",
                                        "continuing_subword_prefix",
                                        "end_of_word_suffix",
                                        "fuse_unk",
                                        "byte_fallback",
                                        "ignore_merges",
                                        NULL};
    const char *text = "BPE";
    double dropout = 0;
    bool found;
    if (pt_json_get_string(model, "type", "model", &text, &found, err))
        return (int)err->status;
    if (strcmp(text, "BPE") != 0)
        return pt_fail(err, PT_MISMATCH, "model %.100s is not supported, only BPE is", text);
    if (check_keys(model, "model", known, err) ||
        pt_json_get_double(model, "dropout", "model", &dropout, &found, err))
        return (int)err->status;
    if (dropout != 0)
        return pt_fail(err, PT_MISMATCH, "model: \"dropout\" is not supported");
    for (int i = 3; i < 5; i++) {
        text = "";
        if (pt_json_get_string(model, known[i], "model", &text, &found, err))
            return (int)err->status;
        if (*text)
            return pt_fail(err, PT_MISMATCH, "model: \"%s\" is not supported", known[i]);
    }
    return PT_OK;
}

int pt_read_model_options(struct pt_bpe_tokenizer *tokenizer, const json_t *model, struct pt_error *err)
{
    const char *unknown = NULL;
    bool found;
    if (pt_json_get_string(model, "unk_token", "model", &unknown, &found, err) ||
        pt_json_get_bool(model, "fuse_unk", "model", &tokenizer->join_unknown, &found, err) ||
        pt_json_get_bool(model, "byte_fallback", "model", &tokenizer->byte_fallback, &found, err) ||
        pt_json_get_bool(model, "ignore_merges", "model", &tokenizer->ignore_merges, &found, err))
        return (int)err->status;
    tokenizer->unknown_id = PT_NO_TOKEN;
    if (unknown &&
        !pt_vocabulary_find(&tokenizer->vocabulary, unknown, strlen(unknown), &tokenizer->unknown_id))
        return pt_fail(err, PT_BAD_INPUT, "model: \"unk_token\" is not in the vocabulary");
    return PT_OK;
}

/* A flag that must be there. */
static int take_flag(const json_t *object, const char *key, bool *flag, struct pt_error *err)
{
    bool found;
    if (pt_json_get_bool(object, key, "added token", flag, &found, err))
        return (int)err->status;
    return found ? PT_OK : pt_fail(err, PT_BAD_INPUT, "added token: \"%s\" is missing", key);
}

/* The id that the reference gives: the model's, else one behind all that are there. */
static uint32_t expected_id(const struct pt_bpe_tokenizer *tokenizer, const char *content, size_t n,
                            size_t n_model_tokens)
{
    uint32_t id, next = (uint32_t)n_model_tokens;
    if (pt_vocabulary_find(&tokenizer->vocabulary, content, n, &id))
        return id;
    for (size_t i = 0; i < tokenizer->n_added; i++)
        if (tokenizer->added[i].id >= next)
            next = tokenizer->added[i].id + 1;
    return next;
}

static int read_added_token(struct pt_bpe_tokenizer *tokenizer, const json_t *object, size_t n_model_tokens,
                            struct pt_error *err)
{
    struct pt_added_token *token = &tokenizer->added[tokenizer->n_added];
    const char *content;
    uint64_t id;
    bool has_content, has_id;
    if (!json_is_object(object))
        return pt_fail(err, PT_BAD_INPUT, "added token: not an object");
    if (pt_json_get_string(object, "content", "added token", &content, &has_content, err) ||
        pt_json_get_u64(object, "id", "added token", &id, &has_id, err) ||
        take_flag(object, "single_word", &token->single_word, err) ||
        take_flag(object, "lstrip", &token->lstrip, err) ||
        take_flag(object, "rstrip", &token->rstrip, err) ||
        take_flag(object, "normalized", &token->normalized, err) ||
        take_flag(object, "special", &token->special, err))
        return (int)err->status;
    if (!has_content || !has_id || !*content)
        return pt_fail(err, PT_BAD_INPUT, "added token: without content or id");
    size_t n = strlen(content);
    token->id = expected_id(tokenizer, content, n, n_model_tokens);
    if (token->id != id)
        return pt_fail(err, PT_MISMATCH,
                       "added token \"%.100s\": id %llu here, but the reference would give it %u", content,
                       (unsigned long long)id, token->id);
    for (size_t i = 0; i < tokenizer->n_added; i++)
        if (tokenizer->added[i].id == token->id)
            return pt_fail(err, PT_BAD_INPUT, "added token \"%.100s\" appears twice", content);
    token->content = pt_new_string(content, err);
    if (!token->content)
        return (int)err->status;
    token->n_bytes = n;
    tokenizer->n_added++;
    if (pt_vocabulary_token(&tokenizer->vocabulary, token->id, NULL))
        return PT_OK;
    return pt_vocabulary_add(&tokenizer->vocabulary, content, n, token->id, err);
}

int pt_read_added_tokens(struct pt_bpe_tokenizer *tokenizer, const json_t *added, struct pt_error *err)
{
    if (!added || json_is_null(added))
        return PT_OK;
    if (!json_is_array(added))
        return pt_fail(err, PT_BAD_INPUT, "\"added_tokens\" is not an array");
    size_t n = json_array_size(added), n_model_tokens = tokenizer->vocabulary.n_tokens;
    tokenizer->added = pt_new_array(n, sizeof *tokenizer->added, err);
    if (!tokenizer->added)
        return (int)err->status;
    for (size_t i = 0; i < n; i++)
        if (read_added_token(tokenizer, json_array_get(added, i), n_model_tokens, err))
            return (int)err->status;
    return PT_OK;
}

int pt_step_type(const json_t *step, const char *part, const char **type, struct pt_error *err)
{
    bool found = false;
    if (!json_is_object(step))
        return pt_fail(err, PT_BAD_INPUT, "%s: not an object", part);
    if (pt_json_get_string(step, "type", part, type, &found, err))
        return (int)err->status;
    return found ? PT_OK : pt_fail(err, PT_BAD_INPUT, "%s: without a type", part);
}

int pt_step_sequence(struct pt_bpe_tokenizer *tokenizer, const json_t *list, const char *part, int depth,
                     pt_read_step *read, struct pt_error *err)
{
    if (!json_is_array(list) || depth == DEEPEST_SEQUENCE)
        return pt_fail(err, PT_BAD_INPUT, "%s: malformed Sequence", part);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (read(tokenizer, json_array_get(list, i), depth + 1, err))
            return (int)err->status;
    return PT_OK;
}

int pt_step_unsupported(const char *part, const char *type, struct pt_error *err)
{
    return pt_fail(err, PT_MISMATCH, "%s %.100s is not supported", part, type);
}

/* The strings of a Replace, in a normalizer or decoder. */
int pt_step_replace(const json_t *step, const char *part, const char **pattern, const char **text,
                    struct pt_error *err)
{
    bool found, has_text;
    *pattern = "";
    if (pt_json_get_string(json_object_get(step, "pattern"), "String", part, pattern, &found, err) ||
        pt_json_get_string(step, "content", part, text, &has_text, err))
        return (int)err->status;
    if (!has_text)
        return pt_fail(err, PT_BAD_INPUT, "%s Replace: without content", part);
    return **pattern ? PT_OK
                     : pt_fail(err, PT_MISMATCH, "%s Replace: this kind of pattern is not supported", part);
}

static int read_prepend(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    const char *text;
    bool found;
    if (pt_json_get_string(step, "prepend", "normalizer Prepend", &text, &found, err))
        return (int)err->status;
    if (!found)
        return pt_fail(err, PT_BAD_INPUT, "normalizer Prepend: without a text");
    return pt_normalizer_add(&tokenizer->normalizer, PT_NORMALIZE_PREPEND, NULL, text, err);
}

static int read_normalizer(struct pt_bpe_tokenizer *tokenizer, const json_t *step, int depth,
                           struct pt_error *err)
{
    const char *type, *pattern, *text;
    if (pt_step_type(step, "normalizer", &type, err))
        return (int)err->status;
    if (strcmp(type, "Sequence") == 0)
        return pt_step_sequence(tokenizer, json_object_get(step, "normalizers"), "normalizer", depth,
                                read_normalizer, err);
    if (strcmp(type, "NFC") == 0)
        return pt_normalizer_add(&tokenizer->normalizer, PT_NORMALIZE_COMPOSE, NULL, NULL, err);
    if (strcmp(type, "Prepend") == 0)
        return read_prepend(tokenizer, step, err);
    if (strcmp(type, "Replace") != 0)
        return pt_step_unsupported("normalizer", type, err);
    return pt_step_replace(step, "normalizer", &pattern, &text, err)
               ? (int)err->status
               : pt_normalizer_add(&tokenizer->normalizer, PT_NORMALIZE_REPLACE, pattern, text, err);
}

int pt_read_normalizer(struct pt_bpe_tokenizer *tokenizer, const json_t *normalizer, struct pt_error *err)
{
    return !normalizer || json_is_null(normalizer) ? PT_OK : read_normalizer(tokenizer, normalizer, 0, err);
}

/* A new step at the end of the chain, zeroed; NULL when memory is out. */
static struct pt_pre_step *add_pre_step(struct pt_bpe_tokenizer *tokenizer, struct pt_error *err)
{
    if (pt_reserve(&tokenizer->pre_steps, &tokenizer->pre_steps_capacity, tokenizer->n_pre_steps + 1,
                   sizeof *tokenizer->pre_steps, err))
        return NULL;
    struct pt_pre_step *step = &tokenizer->pre_steps[tokenizer->n_pre_steps++];
    *step = (struct pt_pre_step){0};
    return step;
}

static int add_split(struct pt_bpe_tokenizer *tokenizer, const char *pattern, bool literal,
                     enum pt_split_behavior behavior, bool invert, struct pt_error *err)
{
    struct pt_pre_step *step = add_pre_step(tokenizer, err);
    if (step)
        step->spelled = tokenizer->is_byte_level;
    return step ? pt_split_new(&step->split, pattern, strlen(pattern), literal, behavior, invert, err)
                : (int)err->status;
}

/* `name` is what counts where the step says nothing. */
static int read_behavior(const json_t *step, const char *part, const char *name,
                         enum pt_split_behavior *behavior, struct pt_error *err)
{
    static const char *const names[] = {"Removed", "Isolated", "Contiguous", "MergedWithPrevious",
                                        "MergedWithNext"};
    bool found;
    if (pt_json_get_string(step, "behavior", part, &name, &found, err))
        return (int)err->status;
    for (int i = 0; i < 5; i++)
        if (strcmp(names[i], name) == 0) {
            *behavior = (enum pt_split_behavior)i;
            return PT_OK;
        }
    return pt_fail(err, PT_BAD_INPUT, "%s: unknown behavior \"%.100s\"", part, name);
}

static int read_split(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    const char *pattern = NULL;
    enum pt_split_behavior behavior;
    bool found, is_regex = false, is_string = false, invert = false;
    const json_t *object = json_object_get(step, "pattern");
    if (!json_is_object(object) || json_object_size(object) != 1)
        return pt_fail(err, PT_BAD_INPUT, "pre_tokenizer Split: without a pattern");
    if (pt_json_get_string(object, "Regex", "pre_tokenizer Split", &pattern, &is_regex, err) ||
        pt_json_get_string(object, "String", "pre_tokenizer Split", &pattern, &is_string, err) ||
        read_behavior(step, "pre_tokenizer Split", "", &behavior, err) ||
        pt_json_get_bool(step, "invert", "pre_tokenizer Split", &invert, &found, err))
        return (int)err->status;
    if (!pattern || (is_string && !*pattern))
        return pt_fail(err, PT_MISMATCH, "pre_tokenizer Split: this kind of pattern is not supported");
    return add_split(tokenizer, pattern, is_string, behavior, invert, err);
}

static int read_byte_level(struct pt_bpe_tokenizer *tokenizer, const json_t *json, struct pt_error *err)
{
    bool found, use_regex = true, add_prefix_space = false;
    struct pt_pre_step *step = add_pre_step(tokenizer, err);
    if (!step ||
        pt_json_get_bool(json, "add_prefix_space", "pre_tokenizer ByteLevel", &add_prefix_space, &found,
                         err) ||
        pt_json_get_bool(json, "use_regex", "pre_tokenizer ByteLevel", &use_regex, &found, err))
        return (int)err->status;
    if (add_prefix_space)
        *step = (struct pt_pre_step){.blank = " ", .prefixing = PT_PREFIX_ALL};
    if (!use_regex)
        return PT_OK;
    return pt_split_new(&step->split, pt_gpt2_pattern, strlen(pt_gpt2_pattern), false, PT_SPLIT_ISOLATED,
                        false, err);
}

static int read_digits(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    bool individual = false, found;
    if (pt_json_get_bool(step, "individual_digits", "pre_tokenizer Digits", &individual, &found, err))
        return (int)err->status;
    return add_split(tokenizer, "\\p{N}", false, individual ? PT_SPLIT_ISOLATED : PT_SPLIT_CONTIGUOUS, false,
                     err);
}

/* All of ASCII's, and that of Unicode 8, which the reference's crate unicode_categories has: without what came
 * later, and with what was taken away later. */
static const char punctuation_pattern[] =
    "(?![\u061D\u09FD\u0A76\u0C77\u0C84\u1B7D-\u1B7E\u2E43-\u2E4F\u2E52-\u2E5D\U00010EAD"
    "\U00010F55-\U00010F59\U00010F86-\U00010F89\U0001144B-\U0001144F\U0001145A-\U0001145B"
    "\U0001145D\U00011660-\U0001166C\U000116B9\U0001183B\U00011944-\U00011946\U000119E2"
    "\U00011A3F-\U00011A46\U00011A9A-\U00011A9C\U00011A9E-\U00011AA2\U00011C41-\U00011C45"
    "\U00011C70-\U00011C71\U00011EF7-\U00011EF8\U00011FFF\U00012FF1-\U00012FF2"
    "\U00016E97-\U00016E9A\U00016FE2\U0001E95E-\U0001E95F])"
    "[\\p{P}$+<=>^`|~\u166D\U000111C9]";

static int read_punctuation(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    enum pt_split_behavior behavior;
    return read_behavior(step, "pre_tokenizer Punctuation", "Isolated", &behavior, err)
               ? (int)err->status
               : add_split(tokenizer, punctuation_pattern, false, behavior, false, err);
}

static int read_metaspace(struct pt_bpe_tokenizer *tokenizer, const json_t *json, struct pt_error *err)
{
    bool found, split = true;
    struct pt_metaspace metaspace;
    struct pt_pre_step *step = add_pre_step(tokenizer, err);
    if (!step || pt_step_metaspace(json, "pre_tokenizer Metaspace", &metaspace, err) ||
        pt_json_get_bool(json, "split", "pre_tokenizer Metaspace", &split, &found, err))
        return (int)err->status;
    if (tokenizer->has_metaspace)
        return pt_fail(err, PT_MISMATCH, "pre_tokenizer Metaspace behind another is not supported");
    tokenizer->has_metaspace = true;
    snprintf(step->blank, sizeof step->blank, "%s", metaspace.blank);
    step->prefixing = metaspace.prefixing;
    return split ? pt_split_new(&step->split, step->blank, strlen(step->blank), true,
                                PT_SPLIT_MERGED_WITH_NEXT, false, err)
                 : PT_OK;
}

/* Behind ByteLevel pieces are only split. */
static int read_pre_tokenizer(struct pt_bpe_tokenizer *tokenizer, const json_t *step, int depth,
                              struct pt_error *err)
{
    const char *type;
    if (pt_step_type(step, "pre_tokenizer", &type, err))
        return (int)err->status;
    if (strcmp(type, "Sequence") == 0)
        return pt_step_sequence(tokenizer, json_object_get(step, "pretokenizers"), "pre_tokenizer", depth,
                                read_pre_tokenizer, err);
    if (strcmp(type, "Split") == 0)
        return read_split(tokenizer, step, err);
    if (strcmp(type, "Digits") == 0)
        return read_digits(tokenizer, step, err);
    if (strcmp(type, "Punctuation") == 0)
        return read_punctuation(tokenizer, step, err);
    if (tokenizer->is_byte_level)
        return pt_fail(err, PT_MISMATCH, "pre_tokenizer %.100s behind ByteLevel is not supported", type);
    if (strcmp(type, "Metaspace") == 0)
        return read_metaspace(tokenizer, step, err);
    if (strcmp(type, "ByteLevel") != 0)
        return pt_step_unsupported("pre_tokenizer", type, err);
    tokenizer->is_byte_level = true;
    return read_byte_level(tokenizer, step, err);
}

int pt_read_pre_tokenizer(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    if (step && !json_is_null(step) && read_pre_tokenizer(tokenizer, step, 0, err))
        return (int)err->status;
    if (tokenizer->is_byte_level && tokenizer->byte_fallback)
        return pt_fail(err, PT_MISMATCH,
                       "model: \"byte_fallback\" with the pre_tokenizer ByteLevel is not supported");
    return PT_OK;
}

/* The ids that a special token of a template stands for. */
static int add_special(const struct pt_bpe_tokenizer *tokenizer, const json_t *step, const json_t *item,
                       struct pt_words *ids, struct pt_error *err)
{
    const char *name = json_string_value(json_object_get(item, "id"));
    const json_t *list =
        name ? json_object_get(json_object_get(json_object_get(step, "special_tokens"), name), "ids") : NULL;
    if (!json_is_array(list))
        return pt_fail(err, PT_BAD_INPUT, "post_processor TemplateProcessing: a special token without ids");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t id = json_integer_value(json_array_get(list, i));
        if (!json_is_integer(json_array_get(list, i)) || id < 0 || id > PT_LARGEST_TOKEN_ID ||
            !pt_vocabulary_token(&tokenizer->vocabulary, (uint32_t)id, NULL))
            return pt_fail(err, PT_BAD_INPUT,
                           "post_processor TemplateProcessing: \"%.100s\" has an id that is no token", name);
        if (pt_words_push(ids, (uint32_t)id, err))
            return (int)err->status;
    }
    return PT_OK;
}

static int read_template(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    const json_t *single = json_object_get(step, "single");
    size_t n_sequences = 0;
    if (!json_is_array(single) || tokenizer->front.n || tokenizer->behind.n)
        return pt_fail(err, PT_MISMATCH, "post_processor TemplateProcessing: this form is not supported");
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i), *special = json_object_get(item, "SpecialToken");
        const char *sequence = json_string_value(json_object_get(json_object_get(item, "Sequence"), "id"));
        if (special) {
            if (add_special(tokenizer, step, special, n_sequences ? &tokenizer->behind : &tokenizer->front,
                            err))
                return (int)err->status;
        } else if (sequence && strcmp(sequence, "A") == 0 && n_sequences == 0) {
            n_sequences++;
        } else {
            return pt_fail(err, PT_MISMATCH, "post_processor TemplateProcessing: this form is not supported");
        }
    }
    return n_sequences
               ? PT_OK
               : pt_fail(err, PT_MISMATCH, "post_processor TemplateProcessing: it leaves the text out");
}

static int read_post_processor(struct pt_bpe_tokenizer *tokenizer, const json_t *step, int depth,
                               struct pt_error *err)
{
    const char *type;
    if (pt_step_type(step, "post_processor", &type, err))
        return (int)err->status;
    if (strcmp(type, "Sequence") == 0)
        return pt_step_sequence(tokenizer, json_object_get(step, "processors"), "post_processor", depth,
                                read_post_processor, err);
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(tokenizer, step, err);
    /* ByteLevel moves offsets only. */
    return strcmp(type, "ByteLevel") == 0 ? PT_OK : pt_step_unsupported("post_processor", type, err);
}

int pt_read_post_processor(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    return !step || json_is_null(step) ? PT_OK : read_post_processor(tokenizer, step, 0, err);
}

static int add_pattern(struct pt_bpe_tokenizer *tokenizer, uint32_t index, struct pt_error *err)
{
    const struct pt_added_token *token = &tokenizer->added[index];
    if (!token->normalized)
        return pt_token_matcher_add(&tokenizer->raw_matcher, token->content, token->n_bytes, index, err);
    const char *text = token->content;
    size_t n = token->n_bytes;
    struct pt_buffer scratch[2] = {{0}};
    if (!pt_normalize(&tokenizer->normalizer, &text, &n, scratch, err))
        (void)!pt_token_matcher_add(&tokenizer->late_matcher, text, n, index, err);
    pt_buffer_free(&scratch[0]);
    pt_buffer_free(&scratch[1]);
    return (int)err->status;
}

/* Several characters count as gone where they are replaced, one only where nothing comes in its place. */
static bool may_drop_the_first(const struct pt_normalizer_step *step)
{
    return step->kind == PT_NORMALIZE_REPLACE &&
           (!*step->text || step->pattern[pt_utf8_decode(step->pattern, strlen(step->pattern), NULL)]);
}

static bool moves_the_beginning(const struct pt_bpe_tokenizer *tokenizer, size_t n_steps_before)
{
    const struct pt_normalizer *normalizer = &tokenizer->normalizer;
    for (size_t i = 0; i < normalizer->n; i++)
        if (may_drop_the_first(&normalizer->steps[i]))
            return true;
    return normalizer->n && (n_steps_before || tokenizer->late_matcher.n_nodes);
}

/* The reference gives a prefix to pieces of the text's first character, we to the first piece. The two are
 * one unless a normaliser takes characters away there, or the text is cut between characters that it added.
 */
static int check_prefixing(const struct pt_bpe_tokenizer *tokenizer, struct pt_error *err)
{
    for (size_t i = 0; i < tokenizer->n_pre_steps; i++)
        if (tokenizer->pre_steps[i].prefixing == PT_PREFIX_FIRST && moves_the_beginning(tokenizer, i))
            return pt_fail(err, PT_MISMATCH,
                           "pre_tokenizer Metaspace: \"prepend_scheme\": \"first\" is not supported behind "
                           "this normalizer");
    return PT_OK;
}

int pt_prepare_added_tokens(struct pt_bpe_tokenizer *tokenizer, struct pt_error *err)
{
    tokenizer->is_special = pt_new_array(tokenizer->vocabulary.n_ids, sizeof *tokenizer->is_special, err);
    if (!tokenizer->is_special)
        return (int)err->status;
    /* Of patterns that are equal once normalised the first counts, special ones before others. */
    for (int special = 1; special >= 0; special--)
        for (uint32_t i = 0; i < tokenizer->n_added; i++) {
            if (tokenizer->added[i].special != (bool)special)
                continue;
            tokenizer->is_special[tokenizer->added[i].id] = special;
            if (add_pattern(tokenizer, i, err))
                return (int)err->status;
        }
    return check_prefixing(tokenizer, err);
}
