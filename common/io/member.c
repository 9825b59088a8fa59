/*
 * What is remembered from one file to the next is the archive that was used last: which file on disk it was
 * (so that one that changed is read anew), whether it is known to be sound, and, if it was left in the
 * middle, where.
 */
#include "io/member.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct member {
    struct pt_archive *archive; /* owned */
    char *path;                 /* owned: the archive's */
    char *name; /* owned: the file's, which must be the only one so called; NULL: the only file at all */
    bool ended, failed;
};

struct remembered {
    struct stat status; /* of the file; meaningless where not `known` */
    bool known, sound;
    struct pt_archive *waiting; /* owned; NULL: none */
};

static _Thread_local struct remembered last;

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* What is remembered of the file at this path; forgets any other file's. NULL where it is not a regular file.
 */
static struct remembered *recall(const char *path)
{
    struct stat status;
    if (stat(path, &status) || !S_ISREG(status.st_mode))
        return NULL;
    if (!last.known || !is_same_file(&status, &last.status)) {
        pt_archive_close(last.waiting);
        last = (struct remembered){.status = status, .known = true};
    }
    return &last;
}

void pt_member_note_sound(const char *path)
{
    struct remembered *remembered = recall(path);
    if (remembered)
        remembered->sound = true;
}

static bool is_sound(const char *path)
{
    struct remembered *remembered = recall(path);
    return remembered && remembered->sound;
}

static int refuse_second(const struct member *member, const char *second, struct pt_error *err)
{
    if (member->name)
        return pt_fail(err, PT_BAD_INPUT, "%s: holds two files called '%s'", member->path, second);
    pt_fail(err, PT_BAD_INPUT, "%s: holds more than one file, where one is expected", member->path);
    return pt_error_hint(err, "name the one that is meant, as in '%s:%s'", member->path, second);
}

/* Passes over all that is left in the archive. */
static int drain(struct member *member, struct pt_error *err)
{
    for (;;) {
        const char *other;
        if (pt_archive_next(member->archive, &other, err))
            return (int)err->status;
        if (!other)
            break;
        if (!member->name || !strcmp(other, member->name))
            return refuse_second(member, other, err);
    }
    pt_member_note_sound(member->path);
    return PT_OK;
}

static int read_member(void *context, void *bytes, size_t n, size_t *got, struct pt_error *err)
{
    struct member *member = context;
    *got = 0;
    if (member->ended)
        return PT_OK;
    int status = pt_archive_read(member->archive, bytes, n, got, err);
    member->ended = !status && !*got;
    if (member->ended && (!member->name || !is_sound(member->path)))
        status = drain(member, err);
    member->failed = status != PT_OK;
    return status;
}

static void close_member(void *context)
{
    struct member *member = context;
    struct remembered *remembered = member->failed || !member->name ? NULL : recall(member->path);
    if (remembered && !remembered->waiting)
        remembered->waiting = member->archive;
    else
        pt_archive_close(member->archive);
    free(member->path);
    free(member->name);
    free(member);
}

/* Goes on to the file; *found = false where the archive ends before it. */
static int find(struct pt_archive *archive, const char *wanted, bool *found, struct pt_error *err)
{
    const char *name;
    do {
        if (pt_archive_next(archive, &name, err))
            return (int)err->status;
    } while (name && strcmp(name, wanted));
    *found = name != NULL;
    return PT_OK;
}

/* The archive with the file next in it: the one that waits, if the file is still ahead in it, else opened
 * anew. */
static int open_at_member(struct pt_archive **archive, const char *path, const char *wanted,
                          struct pt_error *err)
{
    struct remembered *remembered = recall(path);
    bool found = false;
    *archive = remembered ? remembered->waiting : NULL;
    if (*archive) {
        remembered->waiting = NULL;
        if (find(*archive, wanted, &found, err) || found)
            return (int)err->status;
        pt_archive_close(*archive);
    }
    if (pt_archive_open_path(archive, path, err))
        return (int)err->status;
    if (!*archive)
        return pt_fail(err, PT_BAD_INPUT, "%s: is no archive that could hold '%s'", path, wanted);
    if (!find(*archive, wanted, &found, err) && !found)
        pt_fail(err, PT_BAD_INPUT, "%s: holds no file '%s'", path, wanted);
    return (int)err->status;
}

static int make_reader(struct pt_reader *reader, struct pt_archive *archive, const char *path,
                       const char *name, struct pt_error *err)
{
    struct member *member = pt_new_array(1, sizeof *member, err);
    char *path_copy = pt_new_string(path, err), *name_copy = name ? pt_new_string(name, err) : NULL;
    if (err->status) {
        pt_archive_close(archive);
        free(path_copy);
        free(name_copy);
        free(member);
        return (int)err->status;
    }
    *member = (struct member){.archive = archive, .path = path_copy, .name = name_copy};
    *reader = (struct pt_reader){.read = read_member, .close = close_member, .context = member};
    return PT_OK;
}

int pt_member_open(struct pt_reader *reader, const char *path, const char *wanted, struct pt_error *err)
{
    struct pt_archive *archive;
    if (open_at_member(&archive, path, wanted, err)) {
        pt_archive_close(archive);
        return (int)err->status;
    }
    return make_reader(reader, archive, path, wanted, err);
}

int pt_member_open_only(struct pt_reader *reader, struct pt_archive *archive, const char *path,
                        struct pt_error *err)
{
    const char *name;
    if (!pt_archive_next(archive, &name, err) && !name)
        pt_fail(err, PT_BAD_INPUT, "%s: is an archive without any file", path);
    if (err->status) {
        pt_archive_close(archive);
        return (int)err->status;
    }
    return make_reader(reader, archive, path, NULL, err);
}
