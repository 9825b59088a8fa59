/*
 * PyTorch's form since 1.6: the zip's directory, the pickle "NAME/data.pkl", and each storage as a member
 * "NAME/data/KEY". Only the directory and the pickle are read.
 */
#include "fmt/pytorch_inside.h"

#include "fmt/zip.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 512 };
static const char pickle_suffix[] = "/data.pkl";

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
    if (check_stored(*found, err) || (order && check_stored(order, err)))
        return (int)err->status;
    if (order && (order->n_bytes != 6 || memcmp(order->data, "little", 6) != 0))
        return pt_fail(err, PT_MISMATCH, "its byte order is not little-endian");
    return PT_OK;
}

static int check_end(const struct reader *r, const struct pt_zip_member *pickle, struct pt_error *err)
{
    if (r->pickle.n_bytes == pickle->n_bytes)
        return PT_OK;
    return pt_fail(err, PT_BAD_INPUT, "damaged pickle: byte %zu: an end that is not the end",
                   r->pickle.n_bytes);
}

static int locate(const void *form, const struct pt_pickle_storage *storage, const char *name,
                  const uint8_t **data, uint64_t *n_bytes, struct pt_error *err)
{
    const struct reader *r = form;
    const struct pt_zip_member *m = member(r, "data/", storage->key, storage->key_bytes);
    if (!m)
        return pt_fail(err, PT_BAD_INPUT, "tensor \"%s\": the archive has no member data/%.*s", name,
                       (int)storage->key_bytes, storage->key);
    *data = m->data;
    *n_bytes = m->n_bytes;
    return check_stored(m, err);
}

int pt_pytorch_zip_read(struct pt_tensors *set, const struct pt_map *map, struct pt_error *err)
{
    struct reader r = {0};
    const struct pt_zip_member *pickle = NULL;
    if (pt_zip_open(&r.zip, map->data, map->size, err))
        return (int)err->status;
    if (!find_pickle(&r, &pickle, err) && !pt_pickle_read(&r.pickle, pickle->data, pickle->n_bytes, err) &&
        !check_end(&r, pickle, err))
        (void)!pt_pytorch_add_tensors(set, &r.pickle, locate, &r, err);
    pt_pickle_free(&r.pickle);
    pt_zip_free(&r.zip);
    return (int)err->status;
}
