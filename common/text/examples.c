/*
 * The kind of the first good record is kept, since a stream has one template and one tokenizer. Prompt and
 * answer are encoded apart, so that no token spans the two, as the reference workflow does it.
 */
#include "text/examples.h"

#include "base/memory.h"
#include "text/fields.h"
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
    uint32_t eos;
    uint64_t model_vocab_size; /* bound of ready-made ids; 0: not known */
    struct pt_fields fields;   /* of the record shown last, until one settles it */
};

struct pt_example_maker {
    const struct pt_examples *examples;
    struct pt_encoder *encoder; /* owned, NULL until needed */
    struct pt_fields fields;
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
    pt_tokenizer_close(examples->tokenizer);
    pt_fields_free(&examples->fields);
    free(examples);
}

int pt_example_maker_new(struct pt_example_maker **maker, const struct pt_examples *examples,
                         struct pt_error *err)
{
    *maker = pt_new_array(1, sizeof **maker, err);
    if (*maker)
        (*maker)->examples = examples;
    return (int)err->status;
}

void pt_example_maker_free(struct pt_example_maker *maker)
{
    if (!maker)
        return;
    pt_encoder_free(maker->encoder);
    pt_fields_free(&maker->fields);
    pt_buffer_free(&maker->prompt);
    pt_buffer_free(&maker->answer);
    free(maker);
}

/* The record's key for a field. */
static const char *key_of(const struct pt_examples *examples, const char *field)
{
    for (size_t i = 0; i < examples->settings.n_renames; i++)
        if (strcmp(examples->settings.renames[i].field, field) == 0)
            return examples->settings.renames[i].key;
    return field;
}

static const struct pt_field *value_of(const struct pt_examples *examples, const struct pt_fields *fields,
                                       const char *field)
{
    return pt_fields_get(fields, key_of(examples, field));
}

bool pt_examples_know_field(const struct pt_template *template, const char *field)
{
    /* Those behind the third only where no template says what it has. */
    static const char *const names[] = {"input_ids", "labels", "completion", "instruction",
                                        "input",     "output", "prompt"};
    const size_t n = template ? 3 : sizeof names / sizeof *names;
    for (size_t i = 0; i < n; i++)
        if (strcmp(field, names[i]) == 0)
            return true;
    return template && pt_template_has_field(template, field);
}

static int kind_of(const struct pt_examples *examples, const struct pt_record *record,
                   const struct pt_fields *fields, enum kind *kind, struct pt_error *err)
{
    if (record->kind == PT_RECORD_TEXT && (examples->settings.template || examples->settings.n_renames))
        return pt_fail(err, PT_BAD_INPUT, "plain text, which has no fields");
    if (record->kind == PT_RECORD_TEXT)
        *kind = KIND_TEXT;
    else if (value_of(examples, fields, "input_ids"))
        *kind = KIND_IDS;
    else if (examples->settings.template)
        *kind = KIND_TEMPLATE;
    else if (value_of(examples, fields, "instruction") || value_of(examples, fields, "output"))
        *kind = KIND_ALPACA;
    else if (value_of(examples, fields, "prompt") || value_of(examples, fields, "completion"))
        *kind = KIND_PROMPT;
    else if (value_of(examples, fields, "messages") || pt_fields_get(fields, "conversations"))
        return pt_fail(err, PT_MISMATCH, "chat messages are not supported");
    else
        return pt_fail(err, PT_BAD_INPUT,
                       "it has none of the fields instruction, output, prompt, completion, input_ids");
    return PT_OK;
}

static int open_tokenizer(struct pt_examples *examples, struct pt_error *err)
{
    if (pt_tokenizer_open(&examples->tokenizer, examples->settings.model, err) ||
        pt_tokenizer_eos(examples->tokenizer, examples->settings.eos, &examples->eos, err))
        return (int)err->status;
    return pt_tokenizer_check_appended(examples->tokenizer, examples->eos, err);
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
    const struct pt_fields *fields;
    struct pt_error *err;
};

/* `input` may be absent or null, everything else must be a string. A record without "output" may have a
 * "completion". */
static const char *look_up(void *context, const char *field, size_t *n)
{
    const struct lookup *lookup = context;
    const char *key = key_of(lookup->examples, field);
    const struct pt_field *value = pt_fields_get(lookup->fields, key);
    if (!value && strcmp(field, "output") == 0) {
        value = value_of(lookup->examples, lookup->fields, "completion");
        key = value || lookup->examples->kind == KIND_PROMPT ? key_of(lookup->examples, "completion") : key;
    }
    *n = 0;
    if ((!value || value->kind == PT_FIELD_NULL) && strcmp(field, "input") == 0)
        return "";
    if (value && value->kind == PT_FIELD_TEXT) {
        *n = value->n;
        return value->text;
    }
    const char *reason = !value ? "missing" : value->kind == PT_FIELD_NULL ? "null" : "not a string";
    pt_fail(lookup->err, PT_BAD_INPUT, "\"%.100s\" is %s", key, reason);
    return NULL;
}

