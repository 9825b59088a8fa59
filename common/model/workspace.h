/*
 * All row buffers of the engine in one block: what is kept of each layer for the backward, and scratch. Pages
 * that are never written cost no memory.
 */
#ifndef PT_MODEL_WORKSPACE_H
#define PT_MODEL_WORKSPACE_H

#include "model/weights.h"

#include <stdint.h>

/* At most so many rows of logits exist at a time. */
enum { PT_LOGIT_ROWS = 256 };

/* What is kept of a layer. In the last one everything behind `log_sums` belongs to the final rows. */
struct pt_kept {
    float *x;                               /* [rows, hidden] the layer's input */
    float *attention_mean, *attention_rstd; /* [rows] statistics of the norm in front of attention */
    float *qkv;                             /* [rows, qkv] */
    float *log_sums;                        /* [rows, n_heads] */
    float *attention; /* [rows, q] attention's output; kept only where the projection behind it needs it */
    float *mid;       /* [rows, hidden] the stream between attention and MLP */
    float *mlp_mean, *mlp_rstd; /* [rows] */
    float *up;                  /* [rows, intermediate] before the activation */
};

struct pt_workspace {
    void *block;                            /* owned */
    size_t n_rows;                          /* room for so many rows */
    bool keep;                              /* for a backward; else all layers use the same buffers */
    struct pt_kept *kept;                   /* [n_layers], owned */
    float *embedding_mean, *embedding_rstd; /* [rows] */
    float *output;                          /* [rows, hidden] of the last layer, final rows */
    float *final;                           /* [rows, hidden] the same behind the final norm */
    float *final_mean, *final_rstd;         /* [rows] */
    float *normed, *gradient; /* [rows, hidden] scratch; the gradient that the backward carries down */
    float *attention;         /* [rows, max(q, hidden)] scratch */
    float *wide;              /* [rows, max(intermediate, qkv)] scratch */
    float *logits;            /* [PT_LOGIT_ROWS, vocab] */
    struct pt_low_rank low;
};

/* Bytes for n_rows rows, with everything kept that a backward needs or nothing. */
size_t pt_workspace_bytes(const struct pt_config *config, const struct pt_weights *weights, size_t n_rows,
                          bool keep);
/* Makes the workspace at least that large; what was in it is lost if it has to grow. */
int pt_workspace_ensure(struct pt_workspace *space, const struct pt_config *config,
                        const struct pt_weights *weights, size_t n_rows, bool keep,
                        struct pt_error *err) PT_MUST_USE;
void pt_workspace_free(struct pt_workspace *space);

#endif
