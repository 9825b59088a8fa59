/*
 * What a position turns into: angles of the rotary embedding, slopes of ALiBi.
 */
#ifndef PT_MODEL_POSITION_TABLES_H
#define PT_MODEL_POSITION_TABLES_H

#include "math/rotary.h"
#include "model/config.h"

struct pt_rotary {
    struct pt_rotary_table table; /* [n_positions] rows, in `angles` */
    float *angles;                /* owned: cosines, then sines */
    float *frequencies;           /* [rotary_dim / 2] owned */
    float factor;                 /* on cosines and sines */
};

struct pt_position_tables {
    float *slopes;              /* [n_heads] owned; NULL where positions are no ALiBi */
    struct pt_rotary rotary[2]; /* of layers that see everything, and of local ones; empty where positions are
                                   not rotary */
    size_t n_positions;
};

int pt_position_tables_init(struct pt_position_tables *tables, const struct pt_config *config,
                            struct pt_error *err) PT_MUST_USE;
void pt_position_tables_free(struct pt_position_tables *tables);
/* PT_MISMATCH where the model has fewer than n positions. */
int pt_position_tables_check(const struct pt_config *config, size_t n, struct pt_error *err) PT_MUST_USE;
/* Makes the tables reach the positions below n. Checks that, too. */
int pt_position_tables_reach(struct pt_position_tables *tables, const struct pt_config *config, size_t n,
                             struct pt_error *err) PT_MUST_USE;

#endif
