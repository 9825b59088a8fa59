/*
 * From the description of what was saved to a set of tensors: the table that holds them, their names, and for
 * each its place in its storage.
 */
#include "fmt/pytorch_inside.h"

#include "base/memory.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

/* The table below with a customary name; NULL where there is none. */
static const struct pt_pickle_container *customary_table(const struct pt_pickle *pickle,
                                                         const struct pt_pickle_container *top)
{
    static const char *const customary[] = {"state_dict", "model_state_dict", "model", "module"};
    for (size_t name = 0; name < sizeof customary / sizeof *customary; name++)
        for (size_t i = 1; i < top->n; i += 2)
            if (top->items[i].kind == PT_PICKLE_DICT && is_key(&top->items[i - 1], customary[name]))
                return &pickle->containers[top->items[i].index];
    return NULL;
}

/* The only table below that holds tensors; NULL where there is none, or another one. */
static const struct pt_pickle_container *only_table(const struct pt_pickle *pickle,
                                                    const struct pt_pickle_container *top)
{
    const struct pt_pickle_container *only = NULL;
    for (size_t i = 1; i < top->n; i += 2) {
        if (top->items[i].kind != PT_PICKLE_DICT)
            continue;
        const struct pt_pickle_container *table = &pickle->containers[top->items[i].index];
        if (count_tensors(table) && only)
            return NULL;
        only = count_tensors(table) ? table : only;
    }
    return only;
}

static int find_table(const struct pt_pickle *pickle, const struct pt_pickle_container **table,
                      struct pt_error *err)
{
    if (pickle->root.kind != PT_PICKLE_DICT)
        return pt_fail(err, PT_MISMATCH, "holds no table of named tensors");
    *table = &pickle->containers[pickle->root.index];
    const struct pt_pickle_container *below = customary_table(pickle, *table);
    if (!below && !count_tensors(*table))
        below = only_table(pickle, *table);
    /* A number of the run, say its epoch, may stand as a tensor beside the table of the model's. */
    if (below && count_tensors(below) >= count_tensors(*table))
        *table = below;
    if (!count_tensors(*table) && pickle->n_tensors)
        return pt_fail(err, PT_MISMATCH, "its tensors are nested in tables in a way that is not supported");
    return PT_OK;
}

/* The file's own form of what follows. */
struct form {
    const struct pt_pickle *pickle;
    pt_pytorch_locate *locate;
    const void *form;
};

static int add_tensor(const struct form *f, struct pt_tensors *set, const char *name,
                      const struct pt_pickle_tensor *tensor, struct pt_error *err)
{
    const struct pt_pickle_storage *storage = &f->pickle->storages[tensor->storage];
    const uint8_t *data;
    uint64_t n_bytes, expected;
    if (f->locate(f->form, storage, name, &data, &n_bytes, err))
        return (int)err->status;
    size_t element = pt_dtype_bytes(storage->dtype);
    if (!pt_multiply(storage->n_elements, element, &expected) || expected != n_bytes)
        return pt_fail(err, PT_BAD_INPUT,
                       "tensor \"%s\": its storage has %" PRIu64 " bytes for %" PRIu64
                       " elements of %zu bytes",
                       name, n_bytes, storage->n_elements, element);
    if (!tensor->contiguous) {
        pt_fail(err, PT_MISMATCH, "tensor \"%s\" is not contiguous", name);
        return pt_error_hint(err, "save it with .contiguous()");
    }
    if (tensor->offset > storage->n_elements)
        return pt_fail(err, PT_BAD_INPUT, "tensor \"%s\" begins behind the end of its storage", name);
    if (pt_tensors_add(set, name, storage->dtype, tensor->rank, tensor->shape,
                       data + tensor->offset * element, err))
        return (int)err->status;
    if (set->tensors[set->n - 1].n_bytes > n_bytes - tensor->offset * element)
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

int pt_pytorch_add_tensors(struct pt_tensors *set, const struct pt_pickle *pickle, pt_pytorch_locate *locate,
                           const void *form, struct pt_error *err)
{
    const struct form f = {pickle, locate, form};
    const struct pt_pickle_container *table = NULL;
    if (find_table(pickle, &table, err))
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
            (void)!add_tensor(&f, set, name, &pickle->tensors[item->index], err);
        free(name);
        if (err->status)
            goto out;
    }
out:
    free(keys);
    return (int)err->status;
}
