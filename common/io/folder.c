/*
 * Reading: the names are listed once; each file is read when asked for, from an archive by going through it
 * again, which suits archives of a few small files. Writing: everything goes into a temporary folder beside
 * the target, which then takes the target's place.
 */
#include "io/folder.h"

#include "base/memory.h"
#include "io/archive.h"
#include "io/descriptor.h"
#include "io/map.h"
#include "io/member.h"
#include "io/sink.h"
#include "io/tar.h"
#include "io/temporary.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pt_folder {
    char *path; /* owned */
    bool is_archive;
    char **names; /* [n], owned: an archive's regular files */
    size_t n;
    size_t
        prefix_bytes; /* of the one top-level folder in every name, with its slash; 0 where there is none */
};

/* --- reading --- */

/* The length of the top-level folder's name that all files share. */
static size_t shared_prefix(char *const *names, size_t n)
{
    const char *slash = n ? strchr(names[0], '/') : NULL;
    if (!slash)
        return 0;
    size_t length = (size_t)(slash - names[0]) + 1;
    for (size_t i = 1; i < n; i++)
        if (strncmp(names[i], names[0], length))
            return 0;
    return length;
}

static int open_at(struct pt_folder *folder, struct pt_error *err)
{
    struct stat status;
    if (stat(folder->path, &status))
        return pt_fail_errno(err, "%s", folder->path);
    if (S_ISDIR(status.st_mode))
        return PT_OK;
    struct pt_archive *archive = NULL;
    if (S_ISREG(status.st_mode) && pt_archive_open_path(&archive, folder->path, err))
        return (int)err->status;
    if (!archive)
        return pt_fail(err, PT_BAD_INPUT, "%s: is neither a folder nor an archive of one", folder->path);
    folder->is_archive = true;
    if (!pt_archive_list(archive, &folder->names, &folder->n, err))
        pt_member_note_sound(folder->path);
    folder->prefix_bytes = shared_prefix(folder->names, folder->n);
    pt_archive_close(archive);
    return (int)err->status;
}

int pt_folder_open(struct pt_folder **folder, const char *path, struct pt_error *err)
{
    *folder = NULL;
    struct pt_folder *opened = pt_new_array(1, sizeof *opened, err);
    if (!opened)
        return (int)err->status;
    opened->path = pt_new_string(path, err);
    if (!opened->path || open_at(opened, err)) {
        pt_folder_close(opened);
        return (int)err->status;
    }
    *folder = opened;
    return PT_OK;
}

void pt_folder_close(struct pt_folder *folder)
{
    if (!folder)
        return;
    pt_archive_names_free(folder->names, folder->n);
    free(folder->path);
    free(folder);
}

/* The archive's own name for the file, NULL where it has none. */
static const char *member_named(const struct pt_folder *folder, const char *name)
{
    for (size_t i = 0; i < folder->n; i++)
        if (!strcmp(folder->names[i] + folder->prefix_bytes, name))
            return folder->names[i];
    return NULL;
}

bool pt_folder_has(const struct pt_folder *folder, const char *name)
{
    if (folder->is_archive)
        return member_named(folder, name) != NULL;
    struct pt_error ignored = {0};
    char *path = pt_new_format(&ignored, "%s/%s", folder->path, name);
    struct stat status;
    bool has = path && !stat(path, &status) && S_ISREG(status.st_mode);
    free(path);
    return has;
}

static int read_from_disk(const char *path, uint64_t limit, struct pt_buffer *out, struct pt_error *err)
{
    struct pt_map map;
    if (pt_map_open(&map, path, err))
        return (int)err->status;
    if (map.size > limit)
        pt_fail(err, PT_BAD_INPUT, "%s: has more than the %llu bytes that are allowed here", path,
                (unsigned long long)limit);
    else
        (void)!pt_buffer_append(out, map.data, map.size, err);
    pt_map_close(&map);
    return (int)err->status;
}

static int read_from_archive(const struct pt_folder *folder, const char *member, const char *path,
                             uint64_t limit, struct pt_buffer *out, struct pt_error *err)
{
    struct pt_reader reader;
    struct pt_source *source;
    if (pt_member_open(&reader, folder->path, member, err) ||
        pt_source_open_reader(&source, path, reader, err))
        return (int)err->status;
    int result = pt_source_read_all(source, limit, out, err);
    pt_source_close(source);
    return result;
}

