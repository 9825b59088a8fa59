/*
 * Rotary position embedding's frequencies, in the kinds that configurations ask for (transformers,
 * modeling_rope_utils.py).
 */
#ifndef PT_MODEL_ROPE_H
#define PT_MODEL_ROPE_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * PT_ROPE_DYNAMIC equals PT_ROPE_DEFAULT up to max_position_embeddings; beyond it every angle depends on the
 * whole sequence's length, and such sequences are refused.
 */
enum pt_rope_kind { PT_ROPE_DEFAULT, PT_ROPE_LINEAR, PT_ROPE_DYNAMIC, PT_ROPE_LLAMA3, PT_ROPE_YARN };

struct pt_rope {
    enum pt_rope_kind kind;
    double theta;                   /* base of the frequencies */
    double fraction;                /* of a head's elements that are turned: partial_rotary_factor */
    double factor;                  /* 0: not given */
    double original_positions;      /* of the model before it was stretched; 0: not given */
    double low_factor, high_factor; /* llama3 */
    double beta_fast, beta_slow;    /* yarn; 0: not given */
    double mscale, mscale_all;      /* yarn; 0: not given */
    double attention_factor;        /* yarn: on cosines and sines; 0: not given */
    bool no_truncation;             /* yarn: the range's bounds are not rounded */
};

/*
 * Reads config.json's rope_parameters or rope_scaling object into *rope, which holds the defaults. What the
 * kind needs and the object lacks is taken from `positions` (max_position_embeddings) where transformers does
 * so. PT_MISMATCH names a kind or a field that is not supported; `where` is for messages.
 */
int pt_rope_read(struct pt_rope *rope, const json_t *object, uint64_t positions, const char *where,
                 struct pt_error *err) PT_MUST_USE;

/* Elements of a head that are turned. */
size_t pt_rope_dimension(const struct pt_rope *rope, uint64_t head_dim);
/* frequencies [dimension / 2]: the angle of position 1, in f32 as transformers computes them. Returns the
 * factor on cosines and sines. */
float pt_rope_frequencies(const struct pt_rope *rope, size_t dimension, float *frequencies);

#endif
