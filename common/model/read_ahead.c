/*
 * Asking is cheap only where there is something to read: the kernel walks over all pages of the range. So the
 * first and the last page of each matrix are looked at first. Passes go up and down over the layers, and
 * pages are dropped oldest first, so a matrix that lost any of them lost one of these.
 *
 * Left to itself the kernel keeps pages that were used, and drops those that were read ahead and were not used
 * yet. So while there is something to read, the layer that was left is given up first.
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

struct pages {
    uintptr_t begin, end;
};

static struct pages pages_of(const void *data, size_t n_bytes, uintptr_t page)
{
    const uintptr_t begin = (uintptr_t)data;
    return (struct pages){begin / page * page, (begin + n_bytes + page - 1) / page * page};
}

static bool are_resident(struct pages pages, uintptr_t page)
{
    return is_resident(pages.begin, page) && is_resident(pages.end - page, page);
}

static void advise_on(struct pages pages, int advice)
{
    (void)madvise((void *)pages.begin, pages.end - pages.begin, advice); /* nothing depends on it */
}

/* On each matrix of a layer, or for MADV_WILLNEED on those that memory lacks; says whether there was any. */
static bool advise(const struct pt_model *model, size_t layer, int advice)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const size_t n_layers = pt_model_config(model)->n_layers;
    const bool head = layer == n_layers;
    bool any = false;
    for (enum pt_role role = head ? PT_HEAD : PT_FIRST_LAYER_ROLE;
         layer <= n_layers && role < (head ? PT_HEAD + 1 : PT_ROLES); role++) {
        const struct pt_tensor *tensor = pt_model_tensor(model, head ? 0 : (unsigned)layer, role);
        if (!tensor || tensor->n_bytes < LEAST_BYTES)
            continue;
        const struct pages pages = pages_of(tensor->data, tensor->n_bytes, page);
        if (advice == MADV_WILLNEED && are_resident(pages, page))
            continue;
        advise_on(pages, advice);
        any = true;
    }
    return any;
}

void pt_model_read_ahead(const struct pt_model *model, size_t next, size_t left)
{
    if (advise(model, next, MADV_WILLNEED))
        (void)advise(model, left, MADV_COLD);
}

void pt_model_read_ahead_row(const void *row, size_t n_bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const struct pages pages = pages_of(row, n_bytes, page);
    if (!are_resident(pages, page))
        advise_on(pages, MADV_WILLNEED);
}
