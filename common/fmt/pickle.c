/*
 * A stack machine (opcodes as in Python's pickletools; what torch.save writes uses about thirty). Values are
 * small and copied; containers, storages and tensors live in lists and are named by index, so that references
 * shared through the memo, or going in circles, are harmless: nothing here recurses. Everything that grows is
 * bounded by the pickle's size or by a limit below.
 */
#include "fmt/pickle.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    PICKLE_LIMIT = 1 << 26, /* bytes */
    MEMO_LIMIT = 1 << 20,
    CONTAINER_LIMIT = 1 << 20,
    MARK_LIMIT = 64,
    STRING_LIMIT = 1 << 12,
};

typedef struct pt_pickle_value value;

struct machine {
    struct pt_pickle *pickle;
    const uint8_t *bytes;
    size_t n, at, opcode_at;
    value *stack; /* owned */
    size_t n_stack, stack_capacity;
    size_t marks[MARK_LIMIT]; /* heights of the stack */
    size_t n_marks;
    value *memo; /* owned; only what was put there may be got */
    bool *remembered;
    size_t memo_capacity, remembered_capacity;
    bool stopped;
};

typedef int operation(struct machine *m, struct pt_error *err);

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

static int bad(struct machine *m, const char *what, struct pt_error *err)
{
    return pt_fail(err, PT_BAD_INPUT, "damaged pickle: byte %zu: %s", m->opcode_at, what);
}

static int unsupported(struct machine *m, const char *what, struct pt_error *err)
{
    return pt_fail(err, PT_MISMATCH, "pickle: byte %zu: %s", m->opcode_at, what);
}

/* --- the bytes --- */

static const uint8_t *take(struct machine *m, size_t n, struct pt_error *err)
{
    if (n > m->n - m->at) {
        bad(m, "cut short", err);
        return NULL;
    }
    m->at += n;
    return m->bytes + m->at - n;
}

static int take_number(struct machine *m, int width, uint64_t *number, struct pt_error *err)
{
    const uint8_t *bytes = take(m, (size_t)width, err);
    if (!bytes)
        return (int)err->status;
    *number = 0;
    while (width--)
        *number = *number << 8 | bytes[width];
    return PT_OK;
}

/* --- the stack --- */

static int push(struct machine *m, value v, struct pt_error *err)
{
    if (pt_reserve(&m->stack, &m->stack_capacity, m->n_stack + 1, sizeof *m->stack, err))
        return (int)err->status;
    m->stack[m->n_stack++] = v;
    return PT_OK;
}

/* How many values lie above the last mark, and may be taken. */
static size_t available(const struct machine *m)
{
    return m->n_stack - (m->n_marks ? m->marks[m->n_marks - 1] : 0);
}

static int need(struct machine *m, size_t n, struct pt_error *err)
{
    return available(m) < n ? bad(m, "too few values on the stack", err) : PT_OK;
}

/* Takes the mark away; the values that lay above it are stack[*first .. n_stack). */
static int take_mark(struct machine *m, size_t *first, struct pt_error *err)
{
    if (!m->n_marks)
        return bad(m, "no mark on the stack", err);
    *first = m->marks[--m->n_marks];
    return PT_OK;
}

static int new_container(struct machine *m, uint32_t *index, struct pt_error *err)
{
    struct pt_pickle *p = m->pickle;
    if (p->n_containers == CONTAINER_LIMIT)
        return unsupported(m, "too many lists and tables", err);
    if (pt_reserve(&p->containers, &p->containers_capacity, p->n_containers + 1, sizeof *p->containers, err))
        return (int)err->status;
    *index = (uint32_t)p->n_containers;
    p->containers[p->n_containers++] = (struct pt_pickle_container){0};
    return PT_OK;
}

static struct pt_pickle_container *container(const struct machine *m, value v)
{
    return &m->pickle->containers[v.index];
}

/* Moves the values from stack[first] on to the end of a container. */
static int append_from(struct machine *m, size_t first, value to, struct pt_error *err)
{
    struct pt_pickle_container *c = container(m, to);
    size_t n = m->n_stack - first;
    if (pt_reserve(&c->items, &c->capacity, c->n + n, sizeof *c->items, err))
        return (int)err->status;
    if (n)
        memcpy(c->items + c->n, m->stack + first, n * sizeof *c->items);
    c->n += n;
    m->n_stack = first;
    return PT_OK;
}

