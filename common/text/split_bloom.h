/*
 * BLOOM's split pattern compiled by hand: an optional blank and characters that are neither white space nor
 * one of ( ) | . , ! ? and their relatives in other scripts; what lies between is a piece as well.
 */
#ifndef PT_TEXT_SPLIT_BLOOM_H
#define PT_TEXT_SPLIT_BLOOM_H

#include "text/split.h"

/* The pattern as BLOOM's tokenizer.json has it. */
extern const char pt_bloom_pattern[];

/* As pt_split_apply with that pattern and matches isolated. */
int pt_split_bloom(const char *text, struct pt_span piece, struct pt_spans *pieces,
                   struct pt_error *err) PT_MUST_USE;

#endif
