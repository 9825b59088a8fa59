/*
 * The ragged forward and backward pass. One list of rows: the prompt's rows once, then every example's, no
 * padding. One loop over layers serves training, evaluation and (through cache.h) generation.
 */
#ifndef PT_MODEL_ENGINE_H
#define PT_MODEL_ENGINE_H

#include "math/math.h"
#include "model/model.h"
#include "model/plugs.h"

struct pt_engine;

enum { PT_MOST_SLICE_ROWS = 1 << 24 };

struct pt_engine_options {
    uint64_t memory;   /* bytes it may allocate; 0: no bound */
    bool pack;         /* matrices are kept in the form of products as well, as many as fit into that */
    size_t slice_rows; /* rows of examples in a slice of an update, at most PT_MOST_SLICE_ROWS; 0: by the
                          memory, at least 512 where it allows, without updates 2,048 */
    bool recompute;    /* with slice_rows: as pt_engine_recomputes was */
    bool forward_only; /* nothing is kept for a backward; there must be no update */
};

/* An example of an update or an evaluation: stream words (id, top bit set where it counts in the loss). */
struct pt_sequence {
    const uint32_t *words; /* borrowed */
    size_t n;
    double weight; /* of each of its counted tokens in the update's loss */
};

struct pt_sequence_loss {
    double loss;      /* sum over its counted tokens, in nats, unweighted */
    uint64_t targets; /* counted tokens; the first one counts only where rows in front predict it */
    uint64_t correct; /* predicted by the largest logit */
};

/* Model, math, plugs and the arrays that the plugs name are borrowed until the engine is closed; plugs may be
 * NULL (the bare model), and so may options. */
int pt_engine_open(struct pt_engine **engine, const struct pt_model *model, const struct pt_math *math,
                   const struct pt_plugs *plugs, const struct pt_engine_options *options,
                   struct pt_error *err) PT_MUST_USE;
void pt_engine_close(struct pt_engine *engine);

/*
 * Loss and gradient of one update: *loss = sum over all counted tokens of weight * loss, gradients are added
 * into the plugs' buffers. `each` [n] may be NULL. A loss that is not finite is PT_NUMERIC and names the
 * sequences. The same bytes come out for any number of threads.
 */
int pt_engine_update(struct pt_engine *engine, const struct pt_sequence *sequences, size_t n, double *loss,
                     struct pt_sequence_loss *each, struct pt_error *err) PT_MUST_USE;
/* Losses alone, in slices. */
int pt_engine_evaluate(struct pt_engine *engine, const struct pt_sequence *sequences, size_t n,
                       struct pt_sequence_loss *each, struct pt_error *err) PT_MUST_USE;
/* PT_MISMATCH where an update or an evaluation of this sequence would be: the model has not the positions
 * that it takes, those in front included. */
int pt_engine_check_length(const struct pt_engine *engine, const struct pt_sequence *sequence,
                           struct pt_error *err) PT_MUST_USE;
/* Logits of every row behind the prompt: logits [n, vocab] f32. */
int pt_engine_logits(struct pt_engine *engine, const uint32_t *words, size_t n, float *logits,
                     struct pt_error *err) PT_MUST_USE;

/* Bytes of memory that a pass over so many rows of sequences takes, of those that the options allow. */
uint64_t pt_engine_bytes(const struct pt_engine *engine, size_t n_rows);
/* Rows of a slice in use, and whether a backward computes layers again where an update has several slices.
 * Both are recorded in states, since others give other last bits. */
size_t pt_engine_slice_rows(const struct pt_engine *engine);
bool pt_engine_recomputes(const struct pt_engine *engine);

#endif
