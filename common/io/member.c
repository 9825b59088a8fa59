/*
 * A tar archive has no table of contents, so whether a file is the only one is known at the archive's end. It
 * is looked at when the file's own bytes are used up, before its end is reported.
 */
#include "io/member.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct member {
    struct pt_archive *archive; /* owned */
    char *archive_name;         /* owned */
    bool only;                  /* there may be no other file */
    bool ended;
};

static int refuse_second(const struct member *member, const char *second, struct pt_error *err)
{
    pt_fail(err, PT_BAD_INPUT, "%s: holds more than one file, where one is expected", member->archive_name);
    return pt_error_hint(err, "name the one that is meant, as in '%s:%s'", member->archive_name, second);
}

/* Passes over all that is left in the archive. */
static int drain(struct member *member, struct pt_error *err)
{
    for (;;) {
        const char *other;
        if (pt_archive_next(member->archive, &other, err))
            return (int)err->status;
        if (!other)
            return PT_OK;
        if (member->only)
            return refuse_second(member, other, err);
    }
}

static int read_member(void *context, void *bytes, size_t n, size_t *got, struct pt_error *err)
{
    struct member *member = context;
    *got = 0;
    if (member->ended)
        return PT_OK;
    if (pt_archive_read(member->archive, bytes, n, got, err))
        return (int)err->status;
    if (*got)
        return PT_OK;
    member->ended = true;
    return drain(member, err);
}

static void close_member(void *context)
{
    struct member *member = context;
    pt_archive_close(member->archive);
    free(member->archive_name);
    free(member);
}

static int find(struct member *member, const char *wanted, struct pt_error *err)
{
    const char *name;
    do {
        if (pt_archive_next(member->archive, &name, err))
            return (int)err->status;
    } while (name && wanted && strcmp(name, wanted));
    if (name)
        return PT_OK;
    if (wanted)
        return pt_fail(err, PT_BAD_INPUT, "%s: holds no file '%s'", member->archive_name, wanted);
    return pt_fail(err, PT_BAD_INPUT, "%s: is an archive without any file", member->archive_name);
}

int pt_member_open(struct pt_reader *reader, struct pt_archive *archive, const char *name, const char *wanted,
                   struct pt_error *err)
{
    struct member *member = pt_new_array(1, sizeof *member, err);
    if (!member) {
        pt_archive_close(archive);
        return (int)err->status;
    }
    *member = (struct member){.archive = archive, .archive_name = pt_new_string(name, err), .only = !wanted};
    if (!member->archive_name || find(member, wanted, err)) {
        close_member(member);
        return (int)err->status;
    }
    *reader = (struct pt_reader){.read = read_member, .close = close_member, .context = member};
    return PT_OK;
}
