/*
 * The list is a fixed array of atomic pointers, so that a signal handler sees either a whole path or none.
 * The handler runs on the thread that it interrupts (cli/signals.c) and does not come back, so that no path
 * is freed while it is being removed. A folder comes into the list before the files inside it and is removed
 * after them.
 */
#include "io/temporary.h"

#include "base/memory.h"
#include "io/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOTS = 256, NO_SLOT = -1, ATTEMPTS = 10000 };

static _Atomic(char *) paths_to_remove[SLOTS];

/* Puts the path at the end of the list. A slot behind the last one in use keeps the order of creation; where
 * another thread took it meanwhile, the next one does so, too. */
static int take_slot(char *path)
{
    int slot = SLOTS;
    while (slot > 0 && !atomic_load(&paths_to_remove[slot - 1]))
        slot--;
    for (; slot < SLOTS; slot++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&paths_to_remove[slot], &none, path))
            return slot;
    }
    return NO_SLOT;
}

void pt_temporaries_remove(void)
{
    for (int slot = SLOTS - 1; slot >= 0; slot--) {
        char *path = atomic_exchange(&paths_to_remove[slot], NULL);
        if (path && unlink(path) && (errno == EISDIR || errno == EPERM))
            rmdir(path);
    }
}

void pt_temporary_release(struct pt_temporary *temporary)
{
    if (temporary->path && temporary->slot != NO_SLOT)
        atomic_store(&paths_to_remove[temporary->slot], NULL);
    free(temporary->path);
    free(temporary->target);
    *temporary = (struct pt_temporary){.slot = NO_SLOT};
}

/* Where the last component of the path begins. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static char *resolve_target(const char *target, struct pt_error *err)
{
    struct stat status;
    const bool found = lstat(target, &status) == 0;
    /* A name that cannot be there, such as one that is too long, cannot be renamed to either. */
    if (!found && errno != ENOENT) {
        pt_fail_errno(err, "%s", target);
        return NULL;
    }
    if (!found || !S_ISLNK(status.st_mode))
        return pt_new_string(target, err);
    char *resolved = realpath(target, NULL);
    if (!resolved)
        pt_fail_errno(err, "%s", target);
    return resolved;
}

/* Tries names until `create` does not find its name taken. Returns what it returned. */
static int create_beside(struct pt_temporary *temporary, const char *target,
                         int (*create)(const char *, mode_t), mode_t mode, struct pt_error *err)
{
    static atomic_uint counter;
    *temporary = (struct pt_temporary){.slot = NO_SLOT};
    temporary->target = resolve_target(target, err);
    if (!temporary->target)
        return -1;
    int length = (int)folder_length(temporary->target), result = -1;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        free(temporary->path);
        temporary->path = pt_new_format(err, "%.*s.pt-%ld-%u", length, temporary->target, (long)getpid(),
                                        atomic_fetch_add(&counter, 1));
        if (!temporary->path)
            break;
        result = create(temporary->path, mode);
        if (result >= 0 || errno != EEXIST)
            break;
    }
    if (result < 0) {
        pt_fail_errno(err, "%s", target);
        pt_temporary_release(temporary);
        return -1;
    }
    temporary->slot = take_slot(temporary->path);
    if (temporary->slot == NO_SLOT)
        pt_fail(err, PT_FAILED, "%s: too many files are being written", target);
    return result;
}

static int create_file(const char *path, mode_t mode)
{
    return pt_descriptor_open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
}

int pt_temporary_file(struct pt_temporary *temporary, const char *target, int *descriptor,
                      struct pt_error *err)
{
    *descriptor = create_beside(temporary, target, create_file, 0666, err);
    struct stat old;
    bool replaces = *descriptor >= 0 && !stat(temporary->target, &old);
    if (!err->status && replaces && fchmod(*descriptor, old.st_mode & 0777))
        pt_fail_errno(err, "%s", target);
    if (err->status && *descriptor >= 0) {
        close(*descriptor);
        pt_temporary_discard(temporary);
    }
    return (int)err->status;
}