static int push_empty(struct machine *m, enum pt_pickle_kind kind, struct pt_error *err)
{
    value v = {.kind = kind};
    return new_container(m, &v.index, err) ? (int)err->status : push(m, v, err);
}

/* --- scalars --- */

static int push_integer(struct machine *m, int64_t integer, struct pt_error *err)
{
    return push(m, (value){.kind = PT_PICKLE_INTEGER, .integer = integer}, err);
}

static int do_none(struct machine *m, struct pt_error *err)
{
    return push(m, (value){.kind = PT_PICKLE_NONE}, err);
}

static int do_true(struct machine *m, struct pt_error *err)
{
    return push(m, (value){.kind = PT_PICKLE_BOOL, .integer = 1}, err);
}

static int do_false(struct machine *m, struct pt_error *err)
{
    return push(m, (value){.kind = PT_PICKLE_BOOL}, err);
}

static int do_binint(struct machine *m, struct pt_error *err)
{
    uint64_t number = 0;
    return take_number(m, 4, &number, err) ? (int)err->status
                                           : push_integer(m, (int32_t)(uint32_t)number, err);
}

static int do_binint1(struct machine *m, struct pt_error *err)
{
    uint64_t number = 0;
    return take_number(m, 1, &number, err) ? (int)err->status : push_integer(m, (int64_t)number, err);
}

static int do_binint2(struct machine *m, struct pt_error *err)
{
    uint64_t number = 0;
    return take_number(m, 2, &number, err) ? (int)err->status : push_integer(m, (int64_t)number, err);
}

static int do_long1(struct machine *m, struct pt_error *err)
{
    uint64_t width = 0, number = 0;
    if (take_number(m, 1, &width, err))
        return (int)err->status;
    if (width > 8)
        return unsupported(m, "an integer of more than 64 bits", err);
    if (take_number(m, (int)width, &number, err))
        return (int)err->status;
    if (width && width < 8 && number >> (8 * width - 1))
        number |= UINT64_MAX << 8 * width; /* two's complement, sign extended */
    return push_integer(m, (int64_t)number, err);
}

static int do_binfloat(struct machine *m, struct pt_error *err)
{
    uint64_t little = 0;
    if (take_number(m, 8, &little, err))
        return (int)err->status;
    uint64_t big = __builtin_bswap64(little); /* the only big-endian number of a pickle */
    value v = {.kind = PT_PICKLE_REAL};
    memcpy(&v.real, &big, sizeof v.real);
    return push(m, v, err);
}

static int push_string(struct machine *m, int width, struct pt_error *err)
{
    uint64_t length = 0;
    if (take_number(m, width, &length, err))
        return (int)err->status;
    const uint8_t *text = take(m, length, err);
    if (!text)
        return (int)err->status;
    if (length > STRING_LIMIT)
        return unsupported(m, "a string of more than 4096 bytes", err);
    return push(m, (value){.kind = PT_PICKLE_STRING, .index = (uint32_t)length, .text = (const char *)text},
                err);
}

static int do_binunicode(struct machine *m, struct pt_error *err)
{
    return push_string(m, 4, err);
}

static int do_short_binstring(struct machine *m, struct pt_error *err)
{
    return push_string(m, 1, err);
}

/* --- containers --- */

static int do_mark(struct machine *m, struct pt_error *err)
{
    if (m->n_marks == MARK_LIMIT)
        return unsupported(m, "nested too deeply", err);
    m->marks[m->n_marks++] = m->n_stack;
    return PT_OK;
}

static int do_empty_tuple(struct machine *m, struct pt_error *err)
{
    return push_empty(m, PT_PICKLE_TUPLE, err);
}

static int do_empty_list(struct machine *m, struct pt_error *err)
{
    return push_empty(m, PT_PICKLE_LIST, err);
}

static int do_empty_dict(struct machine *m, struct pt_error *err)
{
    return push_empty(m, PT_PICKLE_DICT, err);
}

