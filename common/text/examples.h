/*
 * Records to examples: stream words, of which the answer's are counted. The first record decides what all of
 * them are: fields for a template, plain text, or ids. Only what the records need is opened: ready-made ids
 * need no tokenizer.
 */
#ifndef PT_TEXT_EXAMPLES_H
#define PT_TEXT_EXAMPLES_H

#include "fmt/stream.h"
#include "text/records.h"
#include "text/template.h"

/* The template's `field` is the record's `key`. */
struct pt_rename {
    char *field, *key;
};

struct pt_example_settings {
    const char *model;                  /* folder, or tokenizer file */
    const char *eos;                    /* the end-of-sequence token; NULL: the tokenizer's own */
    const struct pt_template *template; /* borrowed; NULL: the one that fits the first record's fields */
    const struct pt_rename *renames;    /* [n_renames], borrowed */
    size_t n_renames;
};

/* Whether records may be asked for the field: a template's, any of the built-in ones' where it is NULL, or
 * one of ready-made ids. */
bool pt_examples_know_field(const struct pt_template *template, const char *field);

struct pt_examples;
/* PT_FAILED where the model does not exist; it is opened later. */
int pt_examples_new(struct pt_examples **examples, const struct pt_example_settings *settings,
                    struct pt_error *err) PT_MUST_USE;
void pt_examples_free(struct pt_examples *examples); /* NULL is allowed */

/*
 * Shows a record to examples that are not settled yet; once they are, they are read-only and may be shared by
 * threads. *about_record = true where a failure is this record's, so that the next one may be tried, as for
 * pt_example_make.
 */
int pt_examples_settle(struct pt_examples *examples, struct pt_record *record, bool *about_record,
                       struct pt_error *err) PT_MUST_USE;
bool pt_examples_are_settled(const struct pt_examples *examples);

/* Fills tokenizer, vocab_size, eos_id and template of a stream's head; only of settled examples. */
int pt_examples_describe(const struct pt_examples *examples, struct pt_stream_head *head,
                         struct pt_error *err) PT_MUST_USE;

/* One thread's working space. */
struct pt_example_maker;
int pt_example_maker_new(struct pt_example_maker **maker, const struct pt_examples *examples,
                         struct pt_error *err) PT_MUST_USE;
void pt_example_maker_free(struct pt_example_maker *maker); /* NULL is allowed */

/*
 * Appends the example of a record to `words`, which a failure leaves as it was. *about_record = true where it
 * is this record's: PT_BAD_INPUT for damaged JSON, missing, null or wrong fields, ids out of range, another
 * kind than the first one's; PT_MISMATCH for chat messages, which are not supported. The message names file,
 * record and line then.
 */
int pt_example_make(struct pt_example_maker *maker, struct pt_record *record, struct pt_words *words,
                    bool *about_record, struct pt_error *err) PT_MUST_USE;

#endif