int pt_temporary_folder(struct pt_temporary *temporary, const char *target, struct pt_error *err)
{
    if (create_beside(temporary, target, mkdir, 0777, err) >= 0 && err->status)
        pt_temporary_discard(temporary);
    return (int)err->status;
}

int pt_temporary_inside(struct pt_temporary *temporary, const struct pt_temporary *folder, const char *name,
                        int *descriptor, struct pt_error *err)
{
    *temporary = (struct pt_temporary){.slot = NO_SLOT};
    temporary->path = pt_new_format(err, "%s/%s", folder->path, name);
    if (!temporary->path)
        return (int)err->status;
    *descriptor = create_file(temporary->path, 0666);
    if (*descriptor < 0)
        pt_fail_errno(err, "%s/%s", folder->target, name);
    else
        temporary->slot = take_slot(temporary->path);
    if (*descriptor >= 0 && temporary->slot == NO_SLOT) {
        pt_fail(err, PT_FAILED, "%s/%s: too many files are being written", folder->target, name);
        close(*descriptor);
        unlink(temporary->path);
    }
    if (err->status)
        pt_temporary_release(temporary);
    return (int)err->status;
}

int pt_sync_folder_of(const char *path, struct pt_error *err)
{
    char *folder = pt_new_format(err, "%.*s.", (int)folder_length(path), path);
    if (!folder)
        return (int)err->status;
    int descriptor = pt_descriptor_open(folder, O_RDONLY | O_DIRECTORY, 0);
    /* Some file systems cannot sync a folder (EINVAL), and a folder may be writable but not readable
     * (EACCES). */
    if (descriptor >= 0 && fsync(descriptor) && errno != EINVAL)
        pt_fail_errno(err, "%s", path);
    if (descriptor >= 0)
        close(descriptor);
    free(folder);
    return (int)err->status;
}

int pt_temporary_commit(struct pt_temporary *temporary, struct pt_error *err)
{
    if (rename(temporary->path, temporary->target))
        return pt_fail_errno(err, "%s", temporary->target);
    int status = pt_sync_folder_of(temporary->target, err);
    pt_temporary_release(temporary);
    return status;
}

/* Where the file system cannot exchange two names at once: the old folder is moved aside first, and back if
 * that was in vain. */
static int exchange_in_steps(struct pt_temporary *temporary, struct pt_error *err)
{
    struct pt_temporary aside;
    if (pt_temporary_folder(&aside, temporary->target, err))
        return (int)err->status;
    if (rename(temporary->target, aside.path)) {
        pt_fail_errno(err, "%s", temporary->target);
    } else if (rename(temporary->path, temporary->target)) {
        pt_fail_errno(err, "%s", temporary->target);
        rename(aside.path, temporary->target);
    } else if (rename(aside.path, temporary->path)) {
        pt_fail_errno(err, "%s", temporary->target);
    }
    pt_temporary_discard(&aside);
    return (int)err->status;
}

int pt_temporary_commit_folder(struct pt_temporary *temporary, bool *replaced, struct pt_error *err)
{
    struct stat status;
    *replaced = !stat(temporary->target, &status);
    if (!*replaced)
        return pt_temporary_commit(temporary, err);
    if (renameat2(AT_FDCWD, temporary->path, AT_FDCWD, temporary->target, RENAME_EXCHANGE) &&
        exchange_in_steps(temporary, err)) {
        *replaced = false;
        return (int)err->status;
    }
    return pt_sync_folder_of(temporary->target, err);
}

void pt_temporary_discard(struct pt_temporary *temporary)
{
    if (temporary->path && unlink(temporary->path) && (errno == EISDIR || errno == EPERM))
        rmdir(temporary->path);
    pt_temporary_release(temporary);
}
