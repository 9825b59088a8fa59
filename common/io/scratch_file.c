/*
 * The name is given up as soon as the file is there. O_TMPFILE would need none, but not every file system
 * has it.
 */
#include "io/scratch_file.h"

#include "base/memory.h"
#include "io/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int pt_scratch_file_fail(const struct pt_scratch_file *file, struct pt_error *err)
{
    return pt_fail_errno(err, "temporary file in %s", file->folder);
}

int pt_scratch_file_open(struct pt_scratch_file *file, struct pt_error *err)
{
    const char *folder = getenv("TMPDIR");
    *file = (struct pt_scratch_file){.descriptor = -1};
    file->folder = pt_new_string(folder && *folder ? folder : "/tmp", err);
    char *path = file->folder ? pt_new_format(err, "%s/pt-XXXXXX", file->folder) : NULL;
    if (path) {
        file->descriptor = pt_descriptor_above(mkostemp(path, O_CLOEXEC));
        if (file->descriptor < 0)
            pt_scratch_file_fail(file, err);
        else
            unlink(path);
    }
    free(path);
    if (err->status)
        pt_scratch_file_close(file);
    return (int)err->status;
}

int pt_scratch_file_write(const struct pt_scratch_file *file, const void *bytes, size_t n,
                          struct pt_error *err)
{
    return pt_descriptor_write(file->descriptor, bytes, n) ? pt_scratch_file_fail(file, err) : PT_OK;
}

int pt_scratch_file_read(const struct pt_scratch_file *file, void *bytes, size_t n, uint64_t at,
                         struct pt_error *err)
{
    for (char *to = bytes; n;) {
        ssize_t got = pread(file->descriptor, to, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pt_scratch_file_fail(file, err);
        if (got == 0)
            return pt_fail(err, PT_FAILED, "temporary file in %s: became shorter", file->folder);
        to += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return PT_OK;
}

void pt_scratch_file_close(struct pt_scratch_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    free(file->folder);
    *file = (struct pt_scratch_file){.descriptor = -1};
}
