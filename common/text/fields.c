/*
 * A quick reader takes objects of strings, short numbers and words, which are nearly all records. It only
 * ever accepts: what it does not know, or not like, goes to jansson, which builds a tree or says what is
 * wrong. So both accept the same, and messages have one author.
 */
#include "text/fields.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/json_scan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Beyond it keys are not compared one by one with each other. */
enum { MOST_QUICK_FIELDS = 16, MOST_QUICK_DIGITS = 18 };

void pt_fields_free(struct pt_fields *fields)
{
    free(fields->list);
    pt_buffer_free(&fields->unescaped);
    json_decref(fields->tree);
    *fields = (struct pt_fields){0};
}

static bool has_key(const struct pt_field *field, const char *key, size_t n)
{
    return field->key_bytes == n && memcmp(field->key, key, n) == 0;
}

const struct pt_field *pt_fields_get(const struct pt_fields *fields, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < fields->n; i++)
        if (has_key(&fields->list[i], key, n))
            return &fields->list[i];
    return NULL;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* Behind the opening quotation mark: the place of the closing one, NULL if it is not found. */
static const char *string_end(const char *p, const char *end, bool *has_escapes)
{
    *has_escapes = false;
    while ((p = pt_json_string_stop(p, end)) < end && *p == '\\') {
        *has_escapes = true;
        p += 2;
        if (p > end)
            return NULL;
    }
    return p < end && *p == '"' ? p : NULL;
}

/* Puts the characters of a string with escapes into `unescaped`, which has room for them and does not move.
 */
static bool unescape(struct pt_fields *fields, const char *text, size_t n, struct pt_field *field)
{
    struct pt_buffer *out = &fields->unescaped;
    field->text = out->data + out->size;
    if (!pt_json_scan_unescape_into((struct pt_json_slice){text, n}, out))
        return false;
    field->n = (size_t)(out->data + out->size - field->text);
    return true;
}

/* The place behind a word or a short whole number, NULL if there is neither. */
static const char *skip_plain(const char *p, const char *end, struct pt_field *field)
{
    static const char *const words[] = {"null", "true", "false"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(end - p) >= n && memcmp(p, words[i], n) == 0) {
            field->kind = i == 0 ? PT_FIELD_NULL : PT_FIELD_OTHER;
            return p + n;
        }
    }
    field->kind = PT_FIELD_OTHER;
    p += p < end && *p == '-';
    const char *digits = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    bool good = p > digits && p - digits <= MOST_QUICK_DIGITS && (*digits != '0' || p - digits == 1);
    return good ? p : NULL;
}

static const char *take_value(struct pt_fields *fields, const char *p, const char *end,
                              struct pt_field *field)
{
    bool has_escapes;
    if (p == end || *p != '"')
        return skip_plain(p, end, field);
    const char *begin = ++p;
    p = string_end(p, end, &has_escapes);
    if (!p)
        return NULL;
    field->kind = PT_FIELD_TEXT;
    field->text = begin;
    field->n = (size_t)(p - begin);
    if (has_escapes && !unescape(fields, begin, field->n, field))
        return NULL;
    return p + 1;
}

/* A key, a colon and a value. */
static const char *take_field(struct pt_fields *fields, const char *p, const char *end)
{
    bool has_escapes;
    if (p == end || *p != '"' || fields->n == MOST_QUICK_FIELDS)
        return NULL;
    struct pt_field *field = &fields->list[fields->n];
    field->key = ++p;
    p = string_end(p, end, &has_escapes);
    if (!p || has_escapes)
        return NULL;
    field->key_bytes = (size_t)(p - field->key);
    for (size_t i = 0; i < fields->n; i++)
        if (has_key(&fields->list[i], field->key, field->key_bytes))
            return NULL;
    fields->n++;
    p = skip_blanks(p + 1, end);
    if (p == end || *p != ':')
        return NULL;
    return take_value(fields, skip_blanks(p + 1, end), end, field);
}

/* False where the text is something else than an object of plain values. It must be valid UTF-8. */
static bool read_quickly(struct pt_fields *fields, const char *text, size_t n)
{
    const char *p = text, *end = text + n;
    fields->n = 0;
    fields->unescaped.size = 0;
    if (p == end || *p != '{')
        return false;
    p = skip_blanks(p + 1, end);
    if (p < end && *p == '}')
        return p + 1 == end;
    while ((p = take_field(fields, p, end))) {
        p = skip_blanks(p, end);
        if (p < end && *p == '}')
            return p + 1 == end;
        if (p == end || *p != ',')
            return false;
        p = skip_blanks(p + 1, end);
    }
    return false;
}

