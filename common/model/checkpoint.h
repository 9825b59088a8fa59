/*
 * The tensor files of a model folder, mapped.
 */
#ifndef PT_MODEL_CHECKPOINT_H
#define PT_MODEL_CHECKPOINT_H

#include "fmt/tensors.h"

struct pt_checkpoint {
    struct pt_tensors
        *sets; /* owned, one a file; no tensor's name occurs in two of them as long as an index was kept to */
    size_t n;
};

/*
 * config.json of a model folder; the caller owns *config. A folder that holds none and a path that is no
 * folder are PT_BAD_INPUT; a path that does not exist is PT_FAILED.
 */
int pt_checkpoint_config(json_t **config, const char *folder, struct pt_error *err) PT_MUST_USE;

/*
 * Opens what is there, in transformers' order: model.safetensors, model.safetensors.index.json,
 * pytorch_model.bin, pytorch_model.bin.index.json. A shard that is missing, or a tensor that is not where the
 * index says, is PT_BAD_INPUT.
 */
int pt_checkpoint_open(struct pt_checkpoint *checkpoint, const char *folder,
                       struct pt_error *err) PT_MUST_USE;
void pt_checkpoint_close(struct pt_checkpoint *checkpoint);

#endif
