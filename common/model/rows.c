/*
 * Row i of a sequence predicts its token i + 1, so the row of a last counted token is itself not needed, nor
 * is anything behind it.
 */
#include "model/rows.h"

#include "base/memory.h"
#include "fmt/stream.h"

#include <inttypes.h>
#include <stdlib.h>

size_t pt_sequence_rows(const struct pt_sequence *sequence)
{
    size_t n = sequence->n;
    while (n && !(sequence->words[n - 1] & PT_COUNTED))
        n--;
    return n ? n - 1 : 0;
}

bool pt_sequence_counts_first(const struct pt_sequence *sequence)
{
    return sequence->n && (sequence->words[0] & PT_COUNTED);
}

static int add_final_row(struct pt_rows *rows, size_t row, struct pt_error *err)
{
    if (pt_reserve(&rows->final_rows, &rows->final_capacity, rows->n_final + 1, sizeof *rows->final_rows,
                   err))
        return (int)err->status;
    rows->final_rows[rows->n_final++] = row;
    return PT_OK;
}

static int add_prediction(struct pt_rows *rows, size_t final_row, size_t sequence, struct pt_target target,
                          struct pt_error *err)
{
    if (pt_reserve(&rows->predictions, &rows->predictions_capacity, rows->n_predictions + 1,
                   sizeof *rows->predictions, err))
        return (int)err->status;
    rows->predictions[rows->n_predictions++] = (struct pt_prediction){final_row, sequence, target};
    return PT_OK;
}

/* Rows `first` .. `first` + n have positions from `position` on. */
static int place_rows(struct pt_rows *rows, size_t first, size_t n, size_t position, struct pt_error *err)
{
    if (first + n + position > UINT32_MAX)
        return pt_fail(err, PT_MISMATCH, "a sequence of more than %" PRIu32 " rows", UINT32_MAX);
    if (pt_reserve(&rows->positions, &rows->positions_capacity, first + n, sizeof *rows->positions, err))
        return (int)err->status;
    for (size_t i = 0; i < n; i++)
        rows->positions[first + i] = (uint32_t)(position + i);
    return PT_OK;
}

static struct pt_run *add_run(struct pt_rows *rows, const struct pt_run *run, struct pt_error *err)
{
    if (pt_reserve(&rows->runs, &rows->runs_capacity, rows->n_runs + 1, sizeof *rows->runs, err) ||
        place_rows(rows, rows->n, run->n, rows->first_position + rows->n_front + run->n_past, err))
        return NULL;
    struct pt_run *added = &rows->runs[rows->n_runs++];
    *added = *run;
    added->first = rows->n;
    rows->n += run->n;
    return added;
}

int pt_rows_start(struct pt_rows *rows, size_t n_front, size_t first_position, bool front_predicts,
                  struct pt_error *err)
{
    rows->n = rows->n_front = n_front;
    rows->first_position = first_position;
    rows->n_runs = rows->n_final = rows->n_predictions = 0;
    rows->n_final_front = front_predicts ? 1 : 0;
    if (place_rows(rows, 0, n_front, first_position, err))
        return (int)err->status;
    return front_predicts ? add_final_row(rows, n_front - 1, err) : PT_OK;
}

int pt_rows_add_counted(struct pt_rows *rows, const struct pt_sequence *sequence, size_t index,
                        struct pt_error *err)
{
    struct pt_run run = {.n = pt_sequence_rows(sequence), .words = sequence->words}, *added = NULL;
    if (run.n && !(added = add_run(rows, &run, err)))
        return (int)err->status;
    float weight = (float)sequence->weight;
    if (rows->n_final_front && pt_sequence_counts_first(sequence) &&
        add_prediction(rows, 0, index, (struct pt_target){PT_TOKEN_ID(sequence->words[0]), weight}, err))
        return (int)err->status;
    bool first = true;
    for (size_t i = 0; i < run.n; i++) {
        uint32_t next = sequence->words[i + 1];
        if (!(next & PT_COUNTED))
            continue;
        if (first)
            added->first_query = i;
        first = false;
        if (add_final_row(rows, added->first + i, err) ||
            add_prediction(rows, rows->n_final - 1, index, (struct pt_target){PT_TOKEN_ID(next), weight},
                           err))
            return (int)err->status;
    }
    return PT_OK;
}

int pt_rows_add_run(struct pt_rows *rows, const struct pt_run *run, size_t n_final, struct pt_error *err)
{
    struct pt_run *added = add_run(rows, run, err);
    if (!added)
        return (int)err->status;
    added->first_query = run->n - n_final;
    for (size_t i = added->first_query; i < run->n; i++)
        if (add_final_row(rows, added->first + i, err) ||
            add_prediction(rows, rows->n_final - 1, 0, (struct pt_target){0}, err))
            return (int)err->status;
    return PT_OK;
}

void pt_rows_free(struct pt_rows *rows)
{
    free(rows->positions);
    free(rows->runs);
    free(rows->final_rows);
    free(rows->predictions);
    *rows = (struct pt_rows){0};
}
