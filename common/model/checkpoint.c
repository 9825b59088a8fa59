/*
 * An index maps tensor names to file names. It is compared with the files both ways, so that neither a tensor
 * that is missing nor one that is there twice goes unnoticed.
 */
#include "model/checkpoint.h"

#include "base/memory.h"
#include "fmt/json.h"
#include "fmt/pytorch_file.h"
#include "fmt/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct layout {
    const char *file;
    bool is_index;
    int (*open)(struct pt_tensors *set, const char *path, struct pt_error *err);
};

static const struct layout layouts[] = {
    {"model.safetensors", false, pt_safetensors_open},
    {"model.safetensors.index.json", true, pt_safetensors_open},
    {"pytorch_model.bin", false, pt_pytorch_file_open},
    {"pytorch_model.bin.index.json", true, pt_pytorch_file_open},
};

static int open_set(struct pt_checkpoint *checkpoint, const struct layout *layout, const char *folder,
                    const char *file, struct pt_error *err)
{
    size_t capacity = checkpoint->n;
    if (pt_reserve(&checkpoint->sets, &capacity, checkpoint->n + 1, sizeof *checkpoint->sets, err))
        return (int)err->status;
    struct pt_tensors *set = &checkpoint->sets[checkpoint->n];
    *set = (struct pt_tensors){0};
    char *path = pt_new_format(err, "%s/%s", folder, file);
    if (!path)
        return (int)err->status;
    if (!layout->open(set, path, err))
        checkpoint->n++;
    free(path);
    return (int)err->status;
}

/* A shard's name comes out of a file: it must be a plain name in the same folder. */
static int open_shard(struct pt_checkpoint *checkpoint, const struct layout *layout, const char *folder,
                      const char *file, const char *index, struct pt_error *err)
{
    if (!*file || strchr(file, '/'))
        return pt_fail(err, PT_BAD_INPUT, "%s: \"%.200s\" is not a file name", index, file);
    char *path = pt_new_format(err, "%s/%s", folder, file);
    if (!path)
        return (int)err->status;
    if (access(path, F_OK))
        pt_fail(err, PT_BAD_INPUT, "%s: names %.200s, which is missing", index, file);
    else
        open_set(checkpoint, layout, folder, file, err);
    free(path);
    return (int)err->status;
}

/* The set just opened holds exactly what the index says that it holds. */
static int check_shard(const struct pt_tensors *set, const json_t *map, const char *file, const char *index,
                       struct pt_error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value) {
        if (!strcmp(json_string_value(value), file) && !pt_tensors_find(set, name))
            return pt_fail(err, PT_BAD_INPUT, "%s: tensor %.200s is not in %s", index, name, file);
    }
    for (size_t i = 0; i < set->n; i++) {
        const char *listed = json_string_value(json_object_get(map, set->tensors[i].name));
        if (!listed)
            return pt_fail(err, PT_BAD_INPUT, "%s: tensor %.200s of %s is not listed", index,
                           set->tensors[i].name, file);
        if (strcmp(listed, file))
            return pt_fail(err, PT_BAD_INPUT, "%s: tensor %.200s is in %s, and listed in %.200s", index,
                           set->tensors[i].name, file, listed);
    }
    return PT_OK;
}

static int open_shards(struct pt_checkpoint *checkpoint, const struct layout *layout, const char *folder,
                       const json_t *map, const char *index, struct pt_error *err)
{
    json_t *opened = json_object();
    if (!opened)
        return pt_fail(err, PT_FAILED, "out of memory");
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value) {
        if (!json_is_string(value) &&
            pt_fail(err, PT_BAD_INPUT, "%s: \"%.200s\" has no file name", index, name))
            break;
    }
    json_object_foreach((json_t *)map, name, value) {
        const char *file = json_string_value(value);
        if (err->status)
            break;
        if (json_object_get(opened, file))
            continue;
        if (json_object_set_new(opened, file, json_true()))
            pt_fail(err, PT_FAILED, "out of memory");
        else if (!open_shard(checkpoint, layout, folder, file, index, err))
            check_shard(&checkpoint->sets[checkpoint->n - 1], map, file, index, err);
    }
    json_decref(opened);
    return (int)err->status;
}

static int open_index(struct pt_checkpoint *checkpoint, const struct layout *layout, const char *folder,
                      const char *path, struct pt_error *err)
{
    json_t *index;
    if (pt_json_load(&index, path, err))
        return (int)err->status;
    const json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map) || !json_object_size(map))
        pt_fail(err, PT_BAD_INPUT, "%s: \"weight_map\" is missing or empty", path);
    else
        open_shards(checkpoint, layout, folder, map, path, err);
    json_decref(index);
    return (int)err->status;
}

int pt_checkpoint_config(json_t **config, const char *folder, struct pt_error *err)
{
    struct stat status;
    *config = NULL;
    if (stat(folder, &status))
        return pt_fail_errno(err, "%s", folder);
    if (!S_ISDIR(status.st_mode))
        return pt_fail(err, PT_BAD_INPUT, "%s: not a folder, where a model's folder is expected", folder);
    char *path = pt_new_format(err, "%s/config.json", folder);
    if (path && access(path, F_OK) && errno == ENOENT)
        pt_fail(err, PT_BAD_INPUT, "%s: holds no config.json", folder);
    else if (path)
        (void)!pt_json_load(config, path, err);
    free(path);
    return (int)err->status;
}

int pt_checkpoint_open(struct pt_checkpoint *checkpoint, const char *folder, struct pt_error *err)
{
    *checkpoint = (struct pt_checkpoint){0};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        const struct layout *layout = &layouts[i];
        char *path = pt_new_format(err, "%s/%s", folder, layout->file);
        if (!path)
            return (int)err->status;
        bool there = !access(path, F_OK);
        if (there && layout->is_index)
            open_index(checkpoint, layout, folder, path, err);
        else if (there)
            open_set(checkpoint, layout, folder, layout->file, err);
        free(path);
        if (err->status)
            pt_checkpoint_close(checkpoint);
        if (there)
            return (int)err->status;
    }
    return pt_fail(err, PT_BAD_INPUT, "%s: holds neither %s nor %s nor an index of shards", folder,
                   layouts[0].file, layouts[2].file);
}

void pt_checkpoint_close(struct pt_checkpoint *checkpoint)
{
    for (size_t i = 0; i < checkpoint->n; i++)
        pt_tensors_free(&checkpoint->sets[i]);
    free(checkpoint->sets);
    *checkpoint = (struct pt_checkpoint){0};
}
