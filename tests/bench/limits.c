/*
 * The limits of this machine, measured for some seconds: what `tests/bench/run` compares with. Prints TSV:
 * "memory" and bytes a second that all threads read, then for each --math given the operations a second of
 * its best product. A path that this machine lacks is left out, and a line on standard error says so.
 *
 *     limits SECONDS MATH...
 */
#include "math/limits.h"

#include "base/number.h"
#include "base/threads.h"
#include "cli/thread_waiting.h"

#include <stdio.h>
#include <string.h>

static int print_limits(const char *setting, double seconds, double *bandwidth)
{
    struct pt_error err = {0};
    struct pt_math *math = NULL;
    struct pt_limits limits;
    const enum pt_dtype weights = strncmp(setting, "bf16", 4) ? PT_F32 : PT_BF16;
    if (!pt_math_open(&math, setting, weights, &err) &&
        !pt_limits_measure(&limits, math, weights, seconds, &err)) {
        printf("%s\t%.4g\n", setting, limits.product);
        *bandwidth = limits.bandwidth > *bandwidth ? limits.bandwidth : *bandwidth;
    }
    pt_math_close(math);
    if (err.status)
        fprintf(stderr, "limits: %s\n", err.message);
    return err.status == PT_MISMATCH ? PT_OK : (int)err.status;
}

int main(int argc, char **argv)
{
    double seconds, bandwidth = 0;
    pt_thread_waiting_start(argv);
    if (argc < 3 || !pt_parse_double(argv[1], 0, 600, &seconds)) {
        fprintf(stderr, "usage: limits SECONDS MATH...\n");
        return PT_USAGE;
    }
    pt_threads_set(0);
    for (int i = 2; i < argc; i++)
        if (print_limits(argv[i], seconds / (argc - 2), &bandwidth))
            return PT_FAILED;
    printf("memory\t%.4g\n", bandwidth);
    return PT_OK;
}
