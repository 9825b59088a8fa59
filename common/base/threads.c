/*
 * How many cores there are for us: a container's quota can be far below what its machine has, and threads
 * beyond it only wait for each other.
 */
#include "base/threads.h"

#include "base/cgroup.h"

#include <limits.h>
#include <omp.h>
#include <sched.h>
#include <unistd.h>

static int cores_in_affinity_mask(void)
{
    cpu_set_t mask;
    if (!sched_getaffinity(0, sizeof mask, &mask))
        return CPU_COUNT(&mask);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 && online < INT_MAX ? (int)online : 1;
}

int pt_threads_available(void)
{
    int mask = cores_in_affinity_mask(), quota = pt_cgroup_cores("");
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
