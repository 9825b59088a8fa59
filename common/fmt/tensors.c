/*
 * Sets of named tensors: a growing array, and a list of what holds their bytes.
 */
#include "fmt/tensors.h"

#include "base/memory.h"
#include "io/map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pt_tensors_storage {
    struct pt_tensors_storage *next;
    void *block;       /* owned, or NULL */
    struct pt_map map; /* owned, or empty */
};

const struct pt_tensor *pt_tensors_find(const struct pt_tensors *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++)
        if (!strcmp(set->tensors[i].name, name))
            return &set->tensors[i];
    return NULL;
}

const char *pt_tensors_metadata(const struct pt_tensors *set, const char *key)
{
    return json_string_value(json_object_get(set->metadata, key));
}

/* Elements and bytes of a shape; a product beyond 64 bits is refused. */
static int measure(struct pt_tensor *tensor, const char *name, struct pt_error *err)
{
    tensor->n_elements = 1;
    bool fits = true;
    for (unsigned i = 0; i < tensor->rank; i++)
        fits = fits && pt_multiply(tensor->n_elements, tensor->shape[i], &tensor->n_elements);
    fits = fits && pt_multiply(tensor->n_elements, pt_dtype_bytes(tensor->dtype), &tensor->n_bytes);
    if (!fits)
        return pt_fail(err, PT_BAD_INPUT, "tensor \"%.200s\": its shape overflows", name);
    return PT_OK;
}

int pt_tensors_add(struct pt_tensors *set, const char *name, enum pt_dtype dtype, unsigned rank,
                   const uint64_t *shape, const void *data, struct pt_error *err)
{
    if (rank > PT_MAX_RANK)
        return pt_fail(err, PT_MISMATCH, "tensor \"%.200s\": %u dimensions are not supported (at most %d)",
                       name, rank, PT_MAX_RANK);
    struct pt_tensor tensor = {.dtype = dtype, .rank = rank, .data = data};
    for (unsigned i = 0; i < rank; i++)
        tensor.shape[i] = shape[i];
    if (measure(&tensor, name, err))
        return (int)err->status;
    if (pt_reserve(&set->tensors, &set->capacity, set->n + 1, sizeof *set->tensors, err))
        return (int)err->status;
    tensor.name = pt_new_string(name, err);
    if (!tensor.name)
        return (int)err->status;
    set->tensors[set->n++] = tensor;
    return PT_OK;
}

static int keep(struct pt_tensors *set, void *block, struct pt_map map, struct pt_error *err)
{
    struct pt_tensors_storage *storage = pt_new_array(1, sizeof *storage, err);
    if (!storage)
        return (int)err->status;
    *storage = (struct pt_tensors_storage){.next = set->storage, .block = block, .map = map};
    set->storage = storage;
    return PT_OK;
}

int pt_tensors_keep(struct pt_tensors *set, void *heap_block, struct pt_error *err)
{
    return keep(set, heap_block, (struct pt_map){0}, err);
}

int pt_tensors_keep_map(struct pt_tensors *set, const struct pt_map *map, struct pt_error *err)
{
    return keep(set, NULL, *map, err);
}

void pt_tensors_free(struct pt_tensors *set)
{
    for (size_t i = 0; i < set->n; i++)
        free(set->tensors[i].name);
    free(set->tensors);
    json_decref(set->metadata);
    free(set->name);
    while (set->storage) {
        struct pt_tensors_storage *storage = set->storage;
        set->storage = storage->next;
        free(storage->block);
        pt_map_close(&storage->map);
        free(storage);
    }
    *set = (struct pt_tensors){0};
}

char *pt_shape_format(unsigned rank, const uint64_t *shape, char text[PT_SHAPE_TEXT])
{
    size_t length = 0;
    text[length++] = '[';
    for (unsigned i = 0; i < rank && i < PT_MAX_RANK; i++)
        length +=
            (size_t)snprintf(text + length, PT_SHAPE_TEXT - length, "%s%" PRIu64, i ? ", " : "", shape[i]);
    text[length++] = ']';
    text[length] = 0;
    return text;
}
