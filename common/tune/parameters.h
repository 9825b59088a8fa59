/*
 * Named tensors that are trained: what optimiser, clipping, state and files work on. They never know which
 * method they serve.
 */
#ifndef PT_TUNE_PARAMETERS_H
#define PT_TUNE_PARAMETERS_H

#include "base/error.h"
#include "fmt/tensors.h"

struct pt_parameter {
    char *name; /* owned; PEFT's name in the file: "prompt_embeddings" */
    unsigned rank;
    uint64_t shape[PT_MAX_RANK];
    size_t n;        /* elements */
    float *value;    /* [n], owned */
    float *gradient; /* [n], owned */
    bool decay;      /* weight decay applies */
};

struct pt_parameters {
    struct pt_parameter *list; /* owned */
    size_t n;
};

/* A zeroed parameter at the end of the list; the pointer is valid until the next one is added. NULL on
 * failure. */
struct pt_parameter *pt_parameters_add(struct pt_parameters *parameters, const char *name, unsigned rank,
                                       const uint64_t *shape, bool decay, struct pt_error *err) PT_MUST_USE;
struct pt_parameter *pt_parameters_find(const struct pt_parameters *parameters, const char *name);
void pt_parameters_zero_gradients(struct pt_parameters *parameters);
size_t pt_parameters_count(const struct pt_parameters *parameters); /* elements of all */
void pt_parameters_free(struct pt_parameters *parameters);

#endif
