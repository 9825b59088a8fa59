/*
 * The kind of the first good record is kept, since a stream has one template and one tokenizer. Prompt and
 * answer are encoded apart, so that no token spans the two, as the reference workflow does it.
 */
#include "text/examples.h"

#include "base/memory.h"
#include "text/ready_ids.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum kind { KIND_UNKNOWN, KIND_TEXT, KIND_ALPACA, KIND_PROMPT, KIND_TEMPLATE, KIND_IDS };
static const char *const kind_names[] = {
    "", "plain text", "instruction and output", "prompt and completion", "a template's fields", "input_ids"};

struct pt_examples {
    struct pt_example_settings settings;
    enum kind kind;
    struct pt_template *own_template; /* owned: where the settings have none */
    const struct pt_template *template;
    struct pt_tokenizer *tokenizer; /* owned, NULL until needed */
    struct pt_encoder *encoder;     /* owned */
    uint32_t eos;
    uint64_t model_vocab_size; /* bound of ready-made ids; 0: not known */
    struct pt_buffer prompt, answer;
};

int pt_examples_new(struct pt_examples **out, const struct pt_example_settings *settings,
                    struct pt_error *err)
{
    struct stat status;
    if (stat(settings->model, &status) != 0)
        return pt_fail_errno(err, "%s", settings->model);
    struct pt_examples *examples = pt_new_array(1, sizeof *examples, err);
    if (!examples)
        return (int)err->status;
    examples->settings = *settings;
    *out = examples;
    return PT_OK;
}

void pt_examples_free(struct pt_examples *examples)
{
    if (!examples)
        return;
    pt_template_free(examples->own_template);
    pt_encoder_free(examples->encoder);
    pt_tokenizer_close(examples->tokenizer);
    pt_buffer_free(&examples->prompt);
    pt_buffer_free(&examples->answer);
    free(examples);
}

/* The record's key for a field. */
static const char *key_of(const struct pt_examples *examples, const char *field)
{
    for (size_t i = 0; i < examples->settings.n_renames; i++)
        if (strcmp(examples->settings.renames[i].field, field) == 0)
            return examples->settings.renames[i].key;
    return field;
}

static const json_t *value_of(const struct pt_examples *examples, const json_t *object, const char *field)
{
    return json_object_get(object, key_of(examples, field));
}

static int kind_of(const struct pt_examples *examples, const struct pt_record *record, enum kind *kind,
                   struct pt_error *err)
{
    const json_t *object = record->object;
    if (!object)
        *kind = KIND_TEXT;
    else if (value_of(examples, object, "input_ids"))
        *kind = KIND_IDS;
    else if (examples->settings.template)
        *kind = KIND_TEMPLATE;
    else if (value_of(examples, object, "instruction") || value_of(examples, object, "output"))
        *kind = KIND_ALPACA;
    else if (value_of(examples, object, "prompt") || value_of(examples, object, "completion"))
        *kind = KIND_PROMPT;
    else if (value_of(examples, object, "messages") || json_object_get(object, "conversations"))
        return pt_fail(err, PT_MISMATCH, "chat messages are not supported");
    else
        return pt_fail(err, PT_BAD_INPUT,
                       "it has none of the fields instruction, output, prompt, completion, input_ids");
    return PT_OK;
}

static int open_tokenizer(struct pt_examples *examples, struct pt_error *err)
{
    if (pt_tokenizer_open(&examples->tokenizer, examples->settings.model, err))
        return (int)err->status;
    if (pt_tokenizer_eos(examples->tokenizer, examples->settings.eos, &examples->eos, err))
        return (int)err->status;
    return pt_encoder_new(&examples->encoder, examples->tokenizer, err);
}

/* What records of this kind need. A failure here has nothing to do with the record. */
static int prepare(struct pt_examples *examples, enum kind kind, struct pt_error *err)
{
    if (kind == KIND_IDS)
        return pt_model_vocab_size(examples->settings.model, &examples->model_vocab_size, err);
    examples->template = examples->settings.template;
    if (kind == KIND_ALPACA || kind == KIND_PROMPT) {
        if (!examples->own_template &&
            pt_template_named(&examples->own_template, kind == KIND_PROMPT ? "prompt-completion" : NULL, err))
            return (int)err->status;
        examples->template = examples->own_template;
    }
    return examples->tokenizer ? PT_OK : open_tokenizer(examples, err);
}

struct lookup {
    const struct pt_examples *examples;
    const json_t *object;
    struct pt_error *err;
};

/* `input` may be absent or null, everything else must be a string. A record without "output" may have a
 * "completion". */
