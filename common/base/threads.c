/*
 * How many cores there are for us: a container's quota can be far below what its machine has, and threads
 * beyond it only wait for each other.
 */
#include "base/threads.h"

#include <limits.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static int cores_in_affinity_mask(void)
{
    cpu_set_t mask;
    if (!sched_getaffinity(0, sizeof mask, &mask))
        return CPU_COUNT(&mask);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online < INT_MAX ? (int)online : 1;
}

/* Cores that the cgroup's quota pays for, rounded up; INT_MAX where there is no quota. */
static int cores_in_quota(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!file)
        return INT_MAX;
    long quota = 0, period = 0;
    int n = fscanf(file, "%ld %ld", &quota, &period); /* "max 100000" where there is none */
    fclose(file);
    if (n != 2 || quota <= 0 || period <= 0 || quota / period >= INT_MAX)
        return INT_MAX;
    return (int)((quota - 1) / period + 1);
}

int pt_threads_available(void)
{
    int mask = cores_in_affinity_mask(), quota = cores_in_quota();
    int least = mask < quota ? mask : quota;
    return least > 0 ? least : 1;
}

void pt_threads_set(int n)
{
    omp_set_num_threads(n > 0 ? n : pt_threads_available());
}

int pt_threads(void)
{
    return omp_get_max_threads();
}
