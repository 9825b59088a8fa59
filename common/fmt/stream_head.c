/*
 * The head as JSON: fields in a fixed order, so that equal heads are equal bytes.
 */
#include "fmt/stream_head.h"

#include "fmt/json.h"

#include <inttypes.h>
#include <string.h>

enum { VOCAB_LIMIT = 0x7fffffff };
static const char *const kinds[] = {[PT_STREAM_EXAMPLES] = "examples", [PT_STREAM_UPDATES] = "updates"};

void pt_stream_head_free(struct pt_stream_head *head)
{
    json_decref(head->template);
    json_decref(head->history);
    json_decref(head->packing);
    *head = (struct pt_stream_head){0};
}

struct pt_stream_head pt_stream_head_copy(const struct pt_stream_head *head)
{
    struct pt_stream_head copy = *head;
    json_incref(copy.template);
    json_incref(copy.history);
    json_incref(copy.packing);
    return copy;
}

/* NULL stands for JSON's null. */
static json_t *or_null(json_t *value)
{
    return value ? json_incref(value) : json_null();
}

static json_t *examples_object(const struct pt_stream_head *head)
{
    return json_pack("{s:s, s:s?, s:o, s:o, s:o, s:o}", "kind", kinds[head->kind], "tokenizer",
                     head->tokenizer.text[0] ? head->tokenizer.text : NULL, "vocab_size",
                     head->vocab_size ? json_integer((json_int_t)head->vocab_size) : json_null(), "eos_id",
                     head->eos_id >= 0 ? json_integer(head->eos_id) : json_null(), "template",
                     or_null(head->template), "history",
                     head->history ? json_incref(head->history) : json_array());
}

static json_t *updates_object(const struct pt_stream_head *head)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:o}", "updates", (json_int_t)head->n_updates,
                     "examples", (json_int_t)head->n_examples, "tokens", (json_int_t)head->n_tokens,
                     "targets", (json_int_t)head->n_targets, "dataset_examples",
                     (json_int_t)head->n_dataset_examples, "epochs", head->n_epochs, "schedule_updates",
                     (json_int_t)head->schedule_updates, "packing", or_null(head->packing));
}

int pt_stream_head_write(const struct pt_stream_head *head, struct pt_buffer *out, struct pt_error *err)
{
    json_t *object = examples_object(head);
    json_t *more = head->kind == PT_STREAM_UPDATES ? updates_object(head) : json_object();
    if (!object || !more || json_object_update(object, more))
        pt_fail(err, PT_FAILED, "out of memory");
    else
        (void)!pt_json_append(out, object, JSON_COMPACT, err);
    json_decref(object);
    json_decref(more);
    return (int)err->status;
}

static int bad_field(const char *key, const char *wanted, struct pt_error *err)
{
    return pt_fail(err, PT_BAD_INPUT, "head: \"%s\" must be %s", key, wanted);
}

/* A value of the given type, or null or absent (NULL); *field is owned. */
static int take(const json_t *object, const char *key, json_type type, const char *wanted, json_t **field,
                struct pt_error *err)
{
    json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value))
        return PT_OK;
    if (json_typeof(value) != type)
        return bad_field(key, wanted, err);
    *field = json_incref(value);
    return PT_OK;
}

static int need_u64(const json_t *object, const char *key, uint64_t *value, struct pt_error *err)
{
    bool found;
    if (pt_json_get_u64(object, key, "head", value, &found, err))
        return (int)err->status;
    return found ? PT_OK : bad_field(key, "there", err);
}

static int parse_ids(struct pt_stream_head *head, const json_t *object, struct pt_error *err)
{
    const char *text;
    bool found;
    if (pt_json_get_string(object, "tokenizer", "head", &text, &found, err))
        return (int)err->status;
    if (found) {
        if (strlen(text) != PT_FINGERPRINT_TEXT - 1 ||
            strspn(text, "0123456789abcdef") != PT_FINGERPRINT_TEXT - 1)
            return bad_field("tokenizer", "a fingerprint of 32 hexadecimal digits", err);
        memcpy(head->tokenizer.text, text, PT_FINGERPRINT_TEXT);
    }
    if (pt_json_get_u64(object, "vocab_size", "head", &head->vocab_size, &found, err))
        return (int)err->status;
    if (head->vocab_size > VOCAB_LIMIT || (found && !head->vocab_size))
        return bad_field("vocab_size", "from 1 to 2147483647", err);
    uint64_t eos = 0;
    if (pt_json_get_u64(object, "eos_id", "head", &eos, &found, err))
        return (int)err->status;
    if (eos >= (head->vocab_size ? head->vocab_size : VOCAB_LIMIT))
        return bad_field("eos_id", "below vocab_size", err);
    head->eos_id = found ? (int64_t)eos : -1;
    return PT_OK;
}

