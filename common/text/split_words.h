/*
 * The patterns of GPT-2's family by hand: words with what stands in front of them, numbers, other characters,
 * and white space. What letters and numbers are, PCRE2 says, once for each character that is met; so the
 * outcome is that of the pattern itself.
 */
#ifndef PT_TEXT_SPLIT_WORDS_H
#define PT_TEXT_SPLIT_WORDS_H

#include "text/split.h"

struct pt_word_pattern {
    const char *pattern;  /* as a tokenizer.json has it */
    bool any_case;        /* 'S as well as 's */
    bool any_front;       /* any character that is no line's end may lead a word; else only a blank */
    bool lines;           /* line ends follow what is neither, and end runs of white space */
    unsigned most_digits; /* of a number, which then has no blank in front; 0: any number */
};

/* The one that `pattern` is, NULL for others. */
const struct pt_word_pattern *pt_word_pattern_of(const char *pattern);

/* Classes of the characters met so far: one thread's. */
struct pt_letter_classes;
int pt_letter_classes_new(struct pt_letter_classes **classes, struct pt_error *err) PT_MUST_USE;
void pt_letter_classes_free(struct pt_letter_classes *classes); /* NULL is allowed */

/* As pt_split_apply with that pattern and matches isolated. */
int pt_split_words(const struct pt_word_pattern *pattern, struct pt_letter_classes *classes, const char *text,
                   struct pt_span piece, struct pt_spans *pieces, struct pt_error *err) PT_MUST_USE;

#endif
