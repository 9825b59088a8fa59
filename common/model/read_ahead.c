/*
 * Asking is cheap only where there is something to read: the kernel walks over all pages of the range. So a
 * few pages of each matrix are looked at first. Passes go up and down over the layers, and pages are dropped
 * oldest first, so a layer that lost any of them lost its ends.
 */
#include "model/read_ahead.h"

#include <sys/mman.h>
#include <unistd.h>

enum { LOOKED_AT = 5 };

/* Whether every page looked at is in memory. Kernels do not say so of a file that this user may not write,
 * and answer yes: then their own read-ahead has to do. */
static bool is_resident(uintptr_t begin, uintptr_t end, uintptr_t page)
{
    for (uintptr_t i = 0; i < LOOKED_AT; i++) {
        unsigned char resident;
        uintptr_t at = begin + (end - page - begin) / (LOOKED_AT - 1) * i / page * page;
        if (!mincore((void *)at, page, &resident) && !(resident & 1))
            return false;
    }
    return true;
}

static void read_tensor(const struct pt_tensor *tensor)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = (uintptr_t)tensor->data / page * page,
                    end = ((uintptr_t)tensor->data + tensor->n_bytes + page - 1) / page * page;
    if (!is_resident(begin, end, page))
        (void)madvise((void *)begin, end - begin, MADV_WILLNEED); /* advice: nothing depends on it */
}

void pt_model_read_ahead(const struct pt_model *model, size_t layer)
{
    const size_t n_layers = pt_model_config(model)->n_layers;
    if (layer > n_layers)
        return;
    const bool head = layer == n_layers;
    for (enum pt_role role = head ? PT_HEAD : PT_FIRST_LAYER_ROLE; role < (head ? PT_HEAD + 1 : PT_ROLES);
         role++) {
        const struct pt_tensor *tensor = pt_model_tensor(model, head ? 0 : (unsigned)layer, role);
        if (tensor && tensor->rank == 2)
            read_tensor(tensor);
    }
}
