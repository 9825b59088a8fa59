/*
 * Asking is cheap only where there is something to read: the kernel walks over all pages of the range. So the
 * first and the last page of each matrix are looked at first. Passes go up and down over the layers, and
 * pages are dropped oldest first, so a matrix that lost any of them lost one of these.
 */
#include "model/read_ahead.h"

#include <sys/mman.h>
#include <unistd.h>

enum { LEAST_BYTES = 4 << 20 }; /* a smaller matrix is read whole by the kernel's own read-ahead */

/* Kernels do not say of a file that this user may not write, and answer yes: then their own read-ahead has to
 * do. */
static bool is_resident(uintptr_t at, uintptr_t page)
{
    unsigned char resident;
    return mincore((void *)at, page, &resident) || (resident & 1);
}

static void read_matrix(const struct pt_tensor *tensor)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = (uintptr_t)tensor->data / page * page,
                    end = ((uintptr_t)tensor->data + tensor->n_bytes + page - 1) / page * page;
    if (!is_resident(begin, page) || !is_resident(end - page, page))
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
        if (tensor && tensor->n_bytes >= LEAST_BYTES)
            read_matrix(tensor);
    }
}
