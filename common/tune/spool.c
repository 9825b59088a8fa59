/*
 * Words follow one another in one sequence whose beginning is an array and whose rest is a file; an example
 * lies wholly in one of the two. Once one example went to the file all later ones do.
 */
#include "tune/spool.h"

#include "base/memory.h"
#include "io/scratch_file.h"

#include <inttypes.h>
#include <stdlib.h>

enum { FILE_BUFFER_WORDS = 1 << 18 };

struct place {
    uint64_t
        at; /* in words, from the beginning of the array or, beyond its end, of array and file together */
    uint32_t n_words, n_targets;
};

struct pt_spool {
    uint64_t most_words; /* that stay in memory */
    struct pt_words memory;
    struct place *places; /* owned */
    uint64_t n;
    size_t capacity;
    struct pt_scratch_file file;
    struct pt_words pending; /* words for the file that were not written yet */
    uint64_t written;        /* words in the file */
    struct pt_words fetched; /* words of the examples given last, as far as they come from the file */
    struct pt_example *examples;
    size_t examples_capacity;
};

int pt_spool_open(struct pt_spool **spool, uint64_t memory, struct pt_error *err)
{
    *spool = pt_new_array(1, sizeof **spool, err);
    if (!*spool)
        return (int)err->status;
    (*spool)->most_words = memory / sizeof(uint32_t);
    (*spool)->file.descriptor = -1;
    return PT_OK;
}

void pt_spool_close(struct pt_spool *spool)
{
    if (!spool)
        return;
    pt_scratch_file_close(&spool->file);
    pt_words_free(&spool->memory);
    pt_words_free(&spool->pending);
    pt_words_free(&spool->fetched);
    free(spool->places);
    free(spool->examples);
    free(spool);
}

static int write_pending(struct pt_spool *spool, struct pt_error *err)
{
    struct pt_words *pending = &spool->pending;
    if (!pending->n)
        return PT_OK;
    if (pt_scratch_file_write(&spool->file, pending->data, pending->n * sizeof *pending->data, err))
        return pt_error_hint(err, "set TMPDIR to a folder with more room, or give --memory");
    spool->written += pending->n;
    pending->n = 0;
    return PT_OK;
}

static int add_to_file(struct pt_spool *spool, const uint32_t *words, uint64_t n, struct pt_error *err)
{
    if (spool->file.descriptor < 0 && pt_scratch_file_open(&spool->file, err))
        return (int)err->status;
    if (spool->pending.n + n > FILE_BUFFER_WORDS && write_pending(spool, err))
        return (int)err->status;
    return pt_words_append(&spool->pending, words, n, err);
}

int pt_spool_add(struct pt_spool *spool, const uint32_t *words, uint64_t n, struct pt_error *err)
{
    if (n > UINT32_MAX)
        return pt_fail(err, PT_MISMATCH, "an example of %" PRIu64 " tokens is too long", n);
    if (pt_reserve(&spool->places, &spool->capacity, spool->n + 1, sizeof *spool->places, err))
        return (int)err->status;
    struct place *place = &spool->places[spool->n];
    *place = (struct place){.at = spool->memory.n, .n_words = (uint32_t)n};
    place->n_targets = (uint32_t)pt_stream_targets(words, n);
    bool fits = spool->file.descriptor < 0 && n <= spool->most_words - spool->memory.n;
    if (!fits)
        place->at += spool->written + spool->pending.n;
    if (fits ? pt_words_append(&spool->memory, words, n, err) : add_to_file(spool, words, n, err))
        return (int)err->status;
    spool->n++;
    return PT_OK;
}

uint64_t pt_spool_tokens(const struct pt_spool *spool, uint64_t example)
{
    return spool->places[example].n_words;
}

uint64_t pt_spool_targets(const struct pt_spool *spool, uint64_t example)
{
    return spool->places[example].n_targets;
}

static bool is_in_memory(const struct pt_spool *spool, const struct place *place)
{
    return place->at + place->n_words <= spool->memory.n;
}

/* Makes room for all that comes from the file, so that it does not move while it is filled. */
static int prepare_fetch(struct pt_spool *spool, const uint64_t *places, uint64_t n, struct pt_error *err)
{
    uint64_t words = 0;
    for (uint64_t i = 0; i < n; i++)
        if (!is_in_memory(spool, &spool->places[places[i]]))
            words += spool->places[places[i]].n_words;
    spool->fetched.n = 0;
    if (words && write_pending(spool, err))
        return (int)err->status;
    if (pt_reserve(&spool->fetched.data, &spool->fetched.capacity, words, sizeof *spool->fetched.data, err))
        return (int)err->status;
    return pt_reserve(&spool->examples, &spool->examples_capacity, n, sizeof *spool->examples, err);
}

int pt_spool_get(struct pt_spool *spool, const uint64_t *places, uint64_t n,
                 const struct pt_example **examples, struct pt_error *err)
{
    if (prepare_fetch(spool, places, n, err))
        return (int)err->status;
    for (uint64_t i = 0; i < n; i++) {
        const struct place *place = &spool->places[places[i]];
        struct pt_example *example = &spool->examples[i];
        example->n_words = place->n_words;
        if (is_in_memory(spool, place)) {
            example->words = spool->memory.data + place->at;
            continue;
        }
        uint32_t *words = spool->fetched.data + spool->fetched.n;
        spool->fetched.n += place->n_words;
        if (pt_scratch_file_read(&spool->file, words, place->n_words * sizeof *words,
                                 (place->at - spool->memory.n) * sizeof *words, err))
            return (int)err->status;
        example->words = words;
    }
    *examples = spool->examples;
    return PT_OK;
}
