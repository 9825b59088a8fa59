/*
 * Tuning methods. A method is a row of functions in a file of its own (prompt_tuning.c is the first) and a
 * line in the list in method.c; files, optimiser, loop, and evaluation work on its parameters and plugs and
 * never ask which method they serve.
 */
#ifndef PT_TUNE_METHOD_H
#define PT_TUNE_METHOD_H

#include "tune/init.h"
#include "tune/tuned.h"

/* What every method has, and what it fills. Everybody else uses tuned.h. */
struct pt_tuned {
    const struct pt_method *method;
    char *name;                      /* owned; for messages */
    struct pt_parameters parameters; /* named as in the file of ours: PEFT's names where PEFT has them */
    struct pt_plugs plugs;           /* what the engine reads, filled by forward */
    json_t *metadata;                /* owned object of strings, keys of tuned.h */
    void *own; /* the method's own: tables behind the plugs, activations of an encoder; see release */
};

struct pt_method {
    const char *name;      /* as pt-init --method takes it: "prompt" */
    const char *peft_type; /* in adapter_config.json: "PROMPT_TUNING" */
    bool rows_are_tokens;  /* the first dimension of each parameter counts virtual tokens, so that prompts can
                              be concatenated */

    /* Adds the parameters with their first values, and says in the metadata what their source was. */
    int (*create)(struct pt_tuned *tuned, const struct pt_init *init, const struct pt_model *model,
                  struct pt_error *err);
    /* Adds the parameters from a file's tensors. `config` is the adapter_config.json beside them, or NULL.
     * PT_MISMATCH for a tensor that is missing or not the method's. */
    int (*load)(struct pt_tuned *tuned, const struct pt_tensors *set, const json_t *config,
                struct pt_error *err);
    /* PT_MISMATCH where the parameters' shapes do not fit the model. */
    int (*check)(const struct pt_tuned *tuned, const struct pt_model *model, struct pt_error *err);
    /* Fills the plugs from the parameters' values. */
    int (*forward)(struct pt_tuned *tuned, struct pt_error *err);
    /* Carries the plugs' gradients into the parameters' (+=); NULL where the plugs point at those. */
    int (*backward)(struct pt_tuned *tuned, struct pt_error *err);
    /* The tensors of PEFT's file (borrowed from tuned or kept by the set) and the method's own keys of
     * adapter_config.json. */
    int (*export_peft)(const struct pt_tuned *tuned, struct pt_tensors *set, json_t *config,
                       struct pt_error *err);
    /* Frees `own`; NULL where there is none. */
    void (*release)(struct pt_tuned *tuned);
};

/* By its name, or by PEFT's; PT_MISMATCH names one that is not supported and lists those that are. */
int pt_method_find(const struct pt_method **method, const char *name, struct pt_error *err) PT_MUST_USE;
int pt_method_find_peft(const struct pt_method **method, const char *peft_type,
                        struct pt_error *err) PT_MUST_USE;

#endif
