/*
 * The table of families. A new one is a file with its row, its name here, and (only where it needs an
 * arithmetic that no other has) a new column.
 */
#include "model/family.h"

#include <string.h>

static const struct pt_family *const families[] = {
    &pt_family_bloom, &pt_family_falcon,   &pt_family_gemma, &pt_family_gemma2,     &pt_family_gemma3_text,
    &pt_family_gpt2,  &pt_family_gpt_neox, &pt_family_llama, &pt_family_mistral,    &pt_family_opt,
    &pt_family_phi3,  &pt_family_qwen2,    &pt_family_qwen3, &pt_family_starcoder2,
};

const struct pt_family *pt_family_at(size_t index)
{
    return index < sizeof families / sizeof *families ? families[index] : NULL;
}

const struct pt_family *pt_family_find(const char *model_type)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strcmp(families[i]->model_type, model_type))
            return families[i];
    return NULL;
}
