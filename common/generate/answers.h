/*
 * Continuations on their way out: in the order of their numbers, the first unfinished one as it comes, the
 * others held back until it is their turn.
 */
#ifndef PT_GENERATE_ANSWERS_H
#define PT_GENERATE_ANSWERS_H

#include "generate/generator.h"
#include "generate/text_stream.h"
#include "io/sink.h"

enum pt_answer_form {
    PT_ANSWER_TEXT, /* decoded text, then the terminator */
    PT_ANSWER_IDS,  /* the new ids separated by blanks, then the terminator */
    PT_ANSWER_JSON, /* an object, then the terminator: index, sample, prompt, text, ids, finish_reason */
};

struct pt_answers_options {
    enum pt_answer_form form;
    char terminator;                      /* behind each one: '\n' or 0 */
    const struct pt_tokenizer *tokenizer; /* borrowed; NULL: ids only */
    const char *const *stops;             /* [n_stops], borrowed */
    size_t n_stops;
};

struct pt_answers;

int pt_answers_new(struct pt_answers **answers, struct pt_sink *sink,
                   const struct pt_answers_options *options, struct pt_error *err) PT_MUST_USE;
void pt_answers_free(struct pt_answers *answers);

/*
 * Starts a group of n_prompts * n_samples continuations; prompts [n_prompts] (borrowed until the next group)
 * are what JSON shows. The continuations are numbered from 0, as the generator numbers them; `first` is the
 * number of the first prompt in the whole run.
 */
int pt_answers_begin(struct pt_answers *answers, const char *const *prompts, size_t n_prompts,
                     size_t n_samples, uint64_t first, struct pt_error *err) PT_MUST_USE;
/* A pt_token_taker; the context is the struct pt_answers. */
int pt_answers_take(void *answers, size_t continuation, uint32_t id, enum pt_finish *finish,
                    struct pt_error *err);

#endif
