/*
 * A set of named tensors, wherever its bytes lie: in mapped files, or in memory. What safetensors.h and
 * pytorch_file.h read, and what checkpoints, prompts and states are made of.
 */
#ifndef PT_FMT_TENSORS_H
#define PT_FMT_TENSORS_H

#include "base/error.h"
#include "fmt/dtype.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PT_MAX_RANK = 8 };

struct pt_tensor {
    char *name; /* owned by the set */
    enum pt_dtype dtype;
    unsigned rank; /* 0: a scalar */
    uint64_t shape[PT_MAX_RANK];
    uint64_t n_elements;
    uint64_t n_bytes;
    const void *data; /* row-major, contiguous; owned by the set; may be unaligned */
};

struct pt_tensors {
    struct pt_tensor *tensors; /* owned, in the file's order */
    size_t n, capacity;
    json_t *metadata;                   /* owned object of strings, or NULL: safetensors' __metadata__ */
    struct pt_tensors_storage *storage; /* owned: mappings and heap blocks behind the tensors */
    char *name;                         /* owned: the path, for messages */
};

/* The tensor, or NULL. */
const struct pt_tensor *pt_tensors_find(const struct pt_tensors *set, const char *name);
/* The value of a metadata key, or NULL. */
const char *pt_tensors_metadata(const struct pt_tensors *set, const char *key);
/* Adds a tensor; `data` stays owned by the caller unless it was given to the set by pt_tensors_keep. */
int pt_tensors_add(struct pt_tensors *set, const char *name, enum pt_dtype dtype, unsigned rank,
                   const uint64_t *shape, const void *data, struct pt_error *err) PT_MUST_USE;
/* Gives the set a heap block to free(), or a mapping to unmap. On failure it stays the caller's. */
int pt_tensors_keep(struct pt_tensors *set, void *heap_block, struct pt_error *err) PT_MUST_USE;
struct pt_map;
int pt_tensors_keep_map(struct pt_tensors *set, const struct pt_map *map, struct pt_error *err) PT_MUST_USE;
void pt_tensors_free(struct pt_tensors *set);

/* "[8, 2048]" into text. */
enum { PT_SHAPE_TEXT = 192 };
char *pt_shape_format(unsigned rank, const uint64_t *shape, char text[PT_SHAPE_TEXT]);

#endif
