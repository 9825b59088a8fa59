/*
 * Model folders for tests, made from the small reference model by changing its tensors one by one. They lie
 * in a temporary folder that is removed at the end.
 */
#ifndef PT_TESTS_UNIT_MODEL_FOLDER_H
#define PT_TESTS_UNIT_MODEL_FOLDER_H

#include "support.h"

#include "fmt/safetensors.h"
#include "fmt/tensors.h"
#include "model/model.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REFERENCE "tests/data/reference/"

/* A file of a reference model; valid until the next call. */
static inline const char *reference_file(const char *folder, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, REFERENCE "%s/model/%s", folder, name);
    return path;
}

static inline struct pt_model *open_model(const char *path)
{
    struct pt_error err = {0};
    struct pt_model *model;
    if (pt_model_open(&model, path, &err))
        fail_msg("%s", err.message);
    return model;
}

struct folder {
    char path[64];
};

static inline void folder_make(struct folder *folder)
{
    strcpy(folder->path, "/tmp/pt-test-model-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static inline void folder_remove(const struct folder *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder->path);
    assert_int_equal(system(command), 0);
}

/* `name` inside the folder; valid until the next call. */
static inline const char *folder_file(const struct folder *folder, const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    return path;
}

/* Anew: a file that is emptied and written again goes to the disk at once on some file systems. */
static inline void folder_write(const struct folder *folder, const char *name, const void *bytes, size_t n)
{
    (void)unlink(folder_file(folder, name));
    FILE *file = fopen(folder_file(folder, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* Through memory: a file that is committed is waited for until it is on the disk. */
static inline void folder_write_tensors(const struct folder *folder, const char *name,
                                        const struct pt_tensors *set)
{
    struct pt_error err = {0};
    struct pt_sink *sink;
    size_t n;
    assert_int_equal(pt_sink_open_memory(&sink, &err), 0);
    assert_int_equal(pt_safetensors_write(sink, set, false, &err), 0);
    const void *bytes = pt_sink_memory(sink, &n);
    folder_write(folder, name, bytes, n);
    pt_sink_discard(sink);
}

/* Copies a file of the tree into the folder. */
static inline void folder_copy(const struct folder *folder, const char *from, const char *name)
{
    char command[512];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, folder_file(folder, name));
    assert_int_equal(system(command), 0);
}

#endif
