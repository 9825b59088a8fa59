/*
 * PyTorch's form before 1.6 (torch/serialization.py, _legacy_save): one after the other the pickles of a
 * magic number, of a version, and of the machine's byte order; the pickle of what was saved; the pickle of a
 * list of storages' keys; and in that list's order each storage, its number of elements (64 bits) in front.
 */
#include "fmt/pytorch_inside.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1001 };

/* PROTO 2, LONG1 of ten bytes, STOP. */
static const char magic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/* A storage's bytes. */
struct block {
    const char *key; /* [key_bytes] bytes of a pickle */
    size_t key_bytes;
    const uint8_t *data;
    uint64_t n_bytes;
};

struct row {
    const uint8_t *rest; /* what is still to be read */
    size_t n_rest;
    struct pt_pickle saved, keys;
    const struct pt_pickle_storage **storages; /* [saved.n_storages], owned, by key */
    struct block *blocks;                      /* [n_blocks], owned, by key */
    size_t n_blocks;
};

bool pt_pytorch_row_recognise(const void *bytes, size_t n)
{
    return n >= sizeof magic - 1 && !memcmp(bytes, magic, sizeof magic - 1);
}

static int read_pickle(struct row *row, struct pt_pickle *pickle, struct pt_error *err)
{
    size_t n = row->n_rest < PT_PICKLE_LIMIT ? row->n_rest : PT_PICKLE_LIMIT;
    if (pt_pickle_read(pickle, row->rest, n, err))
        return (int)err->status;
    row->rest += pickle->n_bytes;
    row->n_rest -= pickle->n_bytes;
    return PT_OK;
}

static int check_version(struct row *row, struct pt_error *err)
{
    struct pt_pickle version;
    if (read_pickle(row, &version, err))
        return (int)err->status;
    bool right = version.root.kind == PT_PICKLE_INTEGER && version.root.integer == VERSION;
    pt_pickle_free(&version);
    return right ? PT_OK : pt_fail(err, PT_MISMATCH, "a version of PyTorch's older form that is not known");
}

static int check_byte_order(struct row *row, struct pt_error *err)
{
    static const char key[] = "little_endian";
    struct pt_pickle machine;
    bool little = false;
    if (read_pickle(row, &machine, err))
        return (int)err->status;
    if (machine.root.kind == PT_PICKLE_DICT) {
        const struct pt_pickle_container *table = &machine.containers[machine.root.index];
        for (size_t i = 1; i < table->n; i += 2) {
            const struct pt_pickle_value *name = &table->items[i - 1], *value = &table->items[i];
            if (name->kind == PT_PICKLE_STRING && name->index == sizeof key - 1 &&
                !memcmp(name->text, key, name->index))
                little = value->kind == PT_PICKLE_BOOL && value->integer;
        }
    }
    pt_pickle_free(&machine);
    return little ? PT_OK : pt_fail(err, PT_MISMATCH, "its byte order is not little-endian");
}

static int compare_keys(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    if (a_bytes != b_bytes)
        return (a_bytes > b_bytes) - (a_bytes < b_bytes);
    return memcmp(a, b, a_bytes);
}

static int compare_storages(const void *a, const void *b)
{
    const struct pt_pickle_storage *x = *(const struct pt_pickle_storage *const *)a,
                                   *y = *(const struct pt_pickle_storage *const *)b;
    return compare_keys(x->key, x->key_bytes, y->key, y->key_bytes);
}

static int compare_blocks(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    return compare_keys(x->key, x->key_bytes, y->key, y->key_bytes);
}

/* A storage is described anew for each tensor in it, and always alike. */
static int sort_storages(struct row *row, struct pt_error *err)
{
    const size_t n = row->saved.n_storages;
    row->storages = pt_new_array(n, sizeof *row->storages, err);
    if (!row->storages)
        return (int)err->status;
    for (size_t i = 0; i < n; i++)
        row->storages[i] = &row->saved.storages[i];
    qsort(row->storages, n, sizeof *row->storages, compare_storages);
    for (size_t i = 1; i < n; i++) {
        const struct pt_pickle_storage *a = row->storages[i - 1], *b = row->storages[i];
        if (!compare_storages(&a, &b) && (a->dtype != b->dtype || a->n_elements != b->n_elements))
            return pt_fail(err, PT_BAD_INPUT, "storage %.*s is described in two ways", (int)a->key_bytes,
                           a->key);
    }
    return PT_OK;
}

