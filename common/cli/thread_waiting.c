/*
 * GNU's OpenMP lets threads spin for milliseconds at the end of every loop. Where another program wants the
 * cores as well (the next tool of a pipeline, a neighbour in a container), they spin through the time in
 * which the others could finish their part: runs of small models took ten times as long. It reads its
 * settings from the environment before main begins, so the only way to change them from within is to set the
 * variable and to start once more.
 */
#include "cli/thread_waiting.h"

#include <stdlib.h>
#include <unistd.h>

/* Some tens of microseconds: as long as the gap between two loops that follow each other. */
static const char SPIN_COUNT[] = "2000";

void pt_thread_waiting_start(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT"))
        return;
    if (!setenv("GOMP_SPINCOUNT", SPIN_COUNT, 1))
        execv("/proc/self/exe", argv);
}
