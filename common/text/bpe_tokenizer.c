/*
 * Life and death of a BPE tokenizer; tokenizer_json.c fills it.
 */
#include "text/bpe_tokenizer.h"

#include <stdlib.h>

void pt_bpe_tokenizer_free(struct pt_bpe_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    pt_vocabulary_free(&tokenizer->vocabulary);
    pt_merges_free(&tokenizer->merges);
    pt_character_rules_free(&tokenizer->characters);
    for (size_t i = 0; i < tokenizer->n_added; i++)
        free(tokenizer->added[i].content);
    free(tokenizer->added);
    free(tokenizer->is_special);
    pt_token_matcher_free(&tokenizer->raw_matcher);
    pt_token_matcher_free(&tokenizer->late_matcher);
    pt_normalizer_free(&tokenizer->normalizer);
    for (size_t i = 0; i < tokenizer->n_pre_steps; i++)
        pt_split_free(tokenizer->pre_steps[i].split);
    free(tokenizer->pre_steps);
    pt_decoding_free(&tokenizer->decoding);
    pt_words_free(&tokenizer->front);
    pt_words_free(&tokenizer->behind);
    free(tokenizer);
}

bool pt_bpe_find(const struct pt_bpe_tokenizer *tokenizer, const char *text, size_t n, uint32_t *id)
{
    uint32_t found;
    if (!pt_vocabulary_find(&tokenizer->vocabulary, text, n, &found) || found >= tokenizer->n_model_ids)
        return false;
    *id = found;
    return true;
}
