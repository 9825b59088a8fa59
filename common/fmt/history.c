/*
 * What of a command line belongs into a history: everything that can change the result, nothing that depends
 * on where files lie or on how the work was watched.
 */
#include "fmt/stream_head.h"

#include "base/utf8.h"
#include "base/version.h"

#include <string.h>

/* Options that never change what a tool writes. */
static const struct {
    const char *name; /* long, without dashes */
    char letter;      /* 0: none */
    bool has_value;
} watching[] = {
    {"output", 'o', true},   {"threads", 'j', true}, {"quiet", 'q', false},  {"verbose", 'v', false},
    {"memory", 0, true},     {"log", 0, true},       {"log-every", 0, true}, {"save", 0, true},
    {"save-every", 0, true}, {"resume", 0, true},
};

/* How many words of the command line an option that is left out takes (1 or 2); 0: this is none. */
static int left_out(const char *argument)
{
    if (argument[0] != '-' || !argument[1])
        return 0;
    for (size_t i = 0; i < sizeof watching / sizeof *watching; i++) {
        size_t length = strlen(watching[i].name);
        if (argument[1] == '-' && !strncmp(argument + 2, watching[i].name, length)) {
            if (argument[2 + length] == '=' && watching[i].has_value)
                return 1;
            if (!argument[2 + length])
                return watching[i].has_value ? 2 : 1;
        }
        if (watching[i].letter && argument[1] == watching[i].letter)
            return watching[i].has_value && !argument[2] ? 2 : 1;
    }
    return 0;
}

static bool is_descriptor(const char *path)
{
    return !strncmp(path, "/dev/fd/", 8) || !strncmp(path, "/proc/self/fd/", 14) ||
           !strcmp(path, "/dev/stdin");
}

/* Appends the argument, its path (if it looks like one) cut: words with blanks in them are texts. */
static int append_argument(struct pt_buffer *out, const char *argument, struct pt_error *err)
{
    size_t option = 0; /* bytes of "--name=" or "-x" in front of a value */
    if (argument[0] == '-' && argument[1] == '-')
        option = strchr(argument, '=') ? (size_t)(strchr(argument, '=') - argument) + 1 : 0;
    else if (argument[0] == '-' && argument[1])
        option = 2;
    const char *value = argument + option;
    if (pt_buffer_append(out, argument, option, err))
        return (int)err->status;
    if (is_descriptor(value))
        return pt_buffer_append_string(out, "-", err);
    size_t length = strlen(value);
    if (strpbrk(value, " \t\n") || !strchr(value, '/'))
        return pt_buffer_append(out, value, length, err);
    while (length > 1 && value[length - 1] == '/')
        length--;
    const char *slash = memrchr(value, '/', length);
    size_t cut = slash && length > 1 ? (size_t)(slash - value) + 1 : 0;
    return pt_buffer_append(out, value + cut, length - cut, err);
}

/* A JSON string of any bytes: those that are not UTF-8 become U+FFFD. NULL where memory is out. */
static json_t *string_of(const struct pt_buffer *text, struct pt_error *err)
{
    struct pt_buffer valid = {0};
    json_t *string = NULL;
    for (size_t i = 0; i < text->size;) {
        size_t good = pt_utf8_check(text->data + i, text->size - i);
        if (pt_buffer_append(&valid, text->data + i, good, err))
            goto out;
        i += good;
        if (i < text->size && pt_buffer_append_string(&valid, "\xef\xbf\xbd", err))
            goto out;
        i += i < text->size;
    }
    string = json_stringn(valid.data ? valid.data : "", valid.size);
out:
    pt_buffer_free(&valid);
    return string;
}

static int append_arguments(json_t *list, int argc, char *const *argv, struct pt_error *err)
{
    bool options = true;
    for (int i = 1; i < argc; i++) {
        options = options && strcmp(argv[i], "--") != 0;
        int skip = options ? left_out(argv[i]) : 0;
        if (skip) {
            i += skip - 1;
            continue;
        }
        struct pt_buffer text = {0};
        json_t *string = append_argument(&text, argv[i], err) ? NULL : string_of(&text, err);
        pt_buffer_free(&text);
        if (json_array_append_new(list, string))
            return pt_fail(err, PT_FAILED, "out of memory");
    }
    return PT_OK;
}

int pt_history_add(json_t **history, const char *tool, int argc, char *const *argv, struct pt_error *err)
{
    json_t *arguments = json_array();
    json_t *longer =
        *history ? json_copy(*history) : json_array(); /* the array may be shared with another head */
    if (arguments && longer && !append_arguments(arguments, argc, argv, err)) {
        json_t *entry =
            json_pack("{s:s, s:s, s:O}", "tool", tool, "version", PT_VERSION, "arguments", arguments);
        if (json_array_append_new(longer, entry))
            pt_fail(err, PT_FAILED, "out of memory");
    } else {
        pt_fail(err, PT_FAILED, "out of memory");
    }
    json_decref(arguments);
    if (err->status) {
        json_decref(longer);
        return (int)err->status;
    }
    json_decref(*history);
    *history = longer;
    return PT_OK;
}

int pt_stream_head_add_history(struct pt_stream_head *head, const char *tool, int argc, char *const *argv,
                               struct pt_error *err)
{
    return pt_history_add(&head->history, tool, argc, argv, err);
}