static int make_tuple(struct machine *m, size_t first, struct pt_error *err)
{
    value v = {.kind = PT_PICKLE_TUPLE};
    if (new_container(m, &v.index, err))
        return (int)err->status;
    struct pt_pickle_container *c = container(m, v); /* a tuple does not grow: no more room than it needs */
    c->capacity = m->n_stack - first;
    c->items = pt_new_array(c->capacity, sizeof *c->items, err);
    if (!c->items || append_from(m, first, v, err))
        return (int)err->status;
    return push(m, v, err);
}

static int do_tuple(struct machine *m, struct pt_error *err)
{
    size_t first = 0;
    return take_mark(m, &first, err) ? (int)err->status : make_tuple(m, first, err);
}

static int do_tuple1(struct machine *m, struct pt_error *err)
{
    return need(m, 1, err) ? (int)err->status : make_tuple(m, m->n_stack - 1, err);
}

static int do_tuple2(struct machine *m, struct pt_error *err)
{
    return need(m, 2, err) ? (int)err->status : make_tuple(m, m->n_stack - 2, err);
}

static int do_tuple3(struct machine *m, struct pt_error *err)
{
    return need(m, 3, err) ? (int)err->status : make_tuple(m, m->n_stack - 3, err);
}

/* Moves the values from stack[first] on into the list or dict below them. */
static int fill(struct machine *m, size_t first, enum pt_pickle_kind kind, struct pt_error *err)
{
    size_t n = m->n_stack - first;
    if (first <= (m->n_marks ? m->marks[m->n_marks - 1] : 0) || m->stack[first - 1].kind != kind)
        return bad(m, "no list or table to put values into", err);
    if (kind == PT_PICKLE_DICT && n % 2)
        return bad(m, "a key without a value", err);
    return append_from(m, first, m->stack[first - 1], err);
}

static int do_append(struct machine *m, struct pt_error *err)
{
    return need(m, 2, err) ? (int)err->status : fill(m, m->n_stack - 1, PT_PICKLE_LIST, err);
}

static int do_appends(struct machine *m, struct pt_error *err)
{
    size_t first = 0;
    return take_mark(m, &first, err) ? (int)err->status : fill(m, first, PT_PICKLE_LIST, err);
}

static int do_setitem(struct machine *m, struct pt_error *err)
{
    return need(m, 3, err) ? (int)err->status : fill(m, m->n_stack - 2, PT_PICKLE_DICT, err);
}

static int do_setitems(struct machine *m, struct pt_error *err)
{
    size_t first = 0;
    return take_mark(m, &first, err) ? (int)err->status : fill(m, first, PT_PICKLE_DICT, err);
}

/* --- the memo --- */

static int put(struct machine *m, int width, struct pt_error *err)
{
    uint64_t index = 0;
    if (take_number(m, width, &index, err) || need(m, 1, err))
        return (int)err->status;
    if (index >= MEMO_LIMIT)
        return unsupported(m, "a memo of more than 1048576 values", err);
    size_t had = m->remembered_capacity;
    if (pt_reserve(&m->memo, &m->memo_capacity, index + 1, sizeof *m->memo, err) ||
        pt_reserve(&m->remembered, &m->remembered_capacity, index + 1, sizeof *m->remembered, err))
        return (int)err->status;
    if (m->remembered_capacity > had)
        memset(m->remembered + had, 0, (m->remembered_capacity - had) * sizeof *m->remembered);
    m->memo[index] = m->stack[m->n_stack - 1];
    m->remembered[index] = true;
    return PT_OK;
}

static int get(struct machine *m, int width, struct pt_error *err)
{
    uint64_t index = 0;
    if (take_number(m, width, &index, err))
        return (int)err->status;
    if (index >= m->remembered_capacity || !m->remembered[index])
        return bad(m, "a reference to a value that was not remembered", err);
    return push(m, m->memo[index], err);
}

static int do_binput(struct machine *m, struct pt_error *err)
{
    return put(m, 1, err);
}

static int do_long_binput(struct machine *m, struct pt_error *err)
{
    return put(m, 4, err);
}

static int do_binget(struct machine *m, struct pt_error *err)
{
    return get(m, 1, err);
}

static int do_long_binget(struct machine *m, struct pt_error *err)
{
    return get(m, 4, err);
}

/* --- globals, storages, tensors --- */

