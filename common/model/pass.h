/*
 * One pass over a list of rows: what forward, loss and backward share. A pass computes the rows from `from`
 * on, which is 0 or, where the rows in front were computed in an earlier pass (their keys and values are
 * kept), their number.
 */
#ifndef PT_MODEL_PASS_H
#define PT_MODEL_PASS_H

#include "math/attention.h"
#include "model/position_tables.h"
#include "model/rows.h"
#include "model/workspace.h"

struct pt_pass {
    const struct pt_math *math;
    const struct pt_model *model;
    const struct pt_config *config;
    bool streamed; /* the model is larger than memory */
    struct pt_weights *weights;
    struct pt_attention_shape shapes[2]; /* of layers that see everything, and of local ones */
    struct pt_position_tables *tables;
    struct pt_workspace *space;
    struct pt_rows *rows;
    float *front_keys;           /* [n_layers, n_front, 2 * kv] keys and values of the rows in front */
    float *front_key_gradients;  /* the same shape, summed over passes; NULL where there is no backward */
    float *front_final_gradient; /* [hidden] of the last row in front behind the final norm, summed over
                                    passes */
    struct pt_segment *segments; /* [n_runs + 1] scratch */
    size_t segments_capacity;
};

/* Rows that a pass computes: of the matrix, and of the final rows. */
struct pt_span {
    size_t first, n;
};
struct pt_span pt_pass_rows(const struct pt_pass *pass, size_t from);
struct pt_span pt_pass_final_rows(const struct pt_pass *pass, size_t from);
bool pt_pass_is_last(const struct pt_pass *pass, size_t layer);
const struct pt_attention_shape *pt_pass_shape(const struct pt_pass *pass, size_t layer);

/* The angles of a layer's rows. */
const struct pt_rotary_table *pt_pass_rotary(const struct pt_pass *pass, size_t layer);

/* Where q (0), k (1) and v (2) lie in rows of the projection. */
struct pt_heads pt_pass_qkv_heads(const struct pt_pass *pass, float *qkv, unsigned which);
size_t pt_pass_n_heads(const struct pt_pass *pass, unsigned which);
/* Where keys (0) and values (1) of a layer's rows in front lie in `front_keys` or `front_key_gradients`. */
struct pt_heads pt_pass_front_heads(const struct pt_pass *pass, float *front, size_t layer, unsigned which);
void pt_copy_heads(const struct pt_pass *pass, size_t n_rows, struct pt_heads from, struct pt_heads to);

/* The attention segments of a layer into pass->segments; with dqkv [rows, qkv] the places for gradients as
 * well. */
int pt_pass_segments(struct pt_pass *pass, size_t layer, size_t from, float *dqkv, size_t *n_segments,
                     struct pt_error *err) PT_MUST_USE;

/* The MLP's activation: from the layer's kept `up` to space->inner; and the gradient of space->inner to that
 * of `up`, in space->wide. */
void pt_pass_activate(const struct pt_pass *pass, size_t layer, struct pt_span span);
void pt_pass_activate_backward(const struct pt_pass *pass, size_t layer, struct pt_span span);

/* Where the projection to q, k and v lies by group: from that order to blocks, and back. */
void pt_pass_ungroup(const struct pt_pass *pass, struct pt_span span, const float *grouped, float *blocks);
void pt_pass_group(const struct pt_pass *pass, struct pt_span span, const float *blocks, float *grouped);

/* The rows as they go into the embedding norm: to [rows, hidden], from row `from` on. */
void pt_pass_input(const struct pt_pass *pass, size_t from, float *to);
/* From the input to the final norm's output (space->final), with everything on the way kept that a backward
 * reads, as far as space->keep goes. */
int pt_pass_forward(struct pt_pass *pass, size_t from, struct pt_error *err) PT_MUST_USE;
/* Once more from a layer's kept input to everything that its backward reads. */
int pt_pass_layer_again(struct pt_pass *pass, size_t layer, size_t from, struct pt_error *err) PT_MUST_USE;

/* Logits [n_predictions, vocab] of all predictions. */
void pt_pass_logits(const struct pt_pass *pass, float *logits);
/* Adds each prediction's loss to its sequence's; with `backward` leaves the gradient behind the final norm in
 * space->gradient (final rows) and adds to front_final_gradient and to the head's gradients. */
void pt_pass_loss(const struct pt_pass *pass, bool backward, struct pt_sequence_loss *each);

/* From space->gradient down to the lowest thing that is trained. `from` may be 0 in the last pass only. */
int pt_pass_backward(struct pt_pass *pass, size_t from, struct pt_error *err) PT_MUST_USE;

#endif
