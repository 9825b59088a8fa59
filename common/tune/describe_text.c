/*
 * A report in people's words: the kind, then a line for each thing that is known.
 */
#include "tune/describe.h"

#include "base/memory.h"
#include "base/number.h"
#include "base/utf8.h"
#include "fmt/json.h"

#include <stdlib.h>
#include <string.h>

enum { FEW_TENSORS = 20, LABEL_WIDTH = 26, NAME_WIDTH = 40 };

static const struct {
    const char *kind, *words;
} kinds[] = {
    {"examples", "token stream of examples"},
    {"updates", "token stream of updates"},
    {"tuned", "tuned parameters"},
    {"training-state", "state of a training run"},
    {"tensors", "file of tensors"},
    {"adapter", "PEFT adapter"},
    {"checkpoint", "model checkpoint"},
    {"tokenizer", "tokenizer"},
    {"archive", "archive"},
};

static const char *words_of(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].kind, kind))
            return kinds[i].words;
    return kind;
}

/* Keys with a form of their own, or that the first line tells. */
static bool is_special(const char *key)
{
    static const char *const special[] = {"file", "kind", "tensors", "members"};
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (!strcmp(key, special[i]))
            return true;
    return false;
}

/* Appends JSON, in which only strings hold characters that a terminal obeys, with escapes in their place. */
static int append_tame(struct pt_buffer *out, const struct pt_buffer *json, struct pt_error *err)
{
    for (size_t i = 0, length; i < json->size && !err->status; i += length) {
        uint32_t point = 0;
        length = pt_utf8_decode(json->data + i, json->size - i, &point);
        if (length && pt_utf8_is_printable(point))
            (void)!pt_buffer_append(out, json->data + i, length, err);
        else
            (void)!pt_buffer_append_format(out, err, "\\u%04x", length ? point : 0xfffd);
        length += !length;
    }
    return (int)err->status;
}

static bool is_tame(const char *text, size_t n)
{
    for (size_t i = 0, length; i < n; i += length) {
        uint32_t point = 0;
        length = pt_utf8_decode(text + i, n - i, &point);
        if (!length || !pt_utf8_is_printable(point))
            return false;
    }
    return true;
}

/* Every text of a report that comes from the file goes through here: as it is where a terminal would only
 * show it, else as JSON, on at least `width` columns. */
static int append_text(struct pt_buffer *out, const char *text, size_t width, struct pt_error *err)
{
    size_t n = strlen(text), begin = out->size;
    struct pt_buffer json = {0};
    if (is_tame(text, n))
        (void)!pt_buffer_append(out, text, n, err);
    else if (!pt_json_append_string(&json, text, n, false, err))
        (void)!append_tame(out, &json, err);
    pt_buffer_free(&json);
    size_t taken = out->size - begin;
    if (err->status || taken >= width)
        return (int)err->status;
    return pt_buffer_append_format(out, err, "%*s", (int)(width - taken), "");
}

static int append_json(struct pt_buffer *out, const json_t *value, struct pt_error *err)
{
    struct pt_buffer json = {0};
    if (!pt_json_append(&json, value, 0, err))
        (void)!append_tame(out, &json, err);
    pt_buffer_free(&json);
    return (int)err->status;
}

/* A value on a line: counts with thousands, texts as such, the rest as JSON. */
static int append_value(struct pt_buffer *out, const char *key, const json_t *value, struct pt_error *err)
{
    char number[PT_NUMBER_TEXT];
    if (json_is_integer(value) && !strcmp(key, "bytes"))
        return pt_buffer_append_string(out, pt_format_size((uint64_t)json_integer_value(value), number), err);
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        return pt_buffer_append_string(out, pt_format_thousands((uint64_t)json_integer_value(value), number),
                                       err);
    return json_is_string(value) ? append_text(out, json_string_value(value), 0, err)
                                 : append_json(out, value, err);
}

/* The commands that made a file, one a line. */
static int append_history(struct pt_buffer *out, int indent, const json_t *history, struct pt_error *err)
{
    size_t n = json_array_size(history);
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(history, i), *arguments = json_object_get(entry, "arguments");
        const char *tool = json_string_value(json_object_get(entry, "tool"));
        if (pt_buffer_append_format(out, err, "%*s%-*s ", indent, "", LABEL_WIDTH, i ? "" : "history") ||
            append_text(out, tool ? tool : "?", 0, err))
            return (int)err->status;
        for (size_t k = 0; k < json_array_size(arguments); k++)
            if (pt_buffer_append(out, " ", 1, err) ||
                append_value(out, "", json_array_get(arguments, k), err))
                return (int)err->status;
        if (pt_buffer_append(out, "\n", 1, err))
            return (int)err->status;
    }
    return PT_OK;
}

