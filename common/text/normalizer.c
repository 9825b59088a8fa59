/*
 * Each step writes into the buffer that the one before it did not use; a step that has nothing to change is
 * passed over.
 */
#include "text/normalizer.h"

#include "base/memory.h"
#include "text/compose.h"

#include <stdlib.h>
#include <string.h>

int pt_normalizer_add(struct pt_normalizer *normalizer, enum pt_normalizing kind, const char *pattern,
                      const char *text, struct pt_error *err)
{
    if (pt_reserve(&normalizer->steps, &normalizer->capacity, normalizer->n + 1, sizeof *normalizer->steps,
                   err))
        return (int)err->status;
    struct pt_normalizer_step *step = &normalizer->steps[normalizer->n++];
    *step = (struct pt_normalizer_step){.kind = kind};
    if ((pattern && !(step->pattern = pt_new_string(pattern, err))) ||
        (text && !(step->text = pt_new_string(text, err))))
        return (int)err->status;
    return PT_OK;
}

void pt_normalizer_free(struct pt_normalizer *normalizer)
{
    for (size_t i = 0; i < normalizer->n; i++) {
        free(normalizer->steps[i].pattern);
        free(normalizer->steps[i].text);
    }
    free(normalizer->steps);
    *normalizer = (struct pt_normalizer){0};
}

int pt_replace(const char *text, size_t n, const char *pattern, const char *by, struct pt_buffer *out,
               struct pt_error *err)
{
    size_t n_pattern = strlen(pattern), n_by = strlen(by);
    for (const char *found; (found = memmem(text, n, pattern, n_pattern));) {
        size_t between = (size_t)(found - text);
        if (pt_buffer_append(out, text, between, err) || pt_buffer_append(out, by, n_by, err))
            return (int)err->status;
        text += between + n_pattern;
        n -= between + n_pattern;
    }
    return pt_buffer_append(out, text, n, err);
}

static bool changes(const struct pt_normalizer_step *step, const char *text, size_t n)
{
    switch (step->kind) {
    case PT_NORMALIZE_COMPOSE:
        return !pt_is_surely_composed(text, n);
    case PT_NORMALIZE_PREPEND:
        return n > 0;
    case PT_NORMALIZE_REPLACE:
        return memmem(text, n, step->pattern, strlen(step->pattern)) != NULL;
    }
    return false;
}

static int apply(const struct pt_normalizer_step *step, const char *text, size_t n, struct pt_buffer *out,
                 struct pt_error *err)
{
    switch (step->kind) {
    case PT_NORMALIZE_COMPOSE:
        return pt_compose(text, n, out, err);
    case PT_NORMALIZE_PREPEND:
        return pt_buffer_append_string(out, step->text, err) ? (int)err->status
                                                             : pt_buffer_append(out, text, n, err);
    case PT_NORMALIZE_REPLACE:
        return pt_replace(text, n, step->pattern, step->text, out, err);
    }
    return PT_OK;
}

int pt_normalize(const struct pt_normalizer *normalizer, const char **text, size_t *n,
                 struct pt_buffer scratch[2], struct pt_error *err)
{
    for (size_t i = 0; i < normalizer->n; i++) {
        const struct pt_normalizer_step *step = &normalizer->steps[i];
        struct pt_buffer *out = &scratch[scratch[0].data && *text == scratch[0].data];
        if (!changes(step, *text, *n))
            continue;
        pt_buffer_clear(out);
        if (apply(step, *text, *n, out, err))
            return (int)err->status;
        *text = out->data;
        *n = out->size;
    }
    return PT_OK;
}
