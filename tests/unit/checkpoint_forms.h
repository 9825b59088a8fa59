/*
 * Checkpoints in every form that people have: the same tensors as safetensors, as PyTorch's zip, and as its
 * form before 1.6; in one file, or in shards with an index.
 */
#ifndef PT_TESTS_UNIT_CHECKPOINT_FORMS_H
#define PT_TESTS_UNIT_CHECKPOINT_FORMS_H

#include "model_folder.h"
#include "zip_maker.h"

static inline void append_text(struct pt_buffer *to, const char *text)
{
    append(to, text, strlen(text));
}

/* BINUNICODE. */
static inline void pickle_text(struct pt_buffer *to, const char *text)
{
    uint32_t n = (uint32_t)strlen(text);
    append(to, "X", 1);
    append(to, &n, sizeof n);
    append_text(to, text);
}

/* LONG1 of eight bytes. */
static inline void pickle_number(struct pt_buffer *to, uint64_t number)
{
    append(to, "\x8a\x08", 2);
    append(to, &number, sizeof number);
}

/* The first tensor of the set that lies where this one does: as torch.save has it, they share a storage. */
static inline size_t storage_of(const struct pt_tensors *set, size_t i)
{
    size_t first = 0;
    while (set->tensors[first].data != set->tensors[i].data)
        first++;
    return first;
}

static inline const char *storage_key(size_t storage)
{
    static char key[32];
    snprintf(key, sizeof key, "%zu", storage);
    return key;
}

static inline const char *storage_type(enum pt_dtype dtype)
{
    return dtype == PT_F32    ? "ctorch\nFloatStorage\n"
           : dtype == PT_F16  ? "ctorch\nHalfStorage\n"
           : dtype == PT_BF16 ? "ctorch\nBFloat16Storage\n"
                              : "ctorch\nBoolStorage\n";
}

/* torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks); before 1.6 a
 * storage is described with one item more. */
static inline void pickle_tensor(struct pt_buffer *to, const struct pt_tensors *set, size_t i, bool old)
{
    const struct pt_tensor *t = &set->tensors[i];
    append_text(to, "ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_text(to, "storage");
    append_text(to, storage_type(t->dtype));
    pickle_text(to, storage_key(storage_of(set, i)));
    pickle_text(to, "cpu");
    pickle_number(to, t->n_elements);
    append_text(to, old ? "NtQ" : "tQ");
    pickle_number(to, 0);
    append_text(to, "(");
    for (unsigned d = 0; d < t->rank; d++)
        pickle_number(to, t->shape[d]);
    append_text(to, "t(");
    uint64_t stride = t->n_elements;
    for (unsigned d = 0; d < t->rank; d++)
        pickle_number(to, stride /= t->shape[d]);
    append_text(to, "t\x89"
                    "ccollections\nOrderedDict\n)RtR");
}

static inline void pickle_tensors(struct pt_buffer *to, const struct pt_tensors *set, bool old)
{
    append_text(to, "\x80\x02"
                    "ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; i < set->n; i++) {
        pickle_text(to, set->tensors[i].name);
        pickle_tensor(to, set, i, old);
    }
    append_text(to, "u.");
}

static inline void write_pytorch_zip(const struct folder *folder, const char *name,
                                     const struct pt_tensors *set)
{
    struct made made = {0};
    struct pt_buffer pickle = {0};
    pickle_tensors(&pickle, set, false);
    add_member(&made, "archive/data.pkl", pickle.data, pickle.size, 0);
    add_member(&made, "archive/byteorder", "little", 6, 0);
    for (size_t i = 0; i < set->n; i++) {
        char member[64];
        snprintf(member, sizeof member, "archive/data/%zu", i);
        if (storage_of(set, i) == i)
            add_member(&made, member, set->tensors[i].data, set->tensors[i].n_bytes, 0);
    }
    add_member(&made, "archive/version", "3\n", 2, 0);
    write_made(&made, folder_file(folder, name));
    pt_buffer_free(&pickle);
}

/* A magic number, a version, the byte order, the table, the storages' keys, the storages. */
static inline void write_pytorch_row(const struct folder *folder, const char *name,
                                     const struct pt_tensors *set)
{
    struct pt_buffer bytes = {0};
    append_text(&bytes,
                "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}");
    pickle_text(&bytes, "little_endian");
    append_text(&bytes, "\x88s.");
    pickle_tensors(&bytes, set, true);
    append_text(&bytes, "\x80\x02](");
    for (size_t i = 0; i < set->n; i++)
        if (storage_of(set, i) == i)
            pickle_text(&bytes, storage_key(i));
    append_text(&bytes, "e.");
    for (size_t i = 0; i < set->n; i++) {
        if (storage_of(set, i) != i)
            continue;
        append(&bytes, &set->tensors[i].n_elements, sizeof set->tensors[i].n_elements);
        append(&bytes, set->tensors[i].data, set->tensors[i].n_bytes);
    }
    folder_write(folder, name, bytes.data, bytes.size);
    pt_buffer_free(&bytes);
}

static const struct checkpoint_form {
    const char *title, *stem, *extension;
    void (*write)(const struct folder *folder, const char *name, const struct pt_tensors *set);
    size_t n_shards; /* 1: one file and no index */
} checkpoint_forms[] = {
    {"safetensors", "model", "safetensors", folder_write_tensors, 1},
    {"safetensors in shards", "model", "safetensors", folder_write_tensors, 3},
    {"zip", "pytorch_model", "bin", write_pytorch_zip, 1},
    {"zip in shards", "pytorch_model", "bin", write_pytorch_zip, 2},
    {"before 1.6", "pytorch_model", "bin", write_pytorch_row, 1},
    {"before 1.6 in shards", "pytorch_model", "bin", write_pytorch_row, 2},
};

/* The tensors in turn to each of the shards. */
static inline void write_checkpoint_shards(const struct checkpoint_form *form, const struct folder *folder,
                                           const struct pt_tensors *set)
{
    struct pt_error err = {0};
    char name[64];
    json_t *map = json_object();
    for (size_t s = 0; s < form->n_shards; s++) {
        struct pt_tensors shard = {0};
        snprintf(name, sizeof name, "%s-%05zu-of-%05zu.%s", form->stem, s + 1, form->n_shards,
                 form->extension);
        for (size_t i = s; i < set->n; i += form->n_shards) {
            const struct pt_tensor *t = &set->tensors[i];
            assert_int_equal(pt_tensors_add(&shard, t->name, t->dtype, t->rank, t->shape, t->data, &err), 0);
            assert_int_equal(json_object_set_new(map, t->name, json_string(name)), 0);
        }
        form->write(folder, name, &shard);
        pt_tensors_free(&shard);
    }
    json_t *index = json_pack("{s:{s:i}, s:o}", "metadata", "total_size", 1, "weight_map", map);
    snprintf(name, sizeof name, "%s.%s.index.json", form->stem, form->extension);
    assert_int_equal(json_dump_file(index, folder_file(folder, name), 0), 0);
    json_decref(index);
}

static inline void write_checkpoint(const struct checkpoint_form *form, const struct folder *folder,
                                    const struct pt_tensors *set)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", form->stem, form->extension);
    if (form->n_shards == 1)
        form->write(folder, name, set);
    else
        write_checkpoint_shards(form, folder, set);
}

#endif
