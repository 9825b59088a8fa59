/*
 * Three steps: the zip's directory, the pickle "NAME/data.pkl", and for each tensor of the table that it
 * describes the place in its member "NAME/data/KEY". Only the directory and the pickle are read.
 */
#include "fmt/pytorch_file.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "fmt/json.h"
#include "fmt/pickle.h"
#include "fmt/zip.h"
#include "io/map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 512, TAR_MAGIC_OFFSET = 257 };
static const char pickle_suffix[] = "/data.pkl";
static const char convert_hint[] =
    "convert it with PyTorch 1.6 or later: torch.save(torch.load(FILE), NEW_FILE)";

/* A tar archive with one of the members that PyTorch's first form has. */
static bool is_tar_form(const char *bytes, size_t n)
{
    static const char *const members[] = {"sys_info", "pickle", "tensors", "storages"};
    if (n < TAR_MAGIC_OFFSET + 5 || memcmp(bytes + TAR_MAGIC_OFFSET, "ustar", 5) != 0)
        return false;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (!memcmp(bytes, members[i], strlen(members[i]) + 1))
            return true;
    return false;
}

/* The form before 1.6 begins with a pickle of this number. */
bool pt_pytorch_file_is_legacy(const void *bytes, size_t n)
{
    static const char magic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    const char *b = bytes;
    return (n >= sizeof magic - 1 && !memcmp(b, magic, sizeof magic - 1)) || is_tar_form(b, n);
}

static int check_form(const struct pt_map *map, struct pt_error *err)
{
    if (pt_is_lfs_pointer(map->data, map->size))
        return pt_refuse_lfs_pointer("PyTorch file", err);
    if (pt_zip_recognise(map->data, map->size))
        return PT_OK;
    if (pt_pytorch_file_is_legacy(map->data, map->size)) {
        pt_fail(err, PT_MISMATCH, "PyTorch's form before 1.6 is not supported");
        return pt_error_hint(err, "%s", convert_hint);
    }
    return pt_fail(err, PT_BAD_INPUT, map->size ? "not a PyTorch file" : "empty file");
}

struct reader {
    struct pt_zip zip;
    struct pt_pickle pickle;
    const char *prefix; /* [prefix_bytes], without the slash */
    size_t prefix_bytes;
};

/* A member below the prefix; NULL where there is none. The key need not be text. */
static const struct pt_zip_member *member(const struct reader *r, const char *folder, const char *key,
                                          size_t key_bytes)
{
    char path[PATH_BYTES];
    int length = snprintf(path, sizeof path, "%.*s/%s%.*s", (int)r->prefix_bytes, r->prefix, folder,
                          (int)key_bytes, key);
    return length < (int)sizeof path ? pt_zip_find(&r->zip, path) : NULL;
}

static int check_stored(const struct pt_zip_member *m, struct pt_error *err)
{
    if (m->stored)
        return PT_OK;
    return pt_fail(err, PT_MISMATCH, "member \"%.*s\" is %s, where only stored ones can be used",
                   (int)m->name_bytes, m->name, m->encrypted ? "encrypted" : "compressed");
}

/* Finds NAME/data.pkl, and with it the prefix. */
static int find_pickle(struct reader *r, const struct pt_zip_member **found, struct pt_error *err)
{
    size_t suffix = sizeof pickle_suffix - 1;
    *found = NULL;
    for (size_t i = 0; i < r->zip.n; i++) {
        const struct pt_zip_member *m = &r->zip.members[i];
        if (m->name_bytes <= suffix || memcmp(m->name + m->name_bytes - suffix, pickle_suffix, suffix) != 0 ||
            memchr(m->name, '/', m->name_bytes - suffix))
            continue;
        if (*found)
            return pt_fail(err, PT_BAD_INPUT, "two members named data.pkl");
        *found = m;
        r->prefix = m->name;
        r->prefix_bytes = m->name_bytes - suffix;
    }
    if (!*found)
        return pt_fail(err, PT_MISMATCH, "a zip archive without data.pkl: not a PyTorch checkpoint");
    if (member(r, "", "constants.pkl", 13)) {
        pt_fail(err, PT_MISMATCH, "a TorchScript program, not a checkpoint");
        return pt_error_hint(err, "save the model's state_dict() instead");
    }
    const struct pt_zip_member *order = member(r, "", "byteorder", 9);
    if (order && (order->n_bytes != 6 || memcmp(order->data, "little", 6) != 0))
        return pt_fail(err, PT_MISMATCH, "its byte order is not little-endian");
    return check_stored(*found, err);
}