static int append_line(struct pt_buffer *out, int indent, const char *key, const json_t *value,
                       struct pt_error *err)
{
    if (json_is_null(value))
        return PT_OK;
    if (!strcmp(key, "history") && json_is_array(value))
        return append_history(out, indent, value, err);
    char *label = pt_new_string(key, err);
    for (char *c = label; c && (c = strchr(c, '_'));)
        *c = ' ';
    if (label && !pt_buffer_append_format(out, err, "%*s", indent, "") &&
        !append_text(out, label, LABEL_WIDTH, err) && !pt_buffer_append_string(out, " ", err) &&
        !append_value(out, key, value, err))
        (void)!pt_buffer_append_string(out, "\n", err);
    free(label);
    return (int)err->status;
}

static int append_tensors(struct pt_buffer *out, int indent, const json_t *tensors, bool all,
                          struct pt_error *err)
{
    size_t n = json_array_size(tensors);
    if (pt_buffer_append_format(out, err, "%*s%-*s %zu%s\n", indent, "", LABEL_WIDTH, "tensors", n,
                                n > FEW_TENSORS && !all ? " (--verbose lists them)" : ""))
        return (int)err->status;
    for (size_t i = 0; i < n && (all || n <= FEW_TENSORS); i++) {
        const json_t *tensor = json_array_get(tensors, i), *bad = json_object_get(tensor, "non_finite");
        if (pt_buffer_append_format(out, err, "%*s", indent + 2, "") ||
            append_text(out, json_string_value(json_object_get(tensor, "name")), NAME_WIDTH, err) ||
            pt_buffer_append_format(out, err, " %-5s", json_string_value(json_object_get(tensor, "dtype"))) ||
            pt_json_append(out, json_object_get(tensor, "shape"), 0, err))
            return (int)err->status;
        if (bad && pt_buffer_append_format(out, err, "  %lld not finite", json_integer_value(bad)))
            return (int)err->status;
        if (pt_buffer_append_string(out, "\n", err))
            return (int)err->status;
    }
    return PT_OK;
}

static int append_report(struct pt_buffer *out, int indent, const json_t *report, bool all,
                         struct pt_error *err);

static int append_members(struct pt_buffer *out, int indent, const json_t *members, bool all,
                          struct pt_error *err)
{
    for (size_t i = 0; i < json_array_size(members); i++)
        if (append_report(out, indent, json_array_get(members, i), all, err))
            return (int)err->status;
    return PT_OK;
}

/* Objects such as the metadata have their members on lines of their own. */
static int append_object(struct pt_buffer *out, int indent, const char *name, const json_t *object,
                         struct pt_error *err)
{
    const char *key;
    json_t *value;
    if (pt_buffer_append_format(out, err, "%*s", indent, "") || append_text(out, name, 0, err) ||
        pt_buffer_append_string(out, "\n", err))
        return (int)err->status;
    json_object_foreach((json_t *)object, key, value) {
        if (append_line(out, indent + 2, key, value, err))
            return (int)err->status;
    }
    return PT_OK;
}

static int append_report(struct pt_buffer *out, int indent, const json_t *report, bool all,
                         struct pt_error *err)
{
    const char *kind = json_string_value(json_object_get(report, "kind")), *key;
    json_t *value;
    if (pt_buffer_append_format(out, err, "%*s", indent, "") ||
        append_text(out, json_string_value(json_object_get(report, "file")), 0, err) ||
        pt_buffer_append_format(out, err, ": %s\n", words_of(kind ? kind : "")))
        return (int)err->status;
    json_object_foreach((json_t *)report, key, value) {
        if (is_special(key))
            continue;
        if (json_is_object(value) ? append_object(out, indent + 2, key, value, err)
                                  : append_line(out, indent + 2, key, value, err))
            return (int)err->status;
    }
    const json_t *tensors = json_object_get(report, "tensors"), *members = json_object_get(report, "members");
    if (tensors && append_tensors(out, indent + 2, tensors, all, err))
        return (int)err->status;
    return members ? append_members(out, indent + 2, members, all, err) : PT_OK;
}

int pt_describe_text(const json_t *report, bool all, struct pt_buffer *out, struct pt_error *err)
{
    return append_report(out, 0, report, all, err);
}
