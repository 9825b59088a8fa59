/*
 * Prompts for unit tests: files with chosen tensors and metadata.
 */
#ifndef PT_TESTS_UNIT_PROMPTS_H
#define PT_TESTS_UNIT_PROMPTS_H

#include "files.h"

#include "fmt/safetensors.h"
#include "tune/tuned.h"

#define REFERENCE "tests/data/reference/bloom"

/* Writes one tensor, with metadata (released) and our hash or without. */
static inline void write_tensor(const char *path, const char *name, enum pt_dtype dtype, unsigned rank,
                                const uint64_t *shape, const void *data, json_t *metadata, bool with_hash)
{
    struct pt_error err = {0};
    struct pt_tensors set = {.metadata = metadata};
    struct pt_sink *sink;
    assert_int_equal(pt_tensors_add(&set, name, dtype, rank, shape, data, &err), PT_OK);
    assert_int_equal(pt_sink_open(&sink, path, &err), PT_OK);
    assert_int_equal(pt_safetensors_write(sink, &set, with_hash, &err), PT_OK);
    assert_int_equal(pt_sink_commit(sink, &err), PT_OK);
    pt_tensors_free(&set);
}

/* A prompt [n, 4] whose element i is first + i. */
static inline const char *write_prompt(const char *name, uint64_t n, float first, json_t *metadata)
{
    float values[64];
    const char *path = in_scratch(name);
    for (size_t i = 0; i < n * 4; i++)
        values[i] = first + (float)i;
    write_tensor(path, "prompt_embeddings", PT_F32, 2, (uint64_t[]){n, 4}, values, metadata, true);
    return path;
}

static inline struct pt_tuned *open_prompt(const char *path)
{
    struct pt_error err = {0};
    struct pt_tuned *tuned;
    if (pt_tuned_open(&tuned, path, NULL, false, &err))
        fail_msg("%s", err.message);
    return tuned;
}

static inline void save_prompt(const struct pt_tuned *tuned, const char *path)
{
    struct pt_error err = {0};
    struct pt_sink *sink;
    assert_int_equal(pt_sink_open(&sink, path, &err), PT_OK);
    assert_int_equal(pt_tuned_write(tuned, sink, &err), PT_OK);
    assert_int_equal(pt_sink_commit(sink, &err), PT_OK);
}

static inline struct pt_parameter *prompt_of(struct pt_tuned *tuned)
{
    struct pt_parameter *prompt = pt_parameters_find(pt_tuned_parameters(tuned), "prompt_embeddings");
    assert_non_null(prompt);
    return prompt;
}

/* Opening the file is refused with this status, and the message holds the text. */
static inline void refuses(const char *path, const struct pt_model *model, int status, const char *text)
{
    struct pt_error err = {0};
    struct pt_tuned *tuned;
    assert_int_equal(pt_tuned_open(&tuned, path, model, false, &err), status);
    if (!strstr(err.message, text))
        fail_msg("'%s' does not say '%s'", err.message, text);
}

#endif