int pt_folder_read(const struct pt_folder *folder, const char *name, uint64_t limit, struct pt_buffer *out,
                   struct pt_error *err)
{
    if (!pt_folder_has(folder, name))
        return pt_fail(err, PT_BAD_INPUT, "%s: holds no file '%s'", folder->path, name);
    const char *member = member_named(folder, name);
    char *path = pt_new_format(err, "%s%c%s", folder->path, member ? ':' : '/', member ? member : name);
    if (path && member)
        (void)!read_from_archive(folder, member, path, limit, out, err);
    else if (path)
        (void)!read_from_disk(path, limit, out, err);
    free(path);
    return (int)err->status;
}

/* --- writing --- */

static bool is_among(const char *name, const struct pt_folder_file *files, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(files[i].name, name))
            return true;
    return false;
}

/* Refuses a target that is no folder, or holds something that would be lost. */
static int check_target(const char *path, const struct pt_folder_file *files, size_t n, struct pt_error *err)
{
    DIR *stream = opendir(path);
    if (!stream)
        return errno == ENOENT ? PT_OK : pt_fail_errno(err, "%s", path);
    errno = 0;
    for (struct dirent *entry = readdir(stream); entry && !err->status; entry = readdir(stream))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && !is_among(entry->d_name, files, n)) {
            pt_fail(err, PT_FAILED, "%s: holds '%s', which is none of the files to be written", path,
                    entry->d_name);
            pt_error_hint(err, "choose another folder, or empty this one");
        }
    if (!err->status && errno)
        pt_fail_errno(err, "%s", path);
    closedir(stream);
    return (int)err->status;
}

static int write_one(struct pt_temporary *inside, const struct pt_temporary *folder,
                     const struct pt_folder_file *file, struct pt_error *err)
{
    int descriptor;
    if (pt_temporary_inside(inside, folder, file->name, &descriptor, err))
        return (int)err->status;
    if (pt_descriptor_write(descriptor, file->bytes, file->n) || fsync(descriptor))
        pt_fail_errno(err, "%s/%s", folder->target, file->name);
    if (close(descriptor) && errno != EINTR)
        pt_fail_errno(err, "%s/%s", folder->target, file->name);
    return (int)err->status;
}

/* Writes the files into the temporary folder and puts it in the target's place. *done counts the files begun.
 */
static int fill_and_commit(struct pt_temporary *folder, struct pt_temporary *inside, size_t *done,
                           bool *replaced, const struct pt_folder_file *files, size_t n, struct pt_error *err)
{
    for (*done = 0; *done < n; ++*done)
        if (write_one(&inside[*done], folder, &files[*done], err)) {
            ++*done;
            return (int)err->status;
        }
    if (n && pt_sync_folder_of(inside[0].path, err))
        return (int)err->status;
    return pt_temporary_commit_folder(folder, replaced, err);
}

static int write_folder(const char *path, const struct pt_folder_file *files, size_t n, struct pt_error *err)
{
    struct pt_temporary folder, *inside = pt_new_array(n, sizeof *inside, err);
    size_t done = 0;
    bool replaced = false;
    if (!inside || check_target(path, files, n, err) || pt_temporary_folder(&folder, path, err)) {
        free(inside);
        return (int)err->status;
    }
    int status = fill_and_commit(&folder, inside, &done, &replaced, files, n, err);
    /* What now bears the temporary name goes: an unfinished folder, or the one that was replaced. */
    for (size_t i = done; i > 0; i--) {
        if (status || replaced)
            pt_temporary_discard(&inside[i - 1]);
        else
            pt_temporary_release(&inside[i - 1]);
    }
    pt_temporary_discard(&folder);
    free(inside);
    return status;
}

static int write_tar(const char *path, const struct pt_folder_file *files, size_t n, struct pt_error *err)
{
    struct pt_sink *sink;
    if (pt_sink_open(&sink, path, err))
        return (int)err->status;
    for (size_t i = 0; i < n && !err->status; i++)
        (void)!pt_tar_write_file(sink, files[i].name, files[i].bytes, files[i].n, err);
    if (err->status || pt_tar_write_end(sink, err)) {
        pt_sink_discard(sink);
        return (int)err->status;
    }
    return pt_sink_commit(sink, err);
}

int pt_folder_write(const char *path, const struct pt_folder_file *files, size_t n, struct pt_error *err)
{
    size_t length = strlen(path);
    if (length > 4 && !strcmp(path + length - 4, ".tar"))
        return write_tar(path, files, n, err);
    while (length > 1 && path[length - 1] == '/')
        length--;
    char *target = pt_new_string_n(path, length, err);
    if (!target)
        return (int)err->status;
    int status = write_folder(target, files, n, err);
    free(target);
    return status;
}
