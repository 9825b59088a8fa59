/*
 * All row buffers of the engine in one block: what is kept of each layer for the backward, and scratch. Pages
 * that are never written cost no memory. Where all of it is too much, the inputs of the layers are kept alone,
 * and the backward computes the rest of a layer again (T. Chen and others, Training Deep Nets with Sublinear
 * Memory Cost, 2016).
 */
#ifndef PT_MODEL_WORKSPACE_H
#define PT_MODEL_WORKSPACE_H

#include "model/weights.h"

#include <stdint.h>

/* At most so many rows of logits exist at a time. */
enum { PT_LOGIT_ROWS = 256, PT_CAPPED_ROWS = 16 };

enum pt_keep {
    PT_KEEP_NOTHING, /* there is no backward: all layers use the same buffers */
    PT_KEEP_INPUTS,  /* each layer has its input, and all share the rest, which a backward computes again */
    PT_KEEP_ALL,
};

/* [rows] of a norm; a norm of heads has a value for each of them. */
struct pt_statistics {
    float *mean, *rstd;
};

/* What is kept of one half of a layer, attention or MLP. */
struct pt_half {
    struct pt_statistics norm; /* of the norm in front of the half or behind it */
    float
        *branch; /* [rows, hidden] the sub-layer's result in front of a norm of its own; NULL: it has none */
    struct pt_statistics branch_norm;
    float *sum; /* [rows, hidden] with the residual added, in front of a norm behind; NULL: there is none */
};

/* What is kept of a layer. In the last one everything behind `log_sums` belongs to the final rows. */
struct pt_kept {
    float *x;         /* [rows, hidden] the layer's input */
    float *raw;       /* [rows, qkv] in front of the norms of q and k; NULL where there are none */
    float *q_rstd;    /* [rows, n_heads] of these norms, */
    float *k_rstd;    /* [rows, n_kv_heads] */
    float *qkv;       /* [rows, qkv] */
    float *log_sums;  /* [rows, n_heads] */
    float *attention; /* [rows, q] attention's output; kept only where the projection behind it needs it */
    struct pt_half attention_half, mlp_half;
    float *mid;   /* [rows, hidden] the stream between attention and MLP */
    float *mlp_x; /* [rows, hidden] what the MLP's norm reads: mid, or the layer's input */
    float *up;    /* [rows, up size] before the activation: the gate's part first */
};

struct pt_workspace {
    void *block;   /* owned */
    size_t n_rows; /* room for so many rows */
    enum pt_keep keep;
    struct pt_kept *kept; /* [n_layers], owned */
    struct pt_statistics embedding_norm, final_norm;
    float *output;            /* [rows, hidden] of the last layer, final rows */
    float *final;             /* [rows, hidden] the same behind the final norm */
    float *normed, *gradient; /* [rows, hidden] scratch; the gradient that the backward carries down */
    float *attention;         /* [rows, max(q, hidden)] scratch */
    float *wide;              /* [rows, max(up size, qkv)] scratch */
    float *grouped; /* [rows, qkv] q, k and v by group, as the projection has them; NULL elsewhere */
    float *inner;   /* [rows, intermediate] scratch; `wide` where the MLP has no gate */
    float *logits;  /* [PT_LOGIT_ROWS, vocab] */
    float *capped;  /* [PT_CAPPED_ROWS, vocab] scratch; NULL where logits have no soft cap */
    struct pt_low_rank low;
};

/* Bytes for n_rows rows. */
size_t pt_workspace_bytes(const struct pt_config *config, const struct pt_weights *weights, size_t n_rows,
                          enum pt_keep keep);
/* Room for at least n_rows rows of which that is kept; for nothing, one that keeps more does as well. What was
 * in it is lost if it has to change. */
int pt_workspace_ensure(struct pt_workspace *space, const struct pt_config *config,
                        const struct pt_weights *weights, size_t n_rows, enum pt_keep keep,
                        struct pt_error *err) PT_MUST_USE;
void pt_workspace_free(struct pt_workspace *space);

#endif