static const char *look_up(void *context, const char *field, size_t *n)
{
    const struct lookup *lookup = context;
    const char *key = key_of(lookup->examples, field);
    const json_t *value = json_object_get(lookup->object, key);
    if (!value && strcmp(field, "output") == 0) {
        value = value_of(lookup->examples, lookup->object, "completion");
        key = value || lookup->examples->kind == KIND_PROMPT ? key_of(lookup->examples, "completion") : key;
    }
    *n = 0;
    if ((!value || json_is_null(value)) && strcmp(field, "input") == 0)
        return "";
    if (json_is_string(value)) {
        *n = json_string_length(value);
        return json_string_value(value);
    }
    const char *reason = !value ? "missing" : json_is_null(value) ? "null" : "not a string";
    pt_fail(lookup->err, PT_BAD_INPUT, "\"%.100s\" is %s", key, reason);
    return NULL;
}

static void count_from(struct pt_words *words, size_t from)
{
    for (size_t i = from; i < words->n; i++)
        words->data[i] |= PT_COUNTED;
}

static int make_from_fields(struct pt_examples *examples, const json_t *object, struct pt_words *words,
                            struct pt_error *err)
{
    struct lookup lookup = {examples, object, err};
    pt_buffer_clear(&examples->prompt);
    pt_buffer_clear(&examples->answer);
    if (pt_template_render(examples->template, look_up, &lookup, &examples->prompt, &examples->answer, err) ||
        pt_encode_front(examples->encoder, words, err) ||
        pt_encode(examples->encoder, examples->prompt.data, examples->prompt.size, false, words, err))
        return (int)err->status;
    size_t answer = words->n;
    if (pt_encode(examples->encoder, examples->answer.data, examples->answer.size, false, words, err) ||
        pt_words_push(words, examples->eos, err))
        return (int)err->status;
    count_from(words, answer);
    return PT_OK;
}

static int make_from_text(struct pt_examples *examples, const struct pt_record *record,
                          struct pt_words *words, struct pt_error *err)
{
    if (pt_encode_front(examples->encoder, words, err) ||
        pt_encode(examples->encoder, record->text, record->n, false, words, err) ||
        pt_words_push(words, examples->eos, err))
        return (int)err->status;
    count_from(words, 0);
    return PT_OK;
}

static int make_of_kind(struct pt_examples *examples, const struct pt_record *record, struct pt_words *words,
                        struct pt_error *err)
{
    switch (examples->kind) {
    case KIND_IDS:
        return pt_ready_ids(record->object, key_of(examples, "input_ids"), key_of(examples, "labels"),
                            examples->model_vocab_size, words, err);
    case KIND_TEXT:
        return make_from_text(examples, record, words, err);
    default:
        return make_from_fields(examples, record->object, words, err);
    }
}

/* The record's kind, once it is clear and fits. */
static int settle_kind(struct pt_examples *examples, const struct pt_record *record, enum kind *kind,
                       struct pt_error *err)
{
    if (kind_of(examples, record, kind, err))
        return (int)err->status;
    if (examples->kind != KIND_UNKNOWN && examples->kind != *kind)
        return pt_fail(err, PT_BAD_INPUT, "it holds %s, the first record %s", kind_names[*kind],
                       kind_names[examples->kind]);
    return PT_OK;
}

int pt_examples_make(struct pt_examples *examples, const struct pt_record *record, struct pt_words *words,
                     bool *about_record, struct pt_error *err)
{
    enum kind kind = KIND_UNKNOWN;
    words->n = 0;
    *about_record = false;
    if (!settle_kind(examples, record, &kind, err)) {
        if (examples->kind == KIND_UNKNOWN && prepare(examples, kind, err))
            return (int)err->status;
        examples->kind = kind;
        if (!make_of_kind(examples, record, words, err))
            return PT_OK;
    }
    *about_record = true;
    return (int)err->status;
}

int pt_examples_describe(const struct pt_examples *examples, struct pt_stream_head *head,
                         struct pt_error *err)
{
    head->vocab_size = examples->model_vocab_size;
    head->eos_id = -1;
    if (examples->kind == KIND_IDS)
        return PT_OK;
    head->tokenizer = pt_tokenizer_fingerprint(examples->tokenizer);
    head->vocab_size = pt_tokenizer_vocab_size(examples->tokenizer);
    head->eos_id = examples->eos;
    if (!examples->template || examples->kind == KIND_TEXT)
        return PT_OK;
    head->template = pt_template_to_json(examples->template);
    return head->template ? PT_OK : pt_fail(err, PT_FAILED, "out of memory");
}
