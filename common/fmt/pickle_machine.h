/*
 * The stack machine that reads pickles: what its opcodes in pickle.c and pickle_torch.c share. Inside of fmt
 * only.
 */
#ifndef PT_FMT_PICKLE_MACHINE_H
#define PT_FMT_PICKLE_MACHINE_H

#include "fmt/pickle.h"

enum { PT_PICKLE_MARKS = 64 };

struct pt_pickle_machine {
    struct pt_pickle *pickle;
    const uint8_t *bytes;
    size_t n, at, opcode_at;
    struct pt_pickle_value *stack; /* owned */
    size_t n_stack, stack_capacity;
    size_t marks[PT_PICKLE_MARKS]; /* heights of the stack */
    size_t n_marks;
    struct pt_pickle_value *memo; /* owned; only what was put there may be got */
    bool *remembered;
    size_t memo_capacity, remembered_capacity;
    bool stopped;
};

/* Failures that name the opcode's place. */
int pt_pickle_bad(const struct pt_pickle_machine *m, const char *what, struct pt_error *err);
int pt_pickle_unsupported(const struct pt_pickle_machine *m, const char *what, struct pt_error *err);

/* Refuses where fewer than n values lie above the last mark. */
int pt_pickle_need(struct pt_pickle_machine *m, size_t n, struct pt_error *err) PT_MUST_USE;
int pt_pickle_push(struct pt_pickle_machine *m, struct pt_pickle_value v, struct pt_error *err) PT_MUST_USE;
/* Pushes a new tuple, list or dict. */
int pt_pickle_push_empty(struct pt_pickle_machine *m, enum pt_pickle_kind kind,
                         struct pt_error *err) PT_MUST_USE;
/* Valid until the next container is made. */
struct pt_pickle_container *pt_pickle_container_of(const struct pt_pickle_machine *m,
                                                   struct pt_pickle_value v);

/* The opcodes whose meaning is PyTorch's: GLOBAL, BINPERSID, REDUCE, BUILD. */
int pt_pickle_global(struct pt_pickle_machine *m, struct pt_error *err) PT_MUST_USE;
int pt_pickle_binpersid(struct pt_pickle_machine *m, struct pt_error *err) PT_MUST_USE;
int pt_pickle_reduce(struct pt_pickle_machine *m, struct pt_error *err) PT_MUST_USE;
int pt_pickle_build(struct pt_pickle_machine *m, struct pt_error *err) PT_MUST_USE;

#endif