static int parse_updates(struct pt_stream_head *head, const json_t *object, struct pt_error *err)
{
    if (need_u64(object, "updates", &head->n_updates, err) ||
        need_u64(object, "examples", &head->n_examples, err) ||
        need_u64(object, "tokens", &head->n_tokens, err) ||
        need_u64(object, "targets", &head->n_targets, err) ||
        need_u64(object, "dataset_examples", &head->n_dataset_examples, err) ||
        need_u64(object, "schedule_updates", &head->schedule_updates, err))
        return (int)err->status;
    bool found;
    if (pt_json_get_double(object, "epochs", "head", &head->n_epochs, &found, err))
        return (int)err->status;
    if (!found || head->n_epochs < 0)
        return bad_field("epochs", "a number that is not negative", err);
    return take(object, "packing", JSON_OBJECT, "an object", &head->packing, err);
}

static int parse_object(struct pt_stream_head *head, const json_t *object, struct pt_error *err)
{
    const char *kind = json_string_value(json_object_get(object, "kind"));
    if (kind && !strcmp(kind, kinds[PT_STREAM_UPDATES]))
        head->kind = PT_STREAM_UPDATES;
    else if (!kind || strcmp(kind, kinds[PT_STREAM_EXAMPLES]) != 0)
        return bad_field("kind", "\"examples\" or \"updates\"", err);
    if (parse_ids(head, object, err) ||
        take(object, "template", JSON_OBJECT, "an object", &head->template, err) ||
        take(object, "history", JSON_ARRAY, "an array", &head->history, err))
        return (int)err->status;
    return head->kind == PT_STREAM_UPDATES ? parse_updates(head, object, err) : PT_OK;
}

int pt_stream_head_parse(struct pt_stream_head *head, const char *text, size_t n, struct pt_error *err)
{
    *head = (struct pt_stream_head){0};
    json_t *object = NULL;
    if (pt_json_parse(&object, text, n, "head", err))
        return (int)err->status;
    if (!json_is_object(object))
        pt_fail(err, PT_BAD_INPUT, "head: not a JSON object");
    else if (parse_object(head, object, err))
        pt_stream_head_free(head);
    json_decref(object);
    return (int)err->status;
}

static const char *template_name(const struct pt_stream_head *head)
{
    const char *name = json_string_value(json_object_get(head->template, "name"));
    return name ? name : head->template ? "without a name" : "none";
}

int pt_stream_head_compare(const struct pt_stream_head *first, const struct pt_stream_head *second,
                           struct pt_error *err)
{
    const char *a = first->tokenizer.text, *b = second->tokenizer.text;
    if (strcmp(a, b) != 0)
        return pt_fail(err, PT_MISMATCH, "streams of different tokenizers: %s, then %s", a[0] ? a : "none",
                       b[0] ? b : "none");
    if (first->vocab_size != second->vocab_size)
        return pt_fail(err, PT_MISMATCH, "streams of different vocabularies: %" PRIu64 " ids, then %" PRIu64,
                       first->vocab_size, second->vocab_size);
    if (first->eos_id != second->eos_id)
        return pt_fail(err, PT_MISMATCH,
                       "streams of different end-of-sequence ids: %" PRId64 ", then %" PRId64, first->eos_id,
                       second->eos_id);
    bool same = first->template && second->template ? json_equal(first->template, second->template)
                                                    : first->template == second->template;
    if (!same)
        return pt_fail(err, PT_MISMATCH, "streams of different templates: %s, then %s", template_name(first),
                       template_name(second));
    return PT_OK;
}
