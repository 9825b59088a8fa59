/*
 * Strict loading: jansson does the parsing, this adds the place of a fault, the byte order mark, and names a
 * Git-LFS pointer for what it is.
 */
#include "fmt/json.h"

#include "base/utf8.h"
#include "io/source.h"

#include <math.h>
#include <string.h>

static const char lfs_first_line[] = "version https://git-lfs";
static const char byte_order_mark[] = "\xef\xbb\xbf";

bool pt_is_json_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool pt_is_lfs_pointer(const void *bytes, size_t n)
{
    return n >= sizeof lfs_first_line - 1 && !memcmp(bytes, lfs_first_line, sizeof lfs_first_line - 1);
}

int pt_refuse_lfs_pointer(const char *name, struct pt_error *err)
{
    pt_fail(err, PT_BAD_INPUT, "%s: a Git-LFS pointer, not the file itself", name);
    return pt_error_hint(err, "fetch it with: git lfs pull");
}

int pt_json_parse(json_t **value, const char *text, size_t n, const char *name, struct pt_error *err)
{
    *value = NULL;
    if (pt_is_lfs_pointer(text, n))
        return pt_refuse_lfs_pointer(name, err);
    size_t mark = sizeof byte_order_mark - 1;
    if (n >= mark && !memcmp(text, byte_order_mark, mark)) {
        text += mark;
        n -= mark;
    }
    if (n == 0)
        return pt_fail(err, PT_BAD_INPUT, "%s: empty, where JSON was expected", name);
    json_error_t error;
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    *value = json_loadb(text, n, flags, &error);
    if (!*value && json_error_code(&error) == json_error_numeric_overflow)
        *value = json_loadb(text, n, flags | JSON_DECODE_INT_AS_REAL, &error);
    if (!*value && (json_error_code(&error) == json_error_null_character ||
                    json_error_code(&error) == json_error_null_byte_in_key))
        return pt_fail(err, PT_BAD_INPUT, "%s: line %d, column %d: a NUL character (\\u0000) is refused",
                       name, error.line, error.column);
    if (!*value)
        return pt_fail(err, json_error_code(&error) == json_error_out_of_memory ? PT_FAILED : PT_BAD_INPUT,
                       "%s: line %d, column %d: not JSON: %s", name, error.line, error.column, error.text);
    return PT_OK;
}

int pt_json_load(json_t **value, const char *path, struct pt_error *err)
{
    *value = NULL;
    struct pt_source *source = NULL;
    struct pt_buffer text = {0};
    if (pt_source_open(&source, path, err) || pt_source_read_all(source, PT_JSON_LIMIT, &text, err))
        goto out;
    (void)!pt_json_parse(value, text.data, text.size, pt_source_name(source), err);
out:
    pt_source_close(source);
    pt_buffer_free(&text);
    return (int)err->status;
}

int pt_json_load_object(json_t **object, const struct pt_folder *folder, const char *name, const char *where,
                        struct pt_error *err)
{
    enum { LIMIT = 16 << 20 };
    struct pt_buffer text = {0};
    *object = NULL;
    if (!pt_folder_read(folder, name, LIMIT, &text, err) &&
        !pt_json_parse(object, text.data, text.size, where, err) && !json_is_object(*object))
        pt_fail(err, PT_BAD_INPUT, "%s: not a JSON object", where);
    if (err->status) {
        json_decref(*object);
        *object = NULL;
    }
    pt_buffer_free(&text);
    return (int)err->status;
}

/* The value of a key, or NULL where it is absent or null. */
static const json_t *present(const json_t *object, const char *key)
{
    const json_t *field = json_object_get(object, key);
    return json_is_null(field) ? NULL : field;
}

static int wrong(const char *where, const char *key, const char *wanted, struct pt_error *err)
{
    return pt_fail(err, PT_BAD_INPUT, "%s: \"%s\" must be %s", where, key, wanted);
}

bool pt_json_is_whole(const json_t *value, int64_t *whole)
{
    if (json_is_integer(value)) {
        *whole = json_integer_value(value);
        return true;
    }
    const double real = json_is_real(value) ? json_real_value(value) : HUGE_VAL;
    if (!(fabs(real) < 0x1p53) || real != floor(real))
        return false;
    *whole = (int64_t)real;
    return true;
}

int pt_json_get_u64(const json_t *object, const char *key, const char *where, uint64_t *value, bool *found,
                    struct pt_error *err)
{
    const json_t *field = present(object, key);
    *found = field != NULL;
    if (!field)
        return PT_OK;
    int64_t whole;
    if (!pt_json_is_whole(field, &whole) || whole < 0)
        return wrong(where, key, "an integer that is not negative", err);
    *value = (uint64_t)whole;
    return PT_OK;
}

int pt_json_get_double(const json_t *object, const char *key, const char *where, double *value, bool *found,
                       struct pt_error *err)
{
    const json_t *field = present(object, key);
    *found = field != NULL;
    if (!field)
        return PT_OK;
    if (!json_is_number(field) || !isfinite(json_number_value(field)))
        return wrong(where, key, "a number", err);
    *value = json_number_value(field);
    return PT_OK;
}

int pt_json_get_bool(const json_t *object, const char *key, const char *where, bool *value, bool *found,
                     struct pt_error *err)
{
    const json_t *field = present(object, key);
    *found = field != NULL;
    if (!field)
        return PT_OK;
    if (!json_is_boolean(field))
        return wrong(where, key, "true or false", err);
    *value = json_is_true(field);
    return PT_OK;
}

int pt_json_get_string(const json_t *object, const char *key, const char *where, const char **value,
                       bool *found, struct pt_error *err)
{
    const json_t *field = present(object, key);
    *found = field != NULL;
    if (!field)
        return PT_OK;
    if (!json_is_string(field))
        return wrong(where, key, "a string", err);
    *value = json_string_value(field);
    return PT_OK;
}

int pt_json_set(json_t *object, const char *key, json_t *value, struct pt_error *err)
{
    if (json_object_set_new(object, key, value))
        return pt_fail(err, PT_FAILED, "%s: out of memory, or not UTF-8", key);
    return PT_OK;
}

static int append_valid(struct pt_buffer *out, const char *bytes, size_t n, struct pt_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const size_t good = pt_utf8_check(bytes + i, n - i);
        if (pt_buffer_append(out, bytes + i, good, err))
            return (int)err->status;
        i += good;
        if (i < n && pt_buffer_append_string(out, "\xef\xbf\xbd", err))
            return (int)err->status;
    }
    return PT_OK;
}

json_t *pt_json_text(const char *bytes, size_t n)
{
    struct pt_buffer valid = {0};
    struct pt_error out_of_memory = {0};
    json_t *text = append_valid(&valid, bytes, n, &out_of_memory)
                       ? NULL
                       : json_stringn(valid.data ? valid.data : "", valid.size);
    pt_buffer_free(&valid);
    return text;
}
