/*
 * Which of its forms a file has: a zip (1.6 and later), pickles and storages in a row (before), or a tar
 * archive (the first form), which is refused.
 */
#include "fmt/pytorch_file.h"

#include "base/memory.h"
#include "fmt/json.h"
#include "fmt/pytorch_inside.h"
#include "fmt/zip.h"

#include <string.h>

/* A tar archive with one of the members that PyTorch's first form has. */
static bool is_tar_form(const void *bytes, size_t n)
{
    enum { MAGIC_OFFSET = 257 };
    static const char magic[] = "ustar", *const members[] = {"sys_info", "pickle", "tensors", "storages"};
    if (n < MAGIC_OFFSET + sizeof magic - 1 ||
        memcmp((const char *)bytes + MAGIC_OFFSET, magic, sizeof magic - 1) != 0)
        return false;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (!memcmp(bytes, members[i], strlen(members[i]) + 1))
            return true;
    return false;
}

bool pt_pytorch_file_is_legacy(const void *bytes, size_t n)
{
    return pt_pytorch_row_recognise(bytes, n) || is_tar_form(bytes, n);
}

static int refuse(const struct pt_map *map, struct pt_error *err)
{
    if (pt_is_lfs_pointer(map->data, map->size))
        return pt_refuse_lfs_pointer("PyTorch file", err);
    if (is_tar_form(map->data, map->size)) {
        pt_fail(err, PT_MISMATCH, "PyTorch's first form, a tar archive, is not supported");
        return pt_error_hint(err, "convert it with a later PyTorch: torch.save(torch.load(FILE), NEW_FILE)");
    }
    return pt_fail(err, PT_BAD_INPUT, map->size ? "not a PyTorch file" : "empty file");
}

static int read_map(struct pt_tensors *set, const struct pt_map *map, struct pt_error *err)
{
    if (pt_zip_recognise(map->data, map->size))
        return pt_pytorch_zip_read(set, map, err);
    if (pt_pytorch_row_recognise(map->data, map->size))
        return pt_pytorch_row_read(set, map, err);
    return refuse(map, err);
}

/* Checksums, which only the zip has; all else is checked where the file is read. */
static int verify_map(const struct pt_map *map, struct pt_error *err)
{
    struct pt_zip zip = {0};
    if (pt_pytorch_row_recognise(map->data, map->size))
        return PT_OK;
    if (!pt_zip_recognise(map->data, map->size))
        return refuse(map, err);
    if (!pt_zip_open(&zip, map->data, map->size, err))
        (void)!pt_zip_verify(&zip, err);
    pt_zip_free(&zip);
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
    else if (!read_map(set, &map, err))
        set->name = pt_new_string(path, err);
    if (!err->status)
        return PT_OK;
    pt_tensors_free(set);
    return pt_error_in(err, "%s", path);
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
    if (!verify_map(&memory, err) && !read_map(set, &memory, err))
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
    int status = verify_map(&map, err);
    pt_map_close(&map);
    return status ? pt_error_in(err, "%s", path) : PT_OK;
}
