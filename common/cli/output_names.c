/*
 * Each output is compared with each other one and with each input, by the files that their names lead to.
 */
#include "cli/tool.h"
#include "io/same_file.h"

#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

/* Where standard input and output lead. */
static const char standard_input[] = "/dev/stdin", standard_output[] = "/dev/stdout";

/* What can be written twice, such as a terminal or /dev/null. */
static bool is_device(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode));
}

static bool is_one_file(const char *a, const char *b)
{
    if (strcmp(a, b) == 0)
        return !is_device(a);
    if (is_device(a) || is_device(b))
        return false;
    return pt_same_file(strcmp(a, "-") ? a : standard_output, strcmp(b, "-") ? b : standard_output);
}

static int refuse_twice(const char *a, const char *b, struct pt_error *err)
{
    if (strcmp(a, b) == 0)
        return pt_fail(err, PT_USAGE, "%s: one name for two outputs", a);
    return pt_fail(err, PT_USAGE, "%s and %s: two names of one file for two outputs",
                   strcmp(a, "-") ? a : "standard output", strcmp(b, "-") ? b : "standard output");
}

/* Whether a folder's file of this name belongs to a model, a tokenizer or an adapter. */
static bool belongs_to_model(const char *name)
{
    static const char *const patterns[] = {
        "*config.json",       "*.index.json",       "special_tokens_map.json",
        "model*.safetensors", "pytorch_model*.bin", "adapter_model.*",
        "tokenizer*"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    return false;
}

static int check_output(const struct pt_output_name *output, const char *const *inputs, size_t n_inputs,
                        struct pt_error *err)
{
    const char *path = output->path;
    /* Standard output was opened, and emptied if so wished, by whoever started the tool. */
    if (!path || strcmp(path, "-") == 0 || is_device(path) ||
        (output->replaces && pt_same_file(path, output->replaces)))
        return PT_OK;
    for (size_t i = 0; i < n_inputs; i++) {
        const char *input = inputs[i] && strcmp(inputs[i], "-") == 0 ? standard_input : inputs[i];
        if (!input || !(pt_same_file(path, input) || pt_file_in_folder(path, input, belongs_to_model)))
            continue;
        pt_fail(err, PT_USAGE, "%s: it is an input as well, and would be lost", path);
        return pt_error_hint(err, "choose another name for the output");
    }
    return PT_OK;
}

int pt_check_outputs(const struct pt_output_name *outputs, size_t n_outputs, const char *const *inputs,
                     size_t n_inputs, struct pt_error *err)
{
    for (size_t i = 0; i < n_outputs; i++) {
        const char *path = outputs[i].path;
        for (size_t j = 0; j < i; j++)
            if (path && outputs[j].path && is_one_file(path, outputs[j].path))
                return refuse_twice(path, outputs[j].path, err);
        if (check_output(&outputs[i], inputs, n_inputs, err))
            return (int)err->status;
    }
    return PT_OK;
}
