/*
 * A stack machine (opcodes as in Python's pickletools; what torch.save writes uses about thirty). Values are
 * small and copied; containers, storages and tensors live in lists and are named by index, so that references
 * shared through the memo, or going in circles, are harmless: nothing here recurses. Everything that grows is
 * bounded by the pickle's size or by a limit below.
 */
#include "fmt/pickle_machine.h"

#include "base/integer.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    MEMO_LIMIT = 1 << 20,
    CONTAINER_LIMIT = 1 << 20,
    STRING_LIMIT = 1 << 12,
};

typedef struct pt_pickle_value value;

typedef int operation(struct pt_pickle_machine *m, struct pt_error *err);

int pt_pickle_bad(const struct pt_pickle_machine *m, const char *what, struct pt_error *err)
{
    return pt_fail(err, PT_BAD_INPUT, "damaged pickle: byte %zu: %s", m->opcode_at, what);
}

int pt_pickle_unsupported(const struct pt_pickle_machine *m, const char *what, struct pt_error *err)
{
    return pt_fail(err, PT_MISMATCH, "pickle: byte %zu: %s", m->opcode_at, what);
}

/* --- the bytes --- */

static const uint8_t *take(struct pt_pickle_machine *m, size_t n, struct pt_error *err)
{
    if (n > m->n - m->at) {
        pt_pickle_bad(m, "cut short", err);
        return NULL;
    }
    m->at += n;
    return m->bytes + m->at - n;
}

static int take_number(struct pt_pickle_machine *m, int width, uint64_t *number, struct pt_error *err)
{
    const uint8_t *bytes = take(m, (size_t)width, err);
    if (!bytes)
        return (int)err->status;
    *number = pt_little_endian(bytes, (size_t)width);
    return PT_OK;
}

/* --- the stack --- */

int pt_pickle_push(struct pt_pickle_machine *m, value v, struct pt_error *err)
{
    if (pt_reserve(&m->stack, &m->stack_capacity, m->n_stack + 1, sizeof *m->stack, err))
        return (int)err->status;
    m->stack[m->n_stack++] = v;
    return PT_OK;
}

/* How many values lie above the last mark, and may be taken. */
static size_t available(const struct pt_pickle_machine *m)
{
    return m->n_stack - (m->n_marks ? m->marks[m->n_marks - 1] : 0);
}

int pt_pickle_need(struct pt_pickle_machine *m, size_t n, struct pt_error *err)
{
    return available(m) < n ? pt_pickle_bad(m, "too few values on the stack", err) : PT_OK;
}

/* Takes the mark away; the values that lay above it are stack[*first .. n_stack). */
static int take_mark(struct pt_pickle_machine *m, size_t *first, struct pt_error *err)
{
    if (!m->n_marks)
        return pt_pickle_bad(m, "no mark on the stack", err);
    *first = m->marks[--m->n_marks];
    return PT_OK;
}

static int new_container(struct pt_pickle_machine *m, uint32_t *index, struct pt_error *err)
{
    struct pt_pickle *p = m->pickle;
    if (p->n_containers == CONTAINER_LIMIT)
        return pt_pickle_unsupported(m, "too many lists and tables", err);
    if (pt_reserve(&p->containers, &p->containers_capacity, p->n_containers + 1, sizeof *p->containers, err))
        return (int)err->status;
    *index = (uint32_t)p->n_containers;
    p->containers[p->n_containers++] = (struct pt_pickle_container){0};
    return PT_OK;
}

struct pt_pickle_container *pt_pickle_container_of(const struct pt_pickle_machine *m, value v)
{
    return &m->pickle->containers[v.index];
}

/* Moves the values from stack[first] on to the end of a container. */
static int append_from(struct pt_pickle_machine *m, size_t first, value to, struct pt_error *err)
{
    struct pt_pickle_container *c = pt_pickle_container_of(m, to);
    size_t n = m->n_stack - first;
    if (pt_reserve(&c->items, &c->capacity, c->n + n, sizeof *c->items, err))
        return (int)err->status;
    if (n)
        memcpy(c->items + c->n, m->stack + first, n * sizeof *c->items);
    c->n += n;
    m->n_stack = first;
    return PT_OK;
}

int pt_pickle_push_empty(struct pt_pickle_machine *m, enum pt_pickle_kind kind, struct pt_error *err)
{
    value v = {.kind = kind};
    return new_container(m, &v.index, err) ? (int)err->status : pt_pickle_push(m, v, err);
}

/* --- scalars --- */