static size_t count_tensors(const struct pt_pickle_container *table)
{
    size_t n = 0;
    for (size_t i = 1; i < table->n; i += 2)
        n += table->items[i].kind == PT_PICKLE_TENSOR;
    return n;
}

static bool is_key(const struct pt_pickle_value *key, const char *text)
{
    return key->kind == PT_PICKLE_STRING && key->index == strlen(text) &&
           !memcmp(key->text, text, key->index);
}

/* The table below one with a customary name, else the only one below that holds tensors; NULL where there is
 * none. */
static const struct pt_pickle_container *table_below(const struct reader *r,
                                                     const struct pt_pickle_container *top)
{
    static const char *const customary[] = {"state_dict", "model_state_dict", "model", "module"};
    const struct pt_pickle_container *only = NULL;
    size_t candidates = 0;
    for (size_t name = 0; name < sizeof customary / sizeof *customary; name++)
        for (size_t i = 1; i < top->n; i += 2)
            if (top->items[i].kind == PT_PICKLE_DICT && is_key(&top->items[i - 1], customary[name]))
                return &r->pickle.containers[top->items[i].index];
    for (size_t i = 1; i < top->n; i += 2) {
        if (top->items[i].kind != PT_PICKLE_DICT)
            continue;
        const struct pt_pickle_container *table = &r->pickle.containers[top->items[i].index];
        if (count_tensors(table)) {
            only = table;
            candidates++;
        }
    }
    return candidates == 1 ? only : NULL;
}

static int find_table(const struct reader *r, const struct pt_pickle_container **table, struct pt_error *err)
{
    if (r->pickle.root.kind != PT_PICKLE_DICT)
        return pt_fail(err, PT_MISMATCH, "holds no table of named tensors");
    *table = &r->pickle.containers[r->pickle.root.index];
    if (count_tensors(*table))
        return PT_OK;
    const struct pt_pickle_container *below = table_below(r, *table);
    if (below)
        *table = below;
    if (!count_tensors(*table) && r->pickle.n_tensors)
        return pt_fail(err, PT_MISMATCH, "its tensors are nested in tables in a way that is not supported");
    return PT_OK;
}

static int add_tensor(const struct reader *r, struct pt_tensors *set, const char *name,
                      const struct pt_pickle_tensor *tensor, struct pt_error *err)
{
    const struct pt_pickle_storage *storage = &r->pickle.storages[tensor->storage];
    const struct pt_zip_member *m = member(r, "data/", storage->key, storage->key_bytes);
    if (!m)
        return pt_fail(err, PT_BAD_INPUT, "tensor \"%s\": the archive has no member data/%.*s", name,
                       (int)storage->key_bytes, storage->key);
    if (check_stored(m, err))
        return (int)err->status;
    uint64_t storage_bytes;
    size_t element = pt_dtype_bytes(storage->dtype);
    if (!pt_multiply(storage->n_elements, element, &storage_bytes) || storage_bytes != m->n_bytes)
        return pt_fail(err, PT_BAD_INPUT,
                       "tensor \"%s\": its storage has %" PRIu64 " bytes for %" PRIu64
                       " elements of %zu bytes",
                       name, m->n_bytes, storage->n_elements, element);
    if (!tensor->contiguous) {
        pt_fail(err, PT_MISMATCH, "tensor \"%s\" is not contiguous", name);
        return pt_error_hint(err, "save it with .contiguous()");
    }
    if (tensor->offset > storage->n_elements)
        return pt_fail(err, PT_BAD_INPUT, "tensor \"%s\" begins behind the end of its storage", name);
    const uint8_t *data = m->data + tensor->offset * element;
    if (pt_tensors_add(set, name, storage->dtype, tensor->rank, tensor->shape, data, err))
        return (int)err->status;
    if (set->tensors[set->n - 1].n_bytes > storage_bytes - tensor->offset * element)
        return pt_fail(err, PT_BAD_INPUT, "tensor \"%s\" is longer than its storage", name);
    return PT_OK;
}

static int compare_keys(const void *a, const void *b)
{
    const struct pt_pickle_value *x = *(const struct pt_pickle_value *const *)a;
    const struct pt_pickle_value *y = *(const struct pt_pickle_value *const *)b;
    if (x->index != y->index || x->text == y->text)
        return (x->index > y->index) - (x->index < y->index);
    return memcmp(x->text, y->text, x->index);
}

