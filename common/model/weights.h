/*
 * The table in which the engine looks everything up: the model's weights, with a method's own in their place,
 * the gradients that are wanted, and the deltas and keys that are plugged in. The loop over layers reads this
 * and never asks for the method.
 */
#ifndef PT_MODEL_WEIGHTS_H
#define PT_MODEL_WEIGHTS_H

#include "model/linear.h"
#include "model/model.h"
#include "model/plugs.h"

struct pt_norm {
    const float *weight; /* [hidden] or [head_dim] f32; NULL where the model has no such norm */
    const float *bias;   /* the same, or NULL */
    float *weight_gradient, *bias_gradient;
};

/* Where a model has no such tensors, norms and projections are empty. `up` is the gate's part, if there is
 * one, and the up part. */
struct pt_layer {
    struct pt_norm attention_norm, q_norm, k_norm, attention_out_norm, mlp_norm, mlp_out_norm;
    struct pt_projection qkv, up;
    struct pt_linear attention_out, mlp_down;
    const struct pt_plug_keys *keys; /* in front of the layer's own, or NULL */
};

/* A method's own norm weight in a family whose norms multiply by 1 + weight. */
struct pt_raised {
    const float *weight; /* [n] borrowed */
    float *sum;          /* [n] 1 + weight, owned */
    size_t n;
};

/*
 * The steps of a layer in the order of the forward. A step's parameters are what the backward may have to
 * reach. The two behind the last layer count as steps of a layer n_layers.
 */
enum pt_step {
    PT_STEP_ATTENTION_NORM,
    PT_STEP_QKV,
    PT_STEP_ATTENTION_OUT,
    PT_STEP_ATTENTION_OUT_NORM,
    PT_STEP_MLP_NORM,
    PT_STEP_MLP_UP,
    PT_STEP_MLP_DOWN,
    PT_STEP_MLP_OUT_NORM,
    PT_STEPS,
    PT_STEP_FINAL_NORM = 0,
    PT_STEP_HEAD,
};

struct pt_weights {
    struct pt_matrix embedding, position_embedding; /* position_embedding.data NULL: none */
    float *embedding_gradient, *position_gradient;
    float embedding_scale; /* on the embedding's rows */
    struct pt_norm embedding_norm, final_norm;
    struct pt_linear head;
    const struct pt_tensor *stored_head; /* pt_model_head, NULL where a method replaces it */
    struct pt_layer *layers;             /* [n_layers], owned */
    struct pt_plug_rows rows;
    float *vectors; /* owned f32 copies of biases and norms */
    float *panels;  /* owned, in which matrices are kept for products (panels.h), or NULL */
    uint64_t panels_bytes;
    struct pt_raised *raised; /* [n_raised], owned */
    size_t n_raised;
    size_t n_keys; /* keys of a method in front of a layer, the most: positions count behind them */
    size_t lowest; /* place of the lowest thing trained (weights.c); SIZE_MAX where nothing is */
    size_t largest_rank, largest_delta_out; /* of all deltas */
};

/* The model and the plugs' arrays are borrowed. A plug for a tensor or layer that the model lacks is
 * PT_MISMATCH. */
int pt_weights_open(struct pt_weights *weights, const struct pt_model *model, const struct pt_plugs *plugs,
                    struct pt_error *err) PT_MUST_USE;
void pt_weights_close(struct pt_weights *weights);

/* Follows what a method did to its values since the last pass. */
void pt_weights_refresh(struct pt_weights *weights);

/* Whether anything is trained; at or below a step of a layer; below the first layer. */
bool pt_weights_trained(const struct pt_weights *weights);
bool pt_weights_reach_step(const struct pt_weights *weights, size_t layer, enum pt_step step);
bool pt_weights_reach_input(const struct pt_weights *weights);
/* Whether the gradient at the first layer's input is wanted for the rows in front alone. */
bool pt_weights_front_rows_alone(const struct pt_weights *weights);
bool pt_norm_is_trained(const struct pt_norm *norm);

#endif
