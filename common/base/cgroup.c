/*
 * /proc/self/cgroup names the group in each hierarchy: "0::PATH" in that of version 2, "N:memory:PATH" in
 * version 1's of memory. In a container a path may be one of the machine outside, which is not there: what
 * is not there limits nothing, and the container's own limits lie at the root of what it sees.
 */
#include "base/cgroup.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_PATH = 4096 };

/* The number in a file of one number, or `absent` ("max" is no number). */
static uint64_t number_in(const char *folder, const char *name, uint64_t absent)
{
    char path[LONGEST_PATH + 64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return absent;
    uint64_t value;
    if (fscanf(file, "%" SCNu64, &value) != 1)
        value = absent;
    fclose(file);
    return value;
}

/* Pages of files, which count as used and are given up when memory is needed. `prefix` is that of the lines
 * which count the groups below, too. */
static uint64_t cached_in(const char *folder, const char *prefix)
{
    char path[LONGEST_PATH + 64], line[128];
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    FILE *file = fopen(path, "re");
    const size_t n = strlen(prefix);
    uint64_t cached = 0, bytes;
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, prefix, n) && (sscanf(line + n, "inactive_file %" SCNu64, &bytes) == 1 ||
                                          sscanf(line + n, "active_file %" SCNu64, &bytes) == 1))
            cached += bytes;
    if (file)
        fclose(file);
    return cached;
}

static uint64_t left_of(uint64_t limit, uint64_t used, uint64_t cached)
{
    used = used > cached ? used - cached : 0;
    return limit > used ? limit - used : 0;
}

static uint64_t memory_left(const char *folder)
{
    uint64_t limit = number_in(folder, "memory.max", UINT64_MAX);
    return limit == UINT64_MAX
               ? limit
               : left_of(limit, number_in(folder, "memory.current", 0), cached_in(folder, ""));
}

static uint64_t memory_left_v1(const char *folder)
{
    uint64_t limit = number_in(folder, "memory.limit_in_bytes", UINT64_MAX);
    return limit == UINT64_MAX
               ? limit
               : left_of(limit, number_in(folder, "memory.usage_in_bytes", 0), cached_in(folder, "total_"));
}

static uint64_t cores(const char *folder)
{
    char path[LONGEST_PATH + 64];
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *file = fopen(path, "re");
    if (!file)
        return UINT64_MAX;
    long quota = 0, period = 0;
    int n = fscanf(file, "%ld %ld", &quota, &period); /* "max 100000" where there is none */
    fclose(file);
    return n == 2 && quota > 0 && period > 0 ? (uint64_t)((quota - 1) / period + 1) : UINT64_MAX;
}

/* Where a line of /proc/self/cgroup names the group in the hierarchy of `controller` ("": version 2's). NULL:
 * it names another one. */
static const char *path_in(char *line, const char *controller)
{
    char *names = strchr(line, ':');
    char *path = names ? strchr(names + 1, ':') : NULL;
    if (!path)
        return NULL;
    *path++ = 0;
    path[strcspn(path, "\n")] = 0;
    if (!*controller)
        return names[1] ? NULL : path;
    for (char *rest = names + 1, *name; (name = strsep(&rest, ","));)
        if (!strcmp(name, controller))
            return path;
    return NULL;
}

/* Into group [LONGEST_PATH]: "" where nothing says which it is, and where it lies outside of what is seen. */
static void find_group(const char *root, const char *controller, char *group)
{
    char name[LONGEST_PATH], line[LONGEST_PATH];
    *group = 0;
    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    FILE *file = fopen(name, "re");
    while (file && !*group && fgets(line, sizeof line, file)) {
        const char *path = path_in(line, controller);
        if (path && !strstr(path, "/.."))
            snprintf(group, LONGEST_PATH, "%s", path);
    }
    if (file)
        fclose(file);
}

/* The least that the group and those above it allow. */
static uint64_t least(const char *root, const char *mount, const char *controller,
                      uint64_t (*allowed)(const char *folder))
{
    char group[LONGEST_PATH], folder[2 * LONGEST_PATH];
    uint64_t result = UINT64_MAX;
    find_group(root, controller, group);
    for (char *end = group + strlen(group); end; end = strrchr(group, '/')) {
        *end = 0;
        int n = snprintf(folder, sizeof folder, "%s%s%s", root, mount, group);
        uint64_t one = n < LONGEST_PATH ? allowed(folder) : UINT64_MAX;
        result = one < result ? one : result;
    }
    return result;
}

uint64_t pt_cgroup_memory_left(const char *root)
{
    uint64_t two = least(root, "/sys/fs/cgroup", "", memory_left),
             one = least(root, "/sys/fs/cgroup/memory", "memory", memory_left_v1);
    return one < two ? one : two;
}

int pt_cgroup_cores(const char *root)
{
    uint64_t n = least(root, "/sys/fs/cgroup", "", cores);
    return n < INT_MAX ? (int)n : INT_MAX;
}