/* "module\nname\n", looked up in the table and nowhere else. */
static int do_global(struct machine *m, struct pt_error *err)
{
    const uint8_t *text = m->bytes + m->at;
    const uint8_t *middle = memchr(text, '\n', m->n - m->at);
    const uint8_t *end = middle ? memchr(middle + 1, '\n', (size_t)(m->bytes + m->n - middle - 1)) : NULL;
    if (!end)
        return bad(m, "cut short", err);
    m->at = (size_t)(end + 1 - m->bytes);
    size_t module_bytes = (size_t)(middle - text), name_bytes = (size_t)(end - middle - 1);
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        const char *name = globals[i].name;
        if (strlen(name) == module_bytes + 1 + name_bytes && !memcmp(name, text, module_bytes) &&
            !memcmp(name + module_bytes + 1, middle + 1, name_bytes))
            return push(m, (value){.kind = PT_PICKLE_GLOBAL, .index = (uint32_t)i}, err);
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

/* ('storage', type, key, location, elements) */
static int do_binpersid(struct machine *m, struct pt_error *err)
{
    if (need(m, 1, err))
        return (int)err->status;
    value id = m->stack[--m->n_stack];
    if (id.kind != PT_PICKLE_TUPLE || container(m, id)->n != 5)
        return bad(m, "not the description of a storage", err);
    const value *item = container(m, id)->items;
    if (!is_text(item[0], "storage") || item[1].kind != PT_PICKLE_GLOBAL || item[1].index < FIRST_STORAGE ||
        item[2].kind != PT_PICKLE_STRING || item[3].kind != PT_PICKLE_STRING || !is_size(item[4]))
        return bad(m, "not the description of a storage", err);
    struct pt_pickle *p = m->pickle;
    if (pt_reserve(&p->storages, &p->storages_capacity, p->n_storages + 1, sizeof *p->storages, err))
        return (int)err->status;
    p->storages[p->n_storages] = (struct pt_pickle_storage){.key = item[2].text,
                                                            .key_bytes = item[2].index,
                                                            .dtype = globals[item[1].index].dtype,
                                                            .n_elements = (uint64_t)item[4].integer};
    return push(m, (value){.kind = PT_PICKLE_STORAGE, .index = (uint32_t)p->n_storages++}, err);
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

/* (storage, offset, shape, strides, requires_grad, hooks[, metadata]) */
static int rebuild_tensor(struct machine *m, const struct pt_pickle_container *arguments,
                          struct pt_error *err)
{
    const value *item = arguments->items;
    if (arguments->n < 6 || arguments->n > 7 || item[0].kind != PT_PICKLE_STORAGE || !is_size(item[1]) ||
        item[2].kind != PT_PICKLE_TUPLE || item[3].kind != PT_PICKLE_TUPLE)
        return bad(m, "not the description of a tensor", err);
    const struct pt_pickle_container *shape = container(m, item[2]), *strides = container(m, item[3]);
    if (shape->n != strides->n)
        return bad(m, "a tensor with a different number of sizes and strides", err);
    if (shape->n > PT_MAX_RANK)
        return unsupported(m, "a tensor of more than 8 dimensions", err);
    struct pt_pickle_tensor tensor = {
        .storage = item[0].index, .rank = (unsigned)shape->n, .offset = (uint64_t)item[1].integer};
    for (size_t i = 0; i < shape->n; i++) {
        if (!is_size(shape->items[i]) || !is_size(strides->items[i]))
            return bad(m, "a tensor whose sizes and strides are not sizes", err);
        tensor.shape[i] = (uint64_t)shape->items[i].integer;
    }
    tensor.contiguous = is_contiguous(&tensor, strides->items);
    struct pt_pickle *p = m->pickle;
    if (pt_reserve(&p->tensors, &p->tensors_capacity, p->n_tensors + 1, sizeof *p->tensors, err))
        return (int)err->status;
    p->tensors[p->n_tensors] = tensor;
    return push(m, (value){.kind = PT_PICKLE_TENSOR, .index = (uint32_t)p->n_tensors++}, err);
}

/* A call: only of the few that the table knows, and none of them is one. */
static int do_reduce(struct machine *m, struct pt_error *err)
{
    if (need(m, 2, err))
        return (int)err->status;
    value arguments = m->stack[--m->n_stack], called = m->stack[--m->n_stack];
    if (called.kind != PT_PICKLE_GLOBAL || arguments.kind != PT_PICKLE_TUPLE)
        return bad(m, "a call of something that cannot be called", err);
    const struct pt_pickle_container *list = container(m, arguments);
    if (called.index == ORDERED_DICT && list->n == 0)
        return push_empty(m, PT_PICKLE_DICT, err);
    if (called.index == REBUILD_TENSOR)
        return rebuild_tensor(m, list, err);
    if (called.index == REBUILD_PARAMETER && list->n >= 1 && list->items[0].kind == PT_PICKLE_TENSOR)
        return push(m, list->items[0], err);
    return bad(m, "a call of something that cannot be called", err);
}

/* Attributes of a table (a state dict's _metadata) are dropped; nothing else has any. */
static int do_build(struct machine *m, struct pt_error *err)
{
    if (need(m, 2, err))
        return (int)err->status;
    if (m->stack[m->n_stack - 2].kind != PT_PICKLE_DICT)
        return unsupported(m, "attributes of something else than a table", err);
    m->n_stack--;
    return PT_OK;
}

static int do_proto(struct machine *m, struct pt_error *err)
{
    uint64_t protocol = 0;
    if (take_number(m, 1, &protocol, err))
        return (int)err->status;
    return protocol == 2 ? PT_OK : unsupported(m, "a pickle of another protocol than 2", err);
}

static int do_stop(struct machine *m, struct pt_error *err)
{
    if (m->n_stack != 1 || m->n_marks || m->at != m->n)
        return bad(m, "an end that is not the end", err);
    m->pickle->root = m->stack[0];
    m->stopped = true;
    return PT_OK;
}

static operation *const operations[256] = {
    ['('] = do_mark,
    [')'] = do_empty_tuple,
    ['.'] = do_stop,
    ['G'] = do_binfloat,
    ['J'] = do_binint,
    ['K'] = do_binint1,
    ['M'] = do_binint2,
    ['N'] = do_none,
    ['Q'] = do_binpersid,
    ['R'] = do_reduce,
    ['U'] = do_short_binstring,
    ['X'] = do_binunicode,
    [']'] = do_empty_list,
    ['a'] = do_append,
    ['b'] = do_build,
    ['c'] = do_global,
    ['e'] = do_appends,
    ['h'] = do_binget,
    ['j'] = do_long_binget,
    ['q'] = do_binput,
    ['r'] = do_long_binput,
    ['s'] = do_setitem,
    ['t'] = do_tuple,
    ['u'] = do_setitems,
    ['}'] = do_empty_dict,
    [0x80] = do_proto,
    [0x85] = do_tuple1,
    [0x86] = do_tuple2,
    [0x87] = do_tuple3,
    [0x88] = do_true,
    [0x89] = do_false,
    [0x8a] = do_long1,
};

static int execute(struct machine *m, struct pt_error *err)
{
    while (!m->stopped) {
        m->opcode_at = m->at;
        const uint8_t *opcode = take(m, 1, err);
        if (!opcode)
            return (int)err->status;
        if (!operations[*opcode])
            return pt_fail(err, PT_MISMATCH,
                           "pickle: byte %zu: opcode 0x%02x is not one that a table of tensors needs",
                           m->opcode_at, *opcode);
        if (operations[*opcode](m, err))
            return (int)err->status;
    }
    return PT_OK;
}

int pt_pickle_read(struct pt_pickle *pickle, const void *bytes, size_t n, struct pt_error *err)
{
    *pickle = (struct pt_pickle){0};
    if (n > PICKLE_LIMIT)
        return pt_fail(err, PT_MISMATCH, "a pickle of %zu bytes (at most %d)", n, PICKLE_LIMIT);
    struct machine m = {.pickle = pickle, .bytes = bytes, .n = n};
    if (execute(&m, err))
        pt_pickle_free(pickle);
    free(m.stack);
    free(m.memo);
    free(m.remembered);
    return (int)err->status;
}

void pt_pickle_free(struct pt_pickle *pickle)
{
    for (size_t i = 0; i < pickle->n_containers; i++)
        free(pickle->containers[i].items);
    free(pickle->containers);
    free(pickle->storages);
    free(pickle->tensors);
    *pickle = (struct pt_pickle){0};
}
