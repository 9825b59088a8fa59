/*
 * The list of methods.
 */
#include "tune/method.h"

#include "base/buffer.h"
#include "tune/prompt_tuning.h"

#include <string.h>

static const struct pt_method *const methods[] = {&pt_prompt_tuning};
enum { N_METHODS = sizeof methods / sizeof methods[0] };

static int unsupported(const char *name, struct pt_error *err)
{
    pt_fail(err, PT_MISMATCH, "method '%s' is not supported", name);
    struct pt_buffer names = {0};
    struct pt_error ignored = {0};
    for (size_t i = 0; i < N_METHODS; i++)
        if (pt_buffer_append_format(&names, &ignored, "%s%s", i ? ", " : "", methods[i]->name))
            break;
    pt_error_hint(err, "supported: %s", names.data ? names.data : "none");
    pt_buffer_free(&names);
    return (int)err->status;
}

int pt_method_find(const struct pt_method **method, const char *name, struct pt_error *err)
{
    for (size_t i = 0; i < N_METHODS; i++)
        if (!strcmp(methods[i]->name, name)) {
            *method = methods[i];
            return PT_OK;
        }
    return unsupported(name, err);
}

int pt_method_find_peft(const struct pt_method **method, const char *peft_type, struct pt_error *err)
{
    for (size_t i = 0; i < N_METHODS; i++)
        if (!strcmp(methods[i]->peft_type, peft_type)) {
            *method = methods[i];
            return PT_OK;
        }
    return unsupported(peft_type, err);
}
