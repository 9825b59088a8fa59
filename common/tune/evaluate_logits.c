/*
 * A few hundred examples of a model with a large vocabulary make more logits than fit into memory, so they go
 * through a file, and the result is written from its mapping.
 */
#include "tune/evaluate_logits.h"

#include "base/memory.h"
#include "fmt/safetensors.h"
#include "io/scratch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct pt_logits_file {
    struct pt_scratch_file file;
    uint64_t vocab_size;
    uint64_t *rows; /* [n], owned */
    size_t n, capacity;
    uint64_t n_elements;
};

int pt_logits_open(struct pt_logits_file **file, struct pt_error *err)
{
    struct pt_logits_file *opened = pt_new_array(1, sizeof *opened, err);
    if (opened && !pt_scratch_file_open(&opened->file, err))
        *file = opened;
    else
        free(opened);
    return (int)err->status;
}

int pt_logits_add(struct pt_logits_file *file, const struct pt_tuned_model *model, const uint32_t *words,
                  size_t n, struct pt_error *err)
{
    file->vocab_size = pt_model_config(model->base)->vocab_size;
    uint64_t n_elements;
    if (!pt_multiply(file->vocab_size, n, &n_elements) || n_elements > SIZE_MAX / sizeof(float))
        return pt_fail(err, PT_FAILED, "logits of an example of %zu tokens do not fit into memory", n);
    if (pt_reserve(&file->rows, &file->capacity, file->n + 1, sizeof *file->rows, err))
        return (int)err->status;
    float *logits = pt_new_floats((size_t)n_elements, err);
    if (!logits)
        return (int)err->status;
    if (!(n && pt_engine_logits(model->engine, words, n, logits, err)) &&
        pt_scratch_file_write(&file->file, logits, (size_t)n_elements * sizeof *logits, err))
        pt_error_hint(err, "set TMPDIR to a folder with more room");
    if (!err->status) {
        file->rows[file->n++] = n;
        file->n_elements += n_elements;
    }
    free(logits);
    return (int)err->status;
}

static int write_set(const struct pt_logits_file *file, const float *logits, struct pt_sink *sink,
                     struct pt_error *err)
{
    struct pt_tensors set = {0};
    for (size_t i = 0; i < file->n && !err->status; i++) {
        char name[32];
        snprintf(name, sizeof name, "logits.%zu", i);
        uint64_t shape[2] = {file->rows[i], file->vocab_size};
        (void)!pt_tensors_add(&set, name, PT_F32, 2, shape, logits, err);
        logits += file->rows[i] * file->vocab_size;
    }
    if (!err->status)
        (void)!pt_safetensors_write(sink, &set, false, err);
    pt_tensors_free(&set);
    return (int)err->status;
}

int pt_logits_write(struct pt_logits_file *file, struct pt_sink *sink, struct pt_error *err)
{
    static const float nothing;
    size_t n_bytes = (size_t)file->n_elements * sizeof(float);
    if (!n_bytes)
        return write_set(file, &nothing, sink, err);
    void *logits = mmap(NULL, n_bytes, PROT_READ, MAP_PRIVATE, file->file.descriptor, 0);
    if (logits == MAP_FAILED)
        return pt_scratch_file_fail(&file->file, err);
    int status = write_set(file, logits, sink, err);
    munmap(logits, n_bytes);
    return status;
}

void pt_logits_close(struct pt_logits_file *file)
{
    if (!file)
        return;
    pt_scratch_file_close(&file->file);
    free(file->rows);
    free(file);
}
