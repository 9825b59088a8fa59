/*
 * The named places where a tuning method plugs into the frozen model. The engine reads this description and
 * never asks which method it runs; whatever may be left out of the work (rows, gradients, inputs of linears)
 * follows from what is plugged in here. Values are read, and gradients are added to (+=), during
 * pt_engine_update.
 */
#ifndef PT_MODEL_PLUGS_H
#define PT_MODEL_PLUGS_H

#include "model/family.h"

#include <stddef.h>

/* Rows in front of every input, where token embeddings go in: prompt tuning, P-tuning's output. */
struct pt_plug_rows {
    size_t n;
    const float *values; /* [n, hidden] */
    float *gradient;     /* [n, hidden], NULL: not trained */
};

/* Keys and values in front of one layer, seen by every query: prefix tuning. */
struct pt_plug_keys {
    unsigned layer;
    size_t n;
    const float *k, *v; /* [n, n_kv_heads * head_dim] */
    float *dk, *dv;     /* the same shape, NULL: not trained */
};

/* y += scale * B (A x) on one linear: LoRA. */
struct pt_plug_delta {
    unsigned layer;
    enum pt_role role; /* of the linear's weight */
    size_t rank;
    float scale;
    const float *a, *b; /* [rank, in], [out, rank] */
    float *da, *db;
};

/* A tensor of the model replaced by the method's own f32 one: parameters set free. */
struct pt_plug_tensor {
    unsigned layer;
    enum pt_role role;
    const float *value; /* the tensor's shape */
    float *gradient;    /* the same, NULL: not trained */
};

struct pt_plugs {
    struct pt_plug_rows rows;
    const struct pt_plug_keys *keys;
    size_t n_keys;
    const struct pt_plug_delta *deltas;
    size_t n_deltas;
    const struct pt_plug_tensor *tensors;
    size_t n_tensors;
};

#endif
