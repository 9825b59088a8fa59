/*
 * Prompt tuning (Lester et al. 2021): rows in front of every input's embeddings, `prompt_embeddings`
 * [n_virtual, hidden]. The numbers are those of PEFT's PROMPT_TUNING for causal language models.
 */
#ifndef PT_TUNE_PROMPT_TUNING_H
#define PT_TUNE_PROMPT_TUNING_H

#include "tune/method.h"

#define PT_PROMPT_EMBEDDINGS "prompt_embeddings"

extern const struct pt_method pt_prompt_tuning;

#endif
