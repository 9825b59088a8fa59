/*
 * Life and death of a byte-level BPE tokenizer; tokenizer_json.c fills it.
 */
#include "text/bpe_tokenizer.h"

#include <stdlib.h>

void pt_bpe_tokenizer_free(struct pt_bpe_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    pt_vocabulary_free(&tokenizer->vocabulary);
    pt_merges_free(&tokenizer->merges);
    for (size_t i = 0; i < tokenizer->n_added; i++)
        free(tokenizer->added[i].content);
    free(tokenizer->added);
    free(tokenizer->is_special);
    pt_token_matcher_free(&tokenizer->raw_matcher);
    pt_token_matcher_free(&tokenizer->late_matcher);
    for (size_t i = 0; i < tokenizer->n_splits; i++)
        pt_split_free(tokenizer->splits[i]);
    free(tokenizer->splits);
    pt_split_free(tokenizer->byte_level_split);
    pt_words_free(&tokenizer->front);
    pt_words_free(&tokenizer->behind);
    free(tokenizer);
}
