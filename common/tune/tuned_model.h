/*
 * A model with what was tuned for it plugged in, ready to compute: what training, evaluation and sampling
 * open first.
 */
#ifndef PT_TUNE_TUNED_MODEL_H
#define PT_TUNE_TUNED_MODEL_H

#include "fmt/stream.h"
#include "model/engine.h"
#include "tune/tuned.h"

struct pt_tuned_model_options {
    const char *model;  /* folder */
    const char *prompt; /* whatever pt_tuned_open reads; NULL: the bare model */
    const char *math;   /* as pt_math_open takes it */
    struct pt_engine_options engine;
    bool ignore_fingerprint;
};

struct pt_tuned_model {
    struct pt_model *base;
    struct pt_tuned *tuned; /* NULL: the bare model */
    struct pt_math *math;
    struct pt_engine *engine; /* with the tuned object's plugs */
    bool ignore_fingerprint;
};

/* Starts zeroed; to be closed whether opening succeeded or not. */
int pt_tuned_model_open(struct pt_tuned_model *model, const struct pt_tuned_model_options *options,
                        struct pt_error *err) PT_MUST_USE;
void pt_tuned_model_close(struct pt_tuned_model *model);

/*
 * Whether a stream belongs to the model: PT_MISMATCH, naming both fingerprints, where its tokenizer is not
 * the file in the model's folder, or not the one that the tuned object was made with (unless
 * ignore_fingerprint). A stream without a tokenizer, or a folder without one, passes: then the ids are all
 * there is to check.
 */
int pt_tuned_model_check_stream(const struct pt_tuned_model *model, const struct pt_stream_head *head,
                                const char *stream_name, struct pt_error *err) PT_MUST_USE;
/* PT_MISMATCH for an id that the model has no embedding for, and for more positions than it has; `number` is
 * the example's, from 1, for the message. */
int pt_tuned_model_check_example(const struct pt_tuned_model *model, const struct pt_example *example,
                                 uint64_t number, struct pt_error *err) PT_MUST_USE;
/* Opens a stream and checks it. What was opened is the caller's to close, also after a failure. */
int pt_tuned_model_open_stream(const struct pt_tuned_model *model, const char *path,
                               struct pt_source **source, struct pt_stream_reader **stream,
                               struct pt_error *err) PT_MUST_USE;

#endif
