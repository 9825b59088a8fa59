/*
 * What PyTorch's pickles mean: a handful of names, looked up in a table and nowhere else; descriptions of
 * storages and tensors, taken apart by their pattern. A "call" of one of the names is such a pattern, and
 * never a call.
 */
#include "fmt/pickle_machine.h"

#include "base/memory.h"

#include <string.h>

typedef struct pt_pickle_value value;

/* The names that a pickle may refer to. */
enum global { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, FIRST_STORAGE };
static const struct {
    const char *name;
    enum pt_dtype dtype;
} globals[] = {
    [ORDERED_DICT] = {"collections OrderedDict", PT_DTYPE_UNKNOWN},
    [REBUILD_TENSOR] = {"torch._utils _rebuild_tensor_v2", PT_DTYPE_UNKNOWN},
    [REBUILD_PARAMETER] = {"torch._utils _rebuild_parameter", PT_DTYPE_UNKNOWN},
    [FIRST_STORAGE] = {"torch FloatStorage", PT_F32},
    {"torch HalfStorage", PT_F16},
    {"torch BFloat16Storage", PT_BF16},
    {"torch DoubleStorage", PT_F64},
    {"torch LongStorage", PT_I64},
    {"torch IntStorage", PT_I32},
    {"torch ShortStorage", PT_I16},
    {"torch CharStorage", PT_I8},
    {"torch ByteStorage", PT_U8},
    {"torch BoolStorage", PT_BOOL},
};

/* "module\nname\n", looked up in the table and nowhere else. */
int pt_pickle_global(struct pt_pickle_machine *m, struct pt_error *err)
{
    const uint8_t *text = m->bytes + m->at;
    const uint8_t *middle = memchr(text, '\n', m->n - m->at);
    const uint8_t *end = middle ? memchr(middle + 1, '\n', (size_t)(m->bytes + m->n - middle - 1)) : NULL;
    if (!end)
        return pt_pickle_bad(m, "cut short", err);
    m->at = (size_t)(end + 1 - m->bytes);
    size_t module_bytes = (size_t)(middle - text), name_bytes = (size_t)(end - middle - 1);
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        const char *name = globals[i].name;
        if (strlen(name) == module_bytes + 1 + name_bytes && !memcmp(name, text, module_bytes) &&
            !memcmp(name + module_bytes + 1, middle + 1, name_bytes))
            return pt_pickle_push(m, (value){.kind = PT_PICKLE_GLOBAL, .index = (uint32_t)i}, err);
    }
    return pt_fail(
        err, PT_MISMATCH,
        "pickle: byte %zu: refers to %.*s.%.*s, which no table of tensors needs (nothing was executed)",
        m->opcode_at, (int)(module_bytes < 80 ? module_bytes : 80), (const char *)text,
        (int)(name_bytes < 80 ? name_bytes : 80), (const char *)middle + 1);
}

static bool is_text(value v, const char *text)
{
    return v.kind == PT_PICKLE_STRING && v.index == strlen(text) && !memcmp(v.text, text, v.index);
}

static bool is_size(value v)
{
    return v.kind == PT_PICKLE_INTEGER && v.integer >= 0;
}

/* ('storage', type, key, location, elements), and before 1.6 None, or which part of the storage it is. */
int pt_pickle_binpersid(struct pt_pickle_machine *m, struct pt_error *err)
{
    if (pt_pickle_need(m, 1, err))
        return (int)err->status;
    value id = m->stack[--m->n_stack];
    size_t n = id.kind == PT_PICKLE_TUPLE ? pt_pickle_container_of(m, id)->n : 0;
    if (n != 5 && n != 6)
        return pt_pickle_bad(m, "not the description of a storage", err);
    const value *item = pt_pickle_container_of(m, id)->items;
    if (n == 6 && item[5].kind != PT_PICKLE_NONE)
        return pt_pickle_unsupported(m, "a storage that is a part of another", err);
    if (!is_text(item[0], "storage") || item[1].kind != PT_PICKLE_GLOBAL || item[1].index < FIRST_STORAGE ||
        item[2].kind != PT_PICKLE_STRING || item[3].kind != PT_PICKLE_STRING || !is_size(item[4]))
        return pt_pickle_bad(m, "not the description of a storage", err);
    struct pt_pickle *p = m->pickle;
    if (pt_reserve(&p->storages, &p->storages_capacity, p->n_storages + 1, sizeof *p->storages, err))
        return (int)err->status;
    p->storages[p->n_storages] = (struct pt_pickle_storage){.key = item[2].text,
                                                            .key_bytes = item[2].index,
                                                            .dtype = globals[item[1].index].dtype,
                                                            .n_elements = (uint64_t)item[4].integer};
    return pt_pickle_push(m, (value){.kind = PT_PICKLE_STORAGE, .index = (uint32_t)p->n_storages++}, err);
}