static void count_from(struct pt_words *words, size_t from)
{
    for (size_t i = from; i < words->n; i++)
        words->data[i] |= PT_COUNTED;
}

static int make_from_fields(struct pt_example_maker *maker, struct pt_words *words, struct pt_error *err)
{
    struct lookup lookup = {maker->examples, &maker->fields, err};
    struct pt_buffer *prompt = &maker->prompt, *answer = &maker->answer;
    pt_buffer_clear(prompt);
    pt_buffer_clear(answer);
    if (pt_template_render(maker->examples->template, look_up, &lookup, prompt, answer, err) ||
        pt_encode_front(maker->encoder, words, err) ||
        pt_encode(maker->encoder, prompt->data, prompt->size, false, words, err))
        return (int)err->status;
    size_t counted = words->n;
    if (pt_encode(maker->encoder, answer->data, answer->size, false, words, err) ||
        pt_words_push(words, maker->examples->eos, err))
        return (int)err->status;
    count_from(words, counted);
    return PT_OK;
}

static int make_from_text(struct pt_example_maker *maker, const struct pt_record *record,
                          struct pt_words *words, struct pt_error *err)
{
    size_t begin = words->n;
    if (pt_encode_front(maker->encoder, words, err) ||
        pt_encode(maker->encoder, record->text, record->n, false, words, err) ||
        pt_words_push(words, maker->examples->eos, err))
        return (int)err->status;
    count_from(words, begin);
    return PT_OK;
}

static int make_from_ids(struct pt_example_maker *maker, struct pt_record *record, struct pt_words *words,
                         struct pt_error *err)
{
    const struct pt_examples *examples = maker->examples;
    const json_t *tree = pt_fields_tree(&maker->fields, record, err);
    if (!tree)
        return (int)err->status;
    return pt_ready_ids(tree, key_of(examples, "input_ids"), key_of(examples, "labels"),
                        examples->model_vocab_size, words, err);
}

static int make_of_kind(struct pt_example_maker *maker, struct pt_record *record, struct pt_words *words,
                        struct pt_error *err)
{
    switch (maker->examples->kind) {
    case KIND_IDS:
        return make_from_ids(maker, record, words, err);
    case KIND_TEXT:
        return make_from_text(maker, record, words, err);
    default:
        return make_from_fields(maker, words, err);
    }
}

/* The record's fields and kind, once that is clear. */
static int read_record(const struct pt_examples *examples, struct pt_fields *fields, struct pt_record *record,
                       enum kind *kind, struct pt_error *err)
{
    if (pt_fields_read(fields, record, err) || kind_of(examples, record, fields, kind, err))
        return pt_record_error(record, err);
    return PT_OK;
}

int pt_examples_settle(struct pt_examples *examples, struct pt_record *record, bool *about_record,
                       struct pt_error *err)
{
    enum kind kind = KIND_UNKNOWN;
    *about_record = read_record(examples, &examples->fields, record, &kind, err) != PT_OK;
    if (!*about_record && !prepare(examples, kind, err))
        examples->kind = kind;
    return (int)err->status;
}

bool pt_examples_are_settled(const struct pt_examples *examples)
{
    return examples->kind != KIND_UNKNOWN;
}

static int make_settled(struct pt_example_maker *maker, struct pt_record *record, struct pt_words *words,
                        struct pt_error *err)
{
    const struct pt_examples *examples = maker->examples;
    enum kind kind = KIND_UNKNOWN;
    if (read_record(examples, &maker->fields, record, &kind, err))
        return (int)err->status;
    if (kind != examples->kind)
        pt_fail(err, PT_BAD_INPUT, "it holds %s, the first record %s", kind_names[kind],
                kind_names[examples->kind]);
    else
        (void)!make_of_kind(maker, record, words, err);
    return err->status ? pt_record_error(record, err) : PT_OK;
}

int pt_example_make(struct pt_example_maker *maker, struct pt_record *record, struct pt_words *words,
                    bool *about_record, struct pt_error *err)
{
    const struct pt_tokenizer *tokenizer = maker->examples->tokenizer;
    size_t begin = words->n;
    *about_record = false;
    if (!maker->encoder && tokenizer && pt_encoder_new(&maker->encoder, tokenizer, err))
        return (int)err->status;
    if (!make_settled(maker, record, words, err))
        return PT_OK;
    words->n = begin;
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