static int push_integer(struct pt_pickle_machine *m, int64_t integer, struct pt_error *err)
{
    return pt_pickle_push(m, (value){.kind = PT_PICKLE_INTEGER, .integer = integer}, err);
}

static int do_none(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_push(m, (value){.kind = PT_PICKLE_NONE}, err);
}

static int do_true(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_push(m, (value){.kind = PT_PICKLE_BOOL, .integer = 1}, err);
}

static int do_false(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_push(m, (value){.kind = PT_PICKLE_BOOL}, err);
}

static int do_binint(struct pt_pickle_machine *m, struct pt_error *err)
{
    uint64_t number = 0;
    return take_number(m, 4, &number, err) ? (int)err->status
                                           : push_integer(m, (int32_t)(uint32_t)number, err);
}

static int do_binint1(struct pt_pickle_machine *m, struct pt_error *err)
{
    uint64_t number = 0;
    return take_number(m, 1, &number, err) ? (int)err->status : push_integer(m, (int64_t)number, err);
}

static int do_binint2(struct pt_pickle_machine *m, struct pt_error *err)
{
    uint64_t number = 0;
    return take_number(m, 2, &number, err) ? (int)err->status : push_integer(m, (int64_t)number, err);
}

static int do_long1(struct pt_pickle_machine *m, struct pt_error *err)
{
    uint64_t width = 0, number = 0;
    if (take_number(m, 1, &width, err))
        return (int)err->status;
    if (width > 8)
        return pt_pickle_unsupported(m, "an integer of more than 64 bits", err);
    if (take_number(m, (int)width, &number, err))
        return (int)err->status;
    if (width && width < 8 && number >> (8 * width - 1))
        number |= UINT64_MAX << 8 * width; /* two's complement, sign extended */
    return push_integer(m, (int64_t)number, err);
}

static int do_binfloat(struct pt_pickle_machine *m, struct pt_error *err)
{
    uint64_t little = 0;
    if (take_number(m, 8, &little, err))
        return (int)err->status;
    uint64_t big = __builtin_bswap64(little); /* the only big-endian number of a pickle */
    value v = {.kind = PT_PICKLE_REAL};
    memcpy(&v.real, &big, sizeof v.real);
    return pt_pickle_push(m, v, err);
}

static int push_string(struct pt_pickle_machine *m, int width, struct pt_error *err)
{
    uint64_t length = 0;
    if (take_number(m, width, &length, err))
        return (int)err->status;
    const uint8_t *text = take(m, length, err);
    if (!text)
        return (int)err->status;
    if (length > STRING_LIMIT)
        return pt_pickle_unsupported(m, "a string of more than 4096 bytes", err);
    return pt_pickle_push(
        m, (value){.kind = PT_PICKLE_STRING, .index = (uint32_t)length, .text = (const char *)text}, err);
}

static int do_binunicode(struct pt_pickle_machine *m, struct pt_error *err)
{
    return push_string(m, 4, err);
}

static int do_short_binstring(struct pt_pickle_machine *m, struct pt_error *err)
{
    return push_string(m, 1, err);
}

/* --- containers --- */

static int do_mark(struct pt_pickle_machine *m, struct pt_error *err)
{
    if (m->n_marks == PT_PICKLE_MARKS)
        return pt_pickle_unsupported(m, "nested too deeply", err);
    m->marks[m->n_marks++] = m->n_stack;
    return PT_OK;
}

static int do_empty_tuple(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_push_empty(m, PT_PICKLE_TUPLE, err);
}

static int do_empty_list(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_push_empty(m, PT_PICKLE_LIST, err);
}

static int do_empty_dict(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_push_empty(m, PT_PICKLE_DICT, err);
}

static int make_tuple(struct pt_pickle_machine *m, size_t first, struct pt_error *err)
{
    value v = {.kind = PT_PICKLE_TUPLE};
    if (new_container(m, &v.index, err))
        return (int)err->status;
    struct pt_pickle_container *c =
        pt_pickle_container_of(m, v); /* a tuple does not grow: no more room than it needs */
    c->capacity = m->n_stack - first;
    c->items = pt_new_array(c->capacity, sizeof *c->items, err);
    if (!c->items || append_from(m, first, v, err))
        return (int)err->status;
    return pt_pickle_push(m, v, err);
}

static int do_tuple(struct pt_pickle_machine *m, struct pt_error *err)
{
    size_t first = 0;
    return take_mark(m, &first, err) ? (int)err->status : make_tuple(m, first, err);
}

