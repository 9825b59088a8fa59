/*
 * Exact writing. jansson prints reals with 17 digits and escapes in upper case; files that others write with
 * Python's json module, and numbers that should read back exactly and look like what was typed, need a writer
 * of our own.
 */
#include "fmt/json.h"

#include "base/number.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    struct pt_buffer *out;
    size_t flags;
};

static int write_value(const struct writer *w, const json_t *value, unsigned depth, struct pt_error *err);

/* The escape of a character that has a short one, else 0. */
static char short_escape(uint32_t point)
{
    switch (point) {
    case '"':
    case '\\':
        return (char)point;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static int append_escape(struct pt_buffer *out, uint32_t point, struct pt_error *err)
{
    char letter = short_escape(point);
    if (letter)
        return pt_buffer_append(out, (char[]){'\\', letter}, 2, err);
    if (point < 0x10000)
        return pt_buffer_append_format(out, err, "\\u%04x", point);
    point -= 0x10000;
    return pt_buffer_append_format(out, err, "\\u%04x\\u%04x", 0xd800 | point >> 10,
                                   0xdc00 | (point & 0x3ff));
}

int pt_json_append_string(struct pt_buffer *out, const char *text, size_t n, bool ascii, struct pt_error *err)
{
    if (pt_buffer_append(out, "\"", 1, err))
        return (int)err->status;
    size_t plain = 0; /* where the run of characters that need no escape began */
    for (size_t i = 0; i < n;) {
        uint32_t point = (unsigned char)text[i];
        size_t length = pt_utf8_decode(text + i, n - i, &point);
        length = length ? length : 1;
        if (point < 0x20 || short_escape(point) || (ascii && point >= 0x7f)) {
            if (pt_buffer_append(out, text + plain, i - plain, err) || append_escape(out, point, err))
                return (int)err->status;
            plain = i + length;
        }
        i += length;
    }
    if (pt_buffer_append(out, text + plain, n - plain, err))
        return (int)err->status;
    return pt_buffer_append(out, "\"", 1, err);
}

static int write_real(struct pt_buffer *out, double value, struct pt_error *err)
{
    if (!isfinite(value))
        return pt_buffer_append_string(out, "null", err);
    char text[PT_NUMBER_TEXT];
    pt_format_double(value, text);
    bool real = strpbrk(text, ".e") != NULL;
    return pt_buffer_append_format(out, err, "%s%s", text, real ? "" : ".0");
}

/* What stands between two items, or a bracket and an item. */
static int write_break(const struct writer *w, bool comma, unsigned depth, struct pt_error *err)
{
    size_t indent = w->flags & 0x1f; /* as JSON_INDENT packs it */
    if (comma && pt_buffer_append(w->out, ",", 1, err))
        return (int)err->status;
    if (indent)
        return pt_buffer_append_format(w->out, err, "\n%*s", (int)(indent * depth), "");
    return comma && !(w->flags & JSON_COMPACT) ? pt_buffer_append(w->out, " ", 1, err) : PT_OK;
}

static int write_array(const struct writer *w, const json_t *array, unsigned depth, struct pt_error *err)
{
    if (pt_buffer_append(w->out, "[", 1, err))
        return (int)err->status;
    size_t n = json_array_size(array);
    for (size_t i = 0; i < n; i++)
        if (write_break(w, i > 0, depth + 1, err) || write_value(w, json_array_get(array, i), depth + 1, err))
            return (int)err->status;
    if (n && write_break(w, false, depth, err))
        return (int)err->status;
    return pt_buffer_append(w->out, "]", 1, err);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int write_members(const struct writer *w, const json_t *object, const char **keys, unsigned depth,
                         struct pt_error *err)
{
    size_t n = json_object_size(object);
    for (size_t i = 0; i < n; i++) {
        if (write_break(w, i > 0, depth + 1, err) ||
            pt_json_append_string(w->out, keys[i], strlen(keys[i]), w->flags & JSON_ENSURE_ASCII, err) ||
            pt_buffer_append_string(w->out, w->flags & JSON_COMPACT ? ":" : ": ", err) ||
            write_value(w, json_object_get(object, keys[i]), depth + 1, err))
            return (int)err->status;
    }
    return n ? write_break(w, false, depth, err) : PT_OK;
}

static int write_object(const struct writer *w, const json_t *object, unsigned depth, struct pt_error *err)
{
    size_t n = 0;
    const char **keys = malloc((json_object_size(object) + 1) * sizeof *keys);
    if (!keys)
        return pt_fail(err, PT_FAILED, "out of memory");
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)object, key, member) {
        keys[n++] = key;
    }
    if (w->flags & JSON_SORT_KEYS)
        qsort(keys, n, sizeof *keys, compare_keys);
    if (!pt_buffer_append(w->out, "{", 1, err) && !write_members(w, object, keys, depth, err))
        (void)!pt_buffer_append(w->out, "}", 1, err);
    free(keys);
    return (int)err->status;
}

static int write_value(const struct writer *w, const json_t *value, unsigned depth, struct pt_error *err)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return write_object(w, value, depth, err);
    case JSON_ARRAY:
        return write_array(w, value, depth, err);
    case JSON_STRING:
        return pt_json_append_string(w->out, json_string_value(value), json_string_length(value),
                                     w->flags & JSON_ENSURE_ASCII, err);
    case JSON_INTEGER:
        return pt_buffer_append_format(w->out, err, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL:
        return write_real(w->out, json_real_value(value), err);
    case JSON_TRUE:
    case JSON_FALSE:
        return pt_buffer_append_string(w->out, json_is_true(value) ? "true" : "false", err);
    case JSON_NULL:
        break;
    }
    return pt_buffer_append_string(w->out, "null", err);
}

int pt_json_append(struct pt_buffer *out, const json_t *value, size_t flags, struct pt_error *err)
{
    struct writer w = {out, flags};
    return write_value(&w, value, 0, err);
}