/* The tensors' names: text, and each only once. `keys` has room for all. */
static int check_names(const struct pt_pickle_container *table, const struct pt_pickle_value **keys,
                       struct pt_error *err)
{
    size_t n = 0;
    for (size_t i = 1; i < table->n; i += 2) {
        const struct pt_pickle_value *key = &table->items[i - 1];
        if (table->items[i].kind != PT_PICKLE_TENSOR)
            continue;
        if (key->kind != PT_PICKLE_STRING || pt_utf8_check(key->text, key->index) != key->index ||
            memchr(key->text, 0, key->index))
            return pt_fail(err, PT_BAD_INPUT, "a tensor whose name is not text");
        keys[n++] = key;
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    for (size_t i = 1; i < n; i++)
        if (!compare_keys(&keys[i - 1], &keys[i]))
            return pt_fail(err, PT_BAD_INPUT, "two tensors named \"%.*s\"", (int)keys[i]->index,
                           keys[i]->text);
    return PT_OK;
}

static int add_tensors(const struct reader *r, struct pt_tensors *set, struct pt_error *err)
{
    const struct pt_pickle_container *table = NULL;
    if (find_table(r, &table, err))
        return (int)err->status;
    const struct pt_pickle_value **keys = pt_new_array(table->n / 2, sizeof *keys, err);
    if (!keys || check_names(table, keys, err))
        goto out;
    for (size_t i = 1; i < table->n; i += 2) {
        const struct pt_pickle_value *key = &table->items[i - 1], *item = &table->items[i];
        if (item->kind != PT_PICKLE_TENSOR)
            continue;
        char *name = pt_new_string_n(key->text, key->index, err);
        if (name)
            (void)!add_tensor(r, set, name, &r->pickle.tensors[item->index], err);
        free(name);
        if (err->status)
            goto out;
    }
out:
    free(keys);
    return (int)err->status;
}

static int read_archive(struct pt_tensors *set, const struct pt_map *map, struct pt_error *err)
{
    struct reader r = {0};
    const struct pt_zip_member *pickle = NULL;
    if (check_form(map, err) || pt_zip_open(&r.zip, map->data, map->size, err))
        return (int)err->status;
    if (!find_pickle(&r, &pickle, err) && !pt_pickle_read(&r.pickle, pickle->data, pickle->n_bytes, err))
        (void)!add_tensors(&r, set, err);
    pt_pickle_free(&r.pickle);
    pt_zip_free(&r.zip);
    return (int)err->status;
}

int pt_pytorch_file_open(struct pt_tensors *set, const char *path, struct pt_error *err)
{
    *set = (struct pt_tensors){0};
    struct pt_map map = {0};
    if (pt_map_open(&map, path, err))
        return (int)err->status;
    if (pt_tensors_keep_map(set, &map, err))
        pt_map_close(&map);
    else if (!read_archive(set, &map, err))
        set->name = pt_new_string(path, err);
    if (!err->status)
        return PT_OK;
    pt_tensors_free(set);
    return pt_error_in(err, "%s", path);
}

static int verify(const struct pt_map *map, struct pt_error *err)
{
    struct pt_zip zip = {0};
    if (!check_form(map, err) && !pt_zip_open(&zip, map->data, map->size, err))
        (void)!pt_zip_verify(&zip, err);
    pt_zip_free(&zip);
    return (int)err->status;
}

int pt_pytorch_file_read(struct pt_tensors *set, struct pt_source *source, uint64_t limit,
                         struct pt_error *err)
{
    *set = (struct pt_tensors){0};
    struct pt_buffer bytes = {0};
    if (pt_source_read_all(source, limit, &bytes, err) || pt_tensors_keep(set, bytes.data, err)) {
        pt_buffer_free(&bytes);
        return (int)err->status;
    }
    struct pt_map memory = {(const uint8_t *)bytes.data, bytes.size};
    if (!verify(&memory, err) && !read_archive(set, &memory, err))
        set->name = pt_new_string(pt_source_name(source), err);
    if (!err->status)
        return PT_OK;
    pt_tensors_free(set);
    return pt_error_in(err, "%s", pt_source_name(source));
}

int pt_pytorch_file_verify(const char *path, struct pt_error *err)
{
    struct pt_map map = {0};
    if (pt_map_open(&map, path, err))
        return (int)err->status;
    int status = verify(&map, err);
    pt_map_close(&map);
    return status ? pt_error_in(err, "%s", path) : PT_OK;
}
