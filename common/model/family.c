/*
 * The table of families. A new one is a file with its row, its name here, and (only where it needs an
 * arithmetic that no other has) a new value of one of the row's enums.
 */
#include "model/family.h"

#include <string.h>

static const struct pt_family *const families[] = {&pt_family_bloom};

bool pt_role_is_vector(enum pt_role role)
{
    switch (role) {
    case PT_EMBEDDING:
    case PT_HEAD:
    case PT_QKV_WEIGHT:
    case PT_ATTENTION_OUT_WEIGHT:
    case PT_MLP_UP_WEIGHT:
    case PT_MLP_DOWN_WEIGHT:
        return false;
    default:
        return true;
    }
}

const struct pt_family *pt_family_find(const char *model_type)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strcmp(families[i]->model_type, model_type))
            return families[i];
    return NULL;
}

const char *pt_family_list(void)
{
    return "bloom";
}
