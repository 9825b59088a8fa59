/*
 * A closed descriptor is replaced by /dev/null opened the wrong way round (standard input for writing, the
 * others for reading), so that using it fails as using a closed one does, while leaving it alone stays
 * harmless.
 */
#include "cli/standard_files.h"

#include "cli/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_closed(int descriptor)
{
    return fcntl(descriptor, F_GETFD) < 0 && errno == EBADF;
}

int pt_standard_files_occupy(struct pt_error *err)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++) {
        if (!is_closed(descriptor))
            continue;
        /* Lower numbers are taken by now, so that open gives this one. */
        if (open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) != descriptor)
            return pt_fail_errno(err, "/dev/null");
    }
    return PT_OK;
}

int pt_standard_output_close(struct pt_error *err)
{
    bool failed_before = ferror(stdout);
    if (fflush(stdout))
        return pt_fail_errno(err, "standard output: write error");
    if (failed_before)
        return pt_fail(err, PT_FAILED, "standard output: write error");
    /* Delayed errors (network file systems, quotas) show at close; sinks closed duplicates only. */
    if (close(STDOUT_FILENO))
        return pt_fail_errno(err, "standard output: write error");
    return PT_OK;
}

int pt_open_binary_output(struct pt_sink **sink, const struct pt_common *common, struct pt_error *err)
{
    if (pt_sink_open(sink, common->output, err))
        return (int)err->status;
    if (!pt_sink_is_terminal(*sink))
        return PT_OK;
    pt_sink_discard(*sink);
    *sink = NULL;
    pt_fail(err, PT_USAGE, "%s: binary data is not written to a terminal",
            strcmp(common->output, "-") ? common->output : "standard output");
    return pt_error_hint(err,
                         "pipe it into the next tool, redirect it with > FILE, or name a file with -o FILE");
}

int pt_check_binary_input(const char *path, struct pt_error *err)
{
    if (strcmp(path, "-") || !isatty(STDIN_FILENO))
        return PT_OK;
    pt_fail(err, PT_USAGE, "standard input: binary data is not read from a terminal");
    return pt_error_hint(err,
                         "pipe the output of another tool in, redirect a file with < FILE, or name a file");
}
