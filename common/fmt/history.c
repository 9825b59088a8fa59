/*
 * Words of a command line are bytes, those of JSON are UTF-8.
 */
#include "fmt/history.h"

#include "base/version.h"
#include "fmt/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static int add(json_t *arguments, const char *bytes, size_t n, struct pt_error *err)
{
    return json_array_append_new(arguments, pt_json_text(bytes, n)) ? pt_fail(err, PT_FAILED, "out of memory")
                                                                    : PT_OK;
}

int pt_history_add_word(json_t *arguments, const char *word, struct pt_error *err)
{
    return add(arguments, word, strlen(word), err);
}

static bool is_descriptor(const char *path)
{
    return !strncmp(path, "/dev/fd/", 8) || !strncmp(path, "/proc/self/fd/", 14) ||
           !strcmp(path, "/dev/stdin");
}

int pt_history_add_path(json_t *arguments, const char *path, struct pt_error *err)
{
    if (is_descriptor(path))
        return pt_history_add_word(arguments, "-", err);
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    const char *slash = memrchr(path, '/', end);
    const size_t start = slash && end > 1 ? (size_t)(slash - path) + 1 : 0;
    return add(arguments, path + start, end - start, err);
}

int pt_history_add(json_t **history, const char *tool, const json_t *arguments, struct pt_error *err)
{
    json_t *longer = *history ? json_copy(*history) : json_array();
    json_t *entry = json_pack("{s:s, s:s, s:O}", "tool", tool, "version", PT_VERSION, "arguments",
                              (json_t *)(uintptr_t)arguments);
    if (json_array_append_new(longer, entry)) {
        json_decref(longer);
        return pt_fail(err, PT_FAILED, "out of memory");
    }
    json_decref(*history);
    *history = longer;
    return PT_OK;
}