static const struct pt_pickle_storage *find_storage(const struct row *row, const struct block *block)
{
    const struct pt_pickle_storage wanted = {.key = block->key, .key_bytes = block->key_bytes},
                                   *key = &wanted,
                                   **found = bsearch(&key, row->storages, row->saved.n_storages,
                                                     sizeof *row->storages, compare_storages);
    return found ? *found : NULL;
}

static int take_block(struct row *row, struct block *block, struct pt_error *err)
{
    const struct pt_pickle_storage *storage = find_storage(row, block);
    uint64_t n_elements;
    if (!storage)
        return pt_fail(err, PT_BAD_INPUT, "storage %.*s is not described", (int)block->key_bytes, block->key);
    if (row->n_rest < sizeof n_elements)
        return pt_fail(err, PT_BAD_INPUT, "cut short in front of storage %.*s", (int)block->key_bytes,
                       block->key);
    memcpy(&n_elements, row->rest, sizeof n_elements);
    row->rest += sizeof n_elements;
    row->n_rest -= sizeof n_elements;
    if (n_elements != storage->n_elements)
        return pt_fail(err, PT_BAD_INPUT,
                       "storage %.*s has %" PRIu64 " elements, and is said to have %" PRIu64,
                       (int)block->key_bytes, block->key, n_elements, storage->n_elements);
    if (!pt_multiply(n_elements, pt_dtype_bytes(storage->dtype), &block->n_bytes) ||
        block->n_bytes > row->n_rest)
        return pt_fail(err, PT_BAD_INPUT, "cut short in storage %.*s", (int)block->key_bytes, block->key);
    block->data = row->rest;
    row->rest += block->n_bytes;
    row->n_rest -= (size_t)block->n_bytes;
    return PT_OK;
}

static int take_blocks(struct row *row, struct pt_error *err)
{
    if (row->keys.root.kind != PT_PICKLE_LIST)
        return pt_fail(err, PT_BAD_INPUT, "the storages' keys are no list");
    const struct pt_pickle_container *list = &row->keys.containers[row->keys.root.index];
    row->blocks = pt_new_array(list->n, sizeof *row->blocks, err);
    row->n_blocks = list->n;
    for (size_t i = 0; row->blocks && i < list->n; i++) {
        if (list->items[i].kind != PT_PICKLE_STRING)
            return pt_fail(err, PT_BAD_INPUT, "a storage's key is not text");
        row->blocks[i] = (struct block){.key = list->items[i].text, .key_bytes = list->items[i].index};
        if (take_block(row, &row->blocks[i], err))
            return (int)err->status;
    }
    if (!row->blocks)
        return (int)err->status;
    if (row->n_rest)
        return pt_fail(err, PT_BAD_INPUT, "%zu bytes behind the last storage", row->n_rest);
    qsort(row->blocks, row->n_blocks, sizeof *row->blocks, compare_blocks);
    for (size_t i = 1; i < row->n_blocks; i++)
        if (!compare_blocks(&row->blocks[i - 1], &row->blocks[i]))
            return pt_fail(err, PT_BAD_INPUT, "two storages %.*s", (int)row->blocks[i].key_bytes,
                           row->blocks[i].key);
    return PT_OK;
}

static int locate(const void *form, const struct pt_pickle_storage *storage, const char *name,
                  const uint8_t **data, uint64_t *n_bytes, struct pt_error *err)
{
    const struct row *row = form;
    const struct block wanted = {.key = storage->key, .key_bytes = storage->key_bytes},
                       *block =
                           bsearch(&wanted, row->blocks, row->n_blocks, sizeof *row->blocks, compare_blocks);
    if (!block)
        return pt_fail(err, PT_BAD_INPUT, "tensor \"%s\": storage %.*s is missing", name,
                       (int)storage->key_bytes, storage->key);
    *data = block->data;
    *n_bytes = block->n_bytes;
    return PT_OK;
}

int pt_pytorch_row_read(struct pt_tensors *set, const struct pt_map *map, struct pt_error *err)
{
    struct row row = {.rest = map->data + sizeof magic - 1, .n_rest = map->size - (sizeof magic - 1)};
    if (!check_version(&row, err) && !check_byte_order(&row, err) && !read_pickle(&row, &row.saved, err) &&
        !read_pickle(&row, &row.keys, err) && !sort_storages(&row, err) && !take_blocks(&row, err))
        (void)!pt_pytorch_add_tensors(set, &row.saved, locate, &row, err);
    pt_pickle_free(&row.saved);
    pt_pickle_free(&row.keys);
    free(row.storages);
    free(row.blocks);
    return (int)err->status;
}