static int read_tree(struct pt_fields *fields, struct pt_error *err)
{
    const char *key;
    json_t *value;
    fields->n = 0;
    if (pt_reserve(&fields->list, &fields->capacity, json_object_size(fields->tree), sizeof *fields->list,
                   err))
        return (int)err->status;
    json_object_foreach(fields->tree, key, value) {
        enum pt_field_kind kind = json_is_string(value) ? PT_FIELD_TEXT
                                  : json_is_null(value) ? PT_FIELD_NULL
                                                        : PT_FIELD_OTHER;
        fields->list[fields->n++] =
            (struct pt_field){key, strlen(key), kind, json_string_value(value), json_string_length(value)};
    }
    return PT_OK;
}

/* Whether jansson would refuse the number from here to `end`, which a byte that belongs to no number ends. */
static bool is_beyond(const char *number, const char *end)
{
    char *stop;
    errno = 0;
    if (!memchr(number, '.', (size_t)(end - number)) && !memchr(number, 'e', (size_t)(end - number)) &&
        !memchr(number, 'E', (size_t)(end - number)))
        return strtoll(number, &stop, 10), errno == ERANGE;
    return isinf(strtod(number, &stop));
}

/* Puts PT_FIELD_BEYOND, which is no longer than any such number, in the place of each that 64 bits do not
 * hold. */
static void replace_beyond(struct pt_buffer *text)
{
    static const char stand_in[] = "1e308";
    const size_t n = sizeof stand_in - 1;
    for (char *p = text->data, *end = p + text->size; p < end;) {
        char *number = p;
        if (*p == '"') {
            bool has_escapes;
            const char *closing = string_end(p + 1, end, &has_escapes);
            p = closing ? p + (closing - p) + 1 : end;
            continue;
        }
        p += strspn(p, "+-.0123456789eE");
        if ((size_t)(p - number) >= n && is_beyond(number, p)) {
            memset(number, ' ', (size_t)(p - number));
            memcpy(number, stand_in, n);
        }
        p += p == number;
    }
}

json_t *pt_record_json(const char *text, size_t n, size_t flags, json_error_t *error)
{
    json_t *tree = json_loadb(text, n, flags | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, error);
    if (tree || json_error_code(error) != json_error_numeric_overflow)
        return tree;
    struct pt_buffer copy = {0};
    struct pt_error out_of_memory = {0};
    if (!pt_buffer_append(&copy, text, n, &out_of_memory)) {
        replace_beyond(&copy);
        tree = json_loadb(copy.data, copy.size, flags | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, error);
    }
    pt_buffer_free(&copy);
    return tree;
}

static json_t *parse(struct pt_record *record, struct pt_error *err)
{
    json_error_t error;
    json_t *tree = pt_record_json(record->text, record->n, 0, &error);
    if (tree && json_is_object(tree))
        return tree;
    if (tree) {
        json_decref(tree);
        pt_fail(err, PT_BAD_INPUT, "it is not an object");
        return NULL;
    }
    record->line += error.line > 0 ? (uint64_t)error.line - 1 : 0;
    for (char *c = error.text; *c; c++)
        if ((uint8_t)*c < 0x20)
            *c = ' ';
    pt_fail(err, PT_BAD_INPUT, "%s", error.text);
    return NULL;
}

static int refuse_bytes(struct pt_record *record, size_t valid, struct pt_error *err)
{
    for (size_t i = 0; i < valid; i++)
        record->line += record->text[i] == '\n';
    return pt_fail(err, PT_BAD_INPUT, "byte %llu of the file: not UTF-8",
                   (unsigned long long)(record->offset + valid));
}

int pt_fields_read(struct pt_fields *fields, struct pt_record *record, struct pt_error *err)
{
    fields->n = 0;
    json_decref(fields->tree);
    fields->tree = NULL;
    if (record->kind == PT_RECORD_TEXT)
        return PT_OK;
    if (record->kind == PT_RECORD_OBJECT) {
        fields->tree = json_incref(record->object);
        return read_tree(fields, err);
    }
    size_t valid = pt_utf8_check(record->text, record->n);
    if (valid < record->n)
        return refuse_bytes(record, valid, err);
    if (pt_reserve(&fields->list, &fields->capacity, MOST_QUICK_FIELDS, sizeof *fields->list, err) ||
        pt_buffer_reserve(&fields->unescaped, record->n, err))
        return (int)err->status;
    if (read_quickly(fields, record->text, record->n))
        return PT_OK;
    fields->n = 0;
    fields->tree = parse(record, err);
    return fields->tree ? read_tree(fields, err) : (int)err->status;
}

const json_t *pt_fields_tree(struct pt_fields *fields, struct pt_record *record, struct pt_error *err)
{
    if (!fields->tree)
        fields->tree = parse(record, err);
    return fields->tree;
}
