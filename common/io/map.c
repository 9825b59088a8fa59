/*
 * mmap(2) with the checks around it.
 */
#include "io/map.h"

#include "io/descriptor.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map_descriptor(struct pt_map *map, int descriptor, const char *path, struct pt_error *err)
{
    struct stat status;
    if (fstat(descriptor, &status))
        return pt_fail_errno(err, "%s", path);
    if (S_ISDIR(status.st_mode))
        return pt_fail(err, PT_BAD_INPUT, "%s: is a folder, where a file is expected", path);
    if (!S_ISREG(status.st_mode))
        return pt_fail(err, PT_BAD_INPUT, "%s: is not a regular file, as is needed here", path);
    if (status.st_size == 0)
        return PT_OK;
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (data == MAP_FAILED)
        return pt_fail_errno(err, "%s: mapping it", path);
    *map = (struct pt_map){.data = data, .size = (size_t)status.st_size};
    return PT_OK;
}

int pt_map_open(struct pt_map *map, const char *path, struct pt_error *err)
{
    *map = (struct pt_map){0};
    /* O_NONBLOCK: opening a FIFO must not wait for its writer before it is refused. */
    int descriptor = pt_descriptor_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (descriptor < 0)
        return pt_fail_errno(err, "%s", path);
    int status = map_descriptor(map, descriptor, path, err);
    close(descriptor);
    return status;
}

void pt_map_close(struct pt_map *map)
{
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (struct pt_map){0};
}
