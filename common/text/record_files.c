/*
 * Arguments become paths one argument at a time, since an archive may have any number of members.
 */
#include "text/record_files.h"

#include "base/memory.h"
#include "io/source.h"

#include <stdlib.h>
#include <string.h>

struct pt_record_files {
    char *const *arguments; /* [n_arguments], borrowed */
    size_t n_arguments, next_argument;
    char **paths; /* [n_paths], owned: the current argument's */
    size_t n_paths, next_path;
    enum pt_record_form form;
    struct pt_records *records; /* owned: the current file's, NULL between files */
    bool has_record;            /* there was one, be it a bad one */
};

int pt_record_files_open(struct pt_record_files **files, char *const *paths, size_t n,
                         enum pt_record_form form, struct pt_error *err)
{
    static char standard_input[] = "-";
    static char *const only_standard_input[] = {standard_input};
    *files = pt_new_array(1, sizeof **files, err);
    if (!*files)
        return (int)err->status;
    (*files)->arguments = n ? paths : only_standard_input;
    (*files)->n_arguments = n ? n : 1;
    (*files)->form = form;
    return PT_OK;
}

static void free_paths(struct pt_record_files *files)
{
    for (size_t i = 0; i < files->n_paths; i++)
        free(files->paths[i]);
    free(files->paths);
    files->paths = NULL;
    files->n_paths = files->next_path = 0;
}

void pt_record_files_close(struct pt_record_files *files)
{
    if (!files)
        return;
    pt_records_close(files->records);
    free_paths(files);
    free(files);
}

/* The paths of an argument's records: a folder is one dataset, an archive all its members. */
static int expand(struct pt_record_files *files, const char *argument, struct pt_error *err)
{
    if (!pt_records_in_folder(argument))
        return pt_source_expand(argument, &files->paths, &files->n_paths, err);
    files->paths = pt_new_array(1, sizeof *files->paths, err);
    char *copy = files->paths ? pt_new_string(argument, err) : NULL;
    if (copy)
        files->paths[files->n_paths++] = copy;
    return (int)err->status;
}

/* Opens the next file; leaves records NULL where there is none. */
static int open_next(struct pt_record_files *files, struct pt_error *err)
{
    while (files->next_path == files->n_paths) {
        free_paths(files);
        if (files->next_argument == files->n_arguments)
            return PT_OK;
        if (expand(files, files->arguments[files->next_argument++], err))
            return (int)err->status;
    }
    return pt_records_open(&files->records, files->paths[files->next_path++], files->form, err);
}

static int refuse_nothing(const struct pt_record_files *files, struct pt_error *err)
{
    const char *first = files->arguments[0];
    if (files->n_arguments > 1)
        return pt_fail(err, PT_BAD_INPUT, "none of the %zu inputs holds a record", files->n_arguments);
    return pt_fail(err, PT_BAD_INPUT, "%s: it holds no record",
                   strcmp(first, "-") ? first : "standard input");
}

int pt_record_files_next(struct pt_record_files *files, struct pt_record *record, bool *end, bool *skippable,
                         struct pt_error *err)
{
    *skippable = false;
    for (;;) {
        *end = false;
        if (!files->records && open_next(files, err))
            return (int)err->status;
        *end = !files->records;
        if (*end)
            return files->has_record ? PT_OK : refuse_nothing(files, err);
        int status = pt_records_next(files->records, record, end, skippable, err);
        files->has_record = files->has_record || status || !*end;
        if (status || !*end)
            return status;
        pt_records_close(files->records);
        files->records = NULL;
    }
}
