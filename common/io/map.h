/*
 * Read-only mappings of whole files. A file that is not regular (a pipe) is refused: read it as a source.
 */
#ifndef PT_IO_MAP_H
#define PT_IO_MAP_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct pt_map {
    const uint8_t *data; /* owned mapping, NULL for an empty file */
    size_t size;
};

int pt_map_open(struct pt_map *map, const char *path, struct pt_error *err) PT_MUST_USE;
void pt_map_close(struct pt_map *map);

#endif
