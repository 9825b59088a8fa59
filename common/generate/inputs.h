/*
 * The texts to continue, as tokens: from the command line or from the lines of a source, plain, in a
 * template, or given as ids.
 */
#ifndef PT_GENERATE_INPUTS_H
#define PT_GENERATE_INPUTS_H

#include "generate/generator.h"
#include "io/source.h"
#include "text/template.h"
#include "text/tokenizer.h"

#include <stdbool.h>

struct pt_inputs_options {
    char *const *texts; /* [n_texts], borrowed; with n_texts 0 the lines of `source` */
    size_t n_texts;
    struct pt_source *source;             /* borrowed */
    const struct pt_tokenizer *tokenizer; /* borrowed; NULL: texts are ids, with blanks or commas between */
    const struct pt_template *template;   /* borrowed; NULL: texts as they are */
    uint64_t vocab_size;                  /* ids are below it */
};

struct pt_inputs;

int pt_inputs_open(struct pt_inputs **inputs, const struct pt_inputs_options *options,
                   struct pt_error *err) PT_MUST_USE;
void pt_inputs_close(struct pt_inputs *inputs);

/* The next group of at most `most` inputs, 0 at the end. Borrowed until the next call, as are
 * pt_inputs_texts: the texts of the group's inputs as given. */
int pt_inputs_next(struct pt_inputs *inputs, size_t most, size_t *n, struct pt_error *err) PT_MUST_USE;
const struct pt_generation_input *pt_inputs_group(const struct pt_inputs *inputs);
const char *const *pt_inputs_texts(const struct pt_inputs *inputs);

#endif
