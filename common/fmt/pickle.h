/*
 * The pickles in PyTorch's files (protocol 2), read as data: a table of opcodes and a handful of globals that
 * build tuples, lists, tables and descriptions of tensors. Nothing is imported, called or executed; whatever
 * is not in the tables is refused by name (PT_MISMATCH), whatever is malformed is PT_BAD_INPUT with its byte
 * offset.
 */
#ifndef PT_FMT_PICKLE_H
#define PT_FMT_PICKLE_H

#include "base/error.h"
#include "fmt/dtype.h"
#include "fmt/tensors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pt_pickle_kind {
    PT_PICKLE_NONE,
    PT_PICKLE_BOOL,
    PT_PICKLE_INTEGER,
    PT_PICKLE_REAL,
    PT_PICKLE_STRING,
    PT_PICKLE_TUPLE,
    PT_PICKLE_LIST,
    PT_PICKLE_DICT,
    PT_PICKLE_GLOBAL,
    PT_PICKLE_STORAGE,
    PT_PICKLE_TENSOR,
};

struct pt_pickle_value {
    enum pt_pickle_kind kind;
    uint32_t index; /* of a container, storage, tensor or global; bytes of a string */
    union {
        int64_t integer;
        double real;
        const char *text; /* [index] bytes of the pickle, no NUL at the end */
    };
};

/* A tuple, a list, or a dict (keys and values in turn). */
struct pt_pickle_container {
    struct pt_pickle_value *items; /* owned */
    size_t n, capacity;
};

/* A file's block of elements; several tensors may lie in one. */
struct pt_pickle_storage {
    const char *key; /* [key_bytes] bytes of the pickle: the member's name below data/ */
    size_t key_bytes;
    enum pt_dtype dtype;
    uint64_t n_elements;
};

struct pt_pickle_tensor {
    uint32_t storage;
    unsigned rank;
    uint64_t offset; /* in elements */
    uint64_t shape[PT_MAX_RANK];
    bool contiguous; /* row-major without gaps */
};

struct pt_pickle {
    struct pt_pickle_value root;
    size_t n_bytes;                         /* that it takes; more may follow behind it */
    struct pt_pickle_container *containers; /* owned, all the lists below too */
    size_t n_containers, containers_capacity;
    struct pt_pickle_storage *storages;
    size_t n_storages, storages_capacity;
    struct pt_pickle_tensor *tensors;
    size_t n_tensors, tensors_capacity;
};

enum { PT_PICKLE_LIMIT = 1 << 26 }; /* bytes; more is PT_MISMATCH */

/* The bytes are borrowed as long as the pickle is used. */
int pt_pickle_read(struct pt_pickle *pickle, const void *bytes, size_t n, struct pt_error *err) PT_MUST_USE;
void pt_pickle_free(struct pt_pickle *pickle);

#endif