/* Row-major without gaps; where a dimension is 1, or the tensor empty, the stride plays no part. */
static bool is_contiguous(const struct pt_pickle_tensor *tensor, const value *strides)
{
    uint64_t expected = 1;
    for (unsigned i = 0; i < tensor->rank; i++)
        if (tensor->shape[i] == 0)
            return true;
    for (unsigned i = tensor->rank; i-- > 0;) {
        if (tensor->shape[i] == 1)
            continue;
        if ((uint64_t)strides[i].integer != expected)
            return false;
        if (!pt_multiply(expected, tensor->shape[i], &expected))
            expected = UINT64_MAX; /* no stride is that large; the shape itself is refused where it is used */
    }
    return true;
}

/* Such as the bit that negates all values of a view; without any there is none, or an empty one. */
static bool has_metadata(const struct pt_pickle_machine *m, value metadata)
{
    return metadata.kind != PT_PICKLE_NONE &&
           (metadata.kind != PT_PICKLE_DICT || pt_pickle_container_of(m, metadata)->n);
}

/* (storage, offset, shape, strides, requires_grad, hooks[, metadata]) */
static int rebuild_tensor(struct pt_pickle_machine *m, const struct pt_pickle_container *arguments,
                          struct pt_error *err)
{
    const value *item = arguments->items;
    if (arguments->n < 6 || arguments->n > 7 || item[0].kind != PT_PICKLE_STORAGE || !is_size(item[1]) ||
        item[2].kind != PT_PICKLE_TUPLE || item[3].kind != PT_PICKLE_TUPLE)
        return pt_pickle_bad(m, "not the description of a tensor", err);
    if (arguments->n == 7 && has_metadata(m, item[6]))
        return pt_pickle_unsupported(m, "a tensor with metadata such as a negative view's", err);
    const struct pt_pickle_container *shape = pt_pickle_container_of(m, item[2]),
                                     *strides = pt_pickle_container_of(m, item[3]);
    if (shape->n != strides->n)
        return pt_pickle_bad(m, "a tensor with a different number of sizes and strides", err);
    if (shape->n > PT_MAX_RANK)
        return pt_pickle_unsupported(m, "a tensor of more than 8 dimensions", err);
    struct pt_pickle_tensor tensor = {
        .storage = item[0].index, .rank = (unsigned)shape->n, .offset = (uint64_t)item[1].integer};
    for (size_t i = 0; i < shape->n; i++) {
        if (!is_size(shape->items[i]) || !is_size(strides->items[i]))
            return pt_pickle_bad(m, "a tensor whose sizes and strides are not sizes", err);
        tensor.shape[i] = (uint64_t)shape->items[i].integer;
    }
    tensor.contiguous = is_contiguous(&tensor, strides->items);
    struct pt_pickle *p = m->pickle;
    if (pt_reserve(&p->tensors, &p->tensors_capacity, p->n_tensors + 1, sizeof *p->tensors, err))
        return (int)err->status;
    p->tensors[p->n_tensors] = tensor;
    return pt_pickle_push(m, (value){.kind = PT_PICKLE_TENSOR, .index = (uint32_t)p->n_tensors++}, err);
}

/* A call: only of the few that the table knows, and none of them is one. */
int pt_pickle_reduce(struct pt_pickle_machine *m, struct pt_error *err)
{
    if (pt_pickle_need(m, 2, err))
        return (int)err->status;
    value arguments = m->stack[--m->n_stack], called = m->stack[--m->n_stack];
    if (called.kind != PT_PICKLE_GLOBAL || arguments.kind != PT_PICKLE_TUPLE)
        return pt_pickle_bad(m, "a call of something that cannot be called", err);
    const struct pt_pickle_container *list = pt_pickle_container_of(m, arguments);
    if (called.index == ORDERED_DICT && list->n == 0)
        return pt_pickle_push_empty(m, PT_PICKLE_DICT, err);
    if (called.index == REBUILD_TENSOR)
        return rebuild_tensor(m, list, err);
    if (called.index == REBUILD_PARAMETER && list->n >= 1 && list->items[0].kind == PT_PICKLE_TENSOR)
        return pt_pickle_push(m, list->items[0], err);
    return pt_pickle_bad(m, "a call of something that cannot be called", err);
}

/* Attributes of a table (a state dict's _metadata) are dropped; nothing else has any. */
int pt_pickle_build(struct pt_pickle_machine *m, struct pt_error *err)
{
    if (pt_pickle_need(m, 2, err))
        return (int)err->status;
    if (m->stack[m->n_stack - 2].kind != PT_PICKLE_DICT)
        return pt_pickle_unsupported(m, "attributes of something else than a table", err);
    m->n_stack--;
    return PT_OK;
}
