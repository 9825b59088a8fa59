/*
 * The model's tokenizer is compared as a file, without being opened as a tokenizer: parsing a large
 * vocabulary would cost more than all other checks together.
 */
#include "tune/tuned_stream.h"

#include "base/memory.h"
#include "io/map.h"
#include "tune/method.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The fingerprint of a file; *found = false where there is none. */
static int fingerprint_file(const char *folder, const char *name, struct pt_fingerprint *fingerprint,
                            bool *found, struct pt_error *err)
{
    struct pt_map map;
    char *path = pt_new_format(err, "%s/%s", folder, name);
    if (!path)
        return (int)err->status;
    *found = !access(path, F_OK);
    if (*found && !pt_map_open(&map, path, err)) {
        *fingerprint = pt_fingerprint_of(map.data, map.size);
        pt_map_close(&map);
    }
    free(path);
    return (int)err->status;
}

/* Of the file that pt_tokenizer_open would take. */
static int fingerprint_tokenizer(const char *folder, struct pt_fingerprint *fingerprint, bool *found,
                                 struct pt_error *err)
{
    if (fingerprint_file(folder, "tokenizer.json", fingerprint, found, err) || *found)
        return (int)err->status;
    return fingerprint_file(folder, "tokenizer.model", fingerprint, found, err);
}

int pt_stream_check_model(const struct pt_stream_head *head, const char *stream_name,
                          const struct pt_model *model, bool ignore_fingerprint, struct pt_error *err)
{
    struct pt_fingerprint expected;
    bool found;
    if (!head->tokenizer.text[0] || ignore_fingerprint)
        return PT_OK;
    if (fingerprint_tokenizer(pt_model_name(model), &expected, &found, err))
        return (int)err->status;
    if (!found || !strcmp(expected.text, head->tokenizer.text))
        return PT_OK;
    pt_fail(err, PT_MISMATCH, "%s: tokenized with fingerprint %s, but the tokenizer in %s has fingerprint %s",
            stream_name, head->tokenizer.text, pt_model_name(model), expected.text);
    return pt_error_hint(err, "--ignore-fingerprint goes on");
}

int pt_example_check_ids(const struct pt_example *example, uint64_t number, const struct pt_model *model,
                         struct pt_error *err)
{
    uint64_t vocab_size = pt_model_config(model)->vocab_size;
    for (uint64_t i = 0; i < example->n_words; i++)
        if (PT_TOKEN_ID(example->words[i]) >= vocab_size)
            return pt_fail(err, PT_MISMATCH,
                           "example %" PRIu64 ": token %" PRIu32 " is not one of the %" PRIu64 " of %s",
                           number, PT_TOKEN_ID(example->words[i]), vocab_size, pt_model_name(model));
    return PT_OK;
}

int pt_tuned_check_stream(const struct pt_tuned *tuned, const struct pt_stream_head *head,
                          const char *stream_name, bool ignore_fingerprint, struct pt_error *err)
{
    const char *ours = pt_tuned_metadata(tuned, PT_KEY_TOKENIZER_FINGERPRINT);
    if (!ours || !head->tokenizer.text[0] || ignore_fingerprint || !strcmp(ours, head->tokenizer.text))
        return PT_OK;
    pt_fail(err, PT_MISMATCH,
            "%s: made with a tokenizer of fingerprint %s, but %s with one of fingerprint %s", tuned->name,
            ours, stream_name, head->tokenizer.text);
    return pt_error_hint(err, "--ignore-fingerprint goes on");
}

int pt_tuned_take_stream(struct pt_tuned *tuned, const struct pt_stream_head *head, struct pt_error *err)
{
    if (head->tokenizer.text[0] &&
        pt_tuned_set_metadata(tuned, PT_KEY_TOKENIZER_FINGERPRINT, head->tokenizer.text, err))
        return (int)err->status;
    if (pt_tuned_set_metadata_json(tuned, PT_KEY_TEMPLATE, head->template, err))
        return (int)err->status;
    return pt_tuned_add_history(tuned, head->history, err);
}