static int do_tuple1(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_need(m, 1, err) ? (int)err->status : make_tuple(m, m->n_stack - 1, err);
}

static int do_tuple2(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_need(m, 2, err) ? (int)err->status : make_tuple(m, m->n_stack - 2, err);
}

static int do_tuple3(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_need(m, 3, err) ? (int)err->status : make_tuple(m, m->n_stack - 3, err);
}

/* Moves the values from stack[first] on into the list or dict below them. */
static int fill(struct pt_pickle_machine *m, size_t first, enum pt_pickle_kind kind, struct pt_error *err)
{
    size_t n = m->n_stack - first;
    if (first <= (m->n_marks ? m->marks[m->n_marks - 1] : 0) || m->stack[first - 1].kind != kind)
        return pt_pickle_bad(m, "no list or table to put values into", err);
    if (kind == PT_PICKLE_DICT && n % 2)
        return pt_pickle_bad(m, "a key without a value", err);
    return append_from(m, first, m->stack[first - 1], err);
}

static int do_append(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_need(m, 2, err) ? (int)err->status : fill(m, m->n_stack - 1, PT_PICKLE_LIST, err);
}

static int do_appends(struct pt_pickle_machine *m, struct pt_error *err)
{
    size_t first = 0;
    return take_mark(m, &first, err) ? (int)err->status : fill(m, first, PT_PICKLE_LIST, err);
}

static int do_setitem(struct pt_pickle_machine *m, struct pt_error *err)
{
    return pt_pickle_need(m, 3, err) ? (int)err->status : fill(m, m->n_stack - 2, PT_PICKLE_DICT, err);
}

static int do_setitems(struct pt_pickle_machine *m, struct pt_error *err)
{
    size_t first = 0;
    return take_mark(m, &first, err) ? (int)err->status : fill(m, first, PT_PICKLE_DICT, err);
}

/* --- the memo --- */

static int put(struct pt_pickle_machine *m, int width, struct pt_error *err)
{
    uint64_t index = 0;
    if (take_number(m, width, &index, err) || pt_pickle_need(m, 1, err))
        return (int)err->status;
    if (index >= MEMO_LIMIT)
        return pt_pickle_unsupported(m, "a memo of more than 1048576 values", err);
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

static int get(struct pt_pickle_machine *m, int width, struct pt_error *err)
{
    uint64_t index = 0;
    if (take_number(m, width, &index, err))
        return (int)err->status;
    if (index >= m->remembered_capacity || !m->remembered[index])
        return pt_pickle_bad(m, "a reference to a value that was not remembered", err);
    return pt_pickle_push(m, m->memo[index], err);
}

static int do_binput(struct pt_pickle_machine *m, struct pt_error *err)
{
    return put(m, 1, err);
}

static int do_long_binput(struct pt_pickle_machine *m, struct pt_error *err)
{
    return put(m, 4, err);
}

static int do_binget(struct pt_pickle_machine *m, struct pt_error *err)
{
    return get(m, 1, err);
}

static int do_long_binget(struct pt_pickle_machine *m, struct pt_error *err)
{
    return get(m, 4, err);
}

/* --- the machine --- */

static int do_proto(struct pt_pickle_machine *m, struct pt_error *err)
{
    uint64_t protocol = 0;
    if (take_number(m, 1, &protocol, err))
        return (int)err->status;
    return protocol == 2 ? PT_OK : pt_pickle_unsupported(m, "a pickle of another protocol than 2", err);
}

static int do_stop(struct pt_pickle_machine *m, struct pt_error *err)
{
    if (m->n_stack != 1 || m->n_marks)
        return pt_pickle_bad(m, "an end that is not the end", err);
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
    ['Q'] = pt_pickle_binpersid,
    ['R'] = pt_pickle_reduce,
    ['U'] = do_short_binstring,
    ['X'] = do_binunicode,
    [']'] = do_empty_list,
    ['a'] = do_append,
    ['b'] = pt_pickle_build,
    ['c'] = pt_pickle_global,
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

static int execute(struct pt_pickle_machine *m, struct pt_error *err)
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
    if (n > PT_PICKLE_LIMIT)
        return pt_fail(err, PT_MISMATCH, "a pickle of %zu bytes (at most %d)", n, PT_PICKLE_LIMIT);
    struct pt_pickle_machine m = {.pickle = pickle, .bytes = bytes, .n = n};
    if (execute(&m, err))
        pt_pickle_free(pickle);
    pickle->n_bytes = m.at;
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
