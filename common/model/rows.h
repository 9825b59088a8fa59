/*
 * The list of rows that one pass computes: the rows that a method puts in front of every input, once, then
 * the needed rows of each sequence, without padding. In the last layer only some rows go past keys and
 * values; these are the final rows, numbered on their own.
 */
#ifndef PT_MODEL_ROWS_H
#define PT_MODEL_ROWS_H

#include "math/loss.h"
#include "model/engine.h"

/* The rows of one sequence. */
struct pt_run {
    size_t first, n;       /* rows of the matrix */
    size_t first_query;    /* rows before it (counted from `first`) are needed as keys and values alone in the
                              last layer */
    const uint32_t *words; /* [n] borrowed */
    size_t n_past;         /* generation: rows computed in earlier passes */
    float *cache; /* their keys and values, and room for those of this pass, in layer 0; NULL: kept in the row
                     matrix */
    size_t cache_stride; /* floats from a layer's to the next one's */
};

/* A final row, and the token that it is to predict. */
struct pt_prediction {
    size_t final_row;
    size_t sequence;
    struct pt_target target;
};

struct pt_rows {
    size_t n_front;        /* rows put in front */
    size_t n;              /* all rows, those in front included */
    size_t first_position; /* of the first row in front */
    uint32_t *positions;   /* [n] of each row in its sequence; owned */
    size_t n_final_front;  /* 1 where the last row in front is a final row (always the first one), else 0 */
    struct pt_run *runs;   /* [n_runs], owned */
    size_t *final_rows;    /* [n_final] rows of the matrix, ascending; owned */
    struct pt_prediction *predictions; /* [n_predictions], owned */
    size_t n_runs, n_final, n_predictions;
    size_t positions_capacity, runs_capacity, final_capacity, predictions_capacity;
};

/* Rows that a sequence needs: those up to the one that predicts its last counted token. */
size_t pt_sequence_rows(const struct pt_sequence *sequence);
bool pt_sequence_counts_first(const struct pt_sequence *sequence);

/* Starts a list with n_front rows, the first of which has position first_position; front_predicts: the last
 * of them is a final row. */
int pt_rows_start(struct pt_rows *rows, size_t n_front, size_t first_position, bool front_predicts,
                  struct pt_error *err) PT_MUST_USE;
/* Adds what a sequence needs, and a prediction for each of its counted tokens; `index` is its number in the
 * caller's list. */
int pt_rows_add_counted(struct pt_rows *rows, const struct pt_sequence *sequence, size_t index,
                        struct pt_error *err) PT_MUST_USE;
/* Adds n rows of which the last n_final are final rows, with a prediction each (of no token). */
int pt_rows_add_run(struct pt_rows *rows, const struct pt_run *run, size_t n_final,
                    struct pt_error *err) PT_MUST_USE;
void pt_rows_free(struct pt_rows *rows);

#endif
