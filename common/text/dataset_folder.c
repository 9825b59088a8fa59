/*
 * state.json is read as `datasets` (arrow_dataset.py, load_from_disk) reads it. What a damaged or hostile one
 * names must lie in the folder itself.
 */
#include "text/dataset_folder.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "fmt/json.h"
#include "io/folder.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char state_name[] = "state.json", splits_name[] = "dataset_dict.json";

/* A DatasetDict: its members are named in a hint. */
static int refuse_splits(const struct pt_folder *folder, const char *path, struct pt_error *err)
{
    json_t *object = NULL, *split;
    struct pt_buffer names = {0};
    size_t i;
    if (!pt_json_load_object(&object, folder, splits_name, splits_name, err)) {
        json_array_foreach(json_object_get(object, "splits"), i, split) {
            if (json_is_string(split) && pt_buffer_append_format(&names, err, "%s%s/%s", i ? ", " : "", path,
                                                                 json_string_value(split)))
                break;
        }
        pt_fail(err, PT_MISMATCH, "it holds several datasets");
        pt_error_hint(err, "name one of them: %s", names.data ? names.data : "there is none");
    }
    json_decref(object);
    pt_buffer_free(&names);
    return (int)err->status;
}

/* Early versions wrote the rows that are meant into files of their own. */
static int check_no_indices(const json_t *state, struct pt_error *err)
{
    static const char *const keys[] = {"_indices_files", "_indices_data_files"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (json_array_size(json_object_get(state, keys[i])) == 0)
            continue;
        pt_fail(err, PT_MISMATCH, "%s: a selection of rows (%s) is not supported", state_name, keys[i]);
        return pt_error_hint(err, "load it with a current version of datasets and save it again");
    }
    return PT_OK;
}

static int add_path(struct pt_dataset_folder *dataset, const char *path, const json_t *file,
                    struct pt_error *err)
{
    const char *name = json_string_value(json_object_get(file, "filename"));
    struct stat status;
    if (!name || !*name || strchr(name, '/'))
        return pt_fail(err, PT_BAD_INPUT, "%s: data file %zu: not the name of a file in the folder",
                       state_name, dataset->n_paths);
    char *whole = pt_new_format(err, "%s/%s", path, name);
    if (!whole)
        return (int)err->status;
    dataset->paths[dataset->n_paths++] = whole;
    if (stat(whole, &status) || !S_ISREG(status.st_mode))
        return pt_fail(err, PT_BAD_INPUT, "%s names %.200s, which is not there", state_name, name);
    return PT_OK;
}

static int list_files(struct pt_dataset_folder *dataset, const char *path, const json_t *state,
                      struct pt_error *err)
{
    const json_t *files = json_object_get(state, "_data_files"), *file;
    size_t i;
    if (!json_is_array(files))
        return pt_fail(err, PT_BAD_INPUT, "%s: \"_data_files\" is not an array", state_name);
    dataset->paths = pt_new_array(json_array_size(files), sizeof *dataset->paths, err);
    if (!dataset->paths)
        return (int)err->status;
    json_array_foreach(files, i, file) {
        if (add_path(dataset, path, file, err))
            return (int)err->status;
    }
    return PT_OK;
}

/* set_format(columns=...) hides the other ones, unless output_all_columns shows them again. */
static int list_columns(struct pt_dataset_folder *dataset, const json_t *state, struct pt_error *err)
{
    const json_t *columns = json_object_get(state, "_format_columns"), *column;
    size_t i;
    if (!columns || json_is_null(columns) || json_is_true(json_object_get(state, "_output_all_columns")))
        return PT_OK;
    if (!json_is_array(columns))
        return pt_fail(err, PT_BAD_INPUT, "%s: \"_format_columns\" is not an array", state_name);
    dataset->columns = json_object();
    json_array_foreach(columns, i, column) {
        if (!json_is_string(column))
            return pt_fail(err, PT_BAD_INPUT, "%s: \"_format_columns\": column %zu has no name", state_name,
                           i);
        if (json_object_set_new(dataset->columns, json_string_value(column), json_null()))
            return pt_fail(err, PT_FAILED, "out of memory");
    }
    return PT_OK;
}

static int read_state(struct pt_dataset_folder *dataset, const struct pt_folder *folder, const char *path,
                      struct pt_error *err)
{
    json_t *state = NULL;
    if (!pt_folder_has(folder, state_name)) {
        if (pt_folder_has(folder, splits_name))
            return refuse_splits(folder, path, err);
        pt_fail(err, PT_BAD_INPUT, "is a folder without %s, which a saved dataset has", state_name);
        return pt_error_hint(err, "name a file, or a folder that save_to_disk of datasets wrote");
    }
    if (!pt_json_load_object(&state, folder, state_name, state_name, err) && !check_no_indices(state, err) &&
        !list_files(dataset, path, state, err))
        (void)!list_columns(dataset, state, err);
    json_decref(state);
    return (int)err->status;
}

int pt_dataset_folder_open(struct pt_dataset_folder *dataset, const char *path, struct pt_error *err)
{
    struct pt_folder *folder;
    *dataset = (struct pt_dataset_folder){0};
    if (pt_folder_open(&folder, path, err))
        return (int)err->status;
    if (read_state(dataset, folder, path, err))
        pt_error_in(err, "%s", path);
    pt_folder_close(folder);
    if (err->status)
        pt_dataset_folder_free(dataset);
    return (int)err->status;
}

void pt_dataset_folder_free(struct pt_dataset_folder *dataset)
{
    for (size_t i = 0; i < dataset->n_paths; i++)
        free(dataset->paths[i]);
    free(dataset->paths);
    json_decref(dataset->columns);
    *dataset = (struct pt_dataset_folder){0};
}
