/*
 * First values of what is to be tuned, as PEFT draws them from the same seed.
 */
#ifndef PT_TUNE_INIT_H
#define PT_TUNE_INIT_H

#include "model/model.h"
#include "tune/tuned.h"

enum pt_init_kind {
    PT_INIT_TEXT,  /* rows of the embedding table: a text's tokens, repeated or cut to n_virtual (PEFT's TEXT)
                    */
    PT_INIT_VOCAB, /* rows of the embedding table drawn with replacement (PEFT's SAMPLE_VOCAB) */
    PT_INIT_RANDOM, /* std * N(0, 1) (PEFT's RANDOM, where std is 1) */
};

struct pt_init {
    enum pt_init_kind kind;
    const char
        *text;  /* PT_INIT_TEXT: tokenized with the special tokens that a plain call of the tokenizer adds */
    double std; /* PT_INIT_RANDOM */
    uint64_t n_virtual; /* 0: as many as the text has tokens, else PT_DEFAULT_VIRTUAL */
    uint64_t seed;      /* as torch.manual_seed right before get_peft_model */
};

enum { PT_DEFAULT_VIRTUAL = 20 };

/*
 * Adds a parameter [n_virtual, hidden] with its first values, and records the source in the metadata. Only
 * the rows that are needed are read from the model. PT_MISMATCH for a token that the table has no row for,
 * PT_BAD_INPUT for a row that is not finite.
 */
int pt_init_rows(struct pt_tuned *tuned, const char *name, const struct pt_init *init,
                 const struct pt_model *model, struct pt_error *err) PT_MUST_USE;

/*
 * Takes a file's parameters as first values (whatever pt_tuned_open reads). Its template, tokenizer and
 * history stay; n_virtual, unless 0, must be the file's.
 */
int pt_init_from(struct pt_tuned **tuned, const char *path, uint64_t n_virtual, const struct pt_model *model,
                 bool ignore_fingerprint, struct pt_error *err) PT_MUST_USE;

#endif
