/*
 * Words follow one another in one sequence whose beginning is an array and whose rest is the file; an example
 * lies wholly in one of the two. Once one example went to the file all later ones do.
 */
#include "tune/spool.h"

#include "base/memory.h"
#include "io/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    int descriptor;          /* of the file, -1 while there is none */
    char *folder;            /* owned: where the file is, for messages */
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
    (*spool)->descriptor = -1;
    return PT_OK;
}

void pt_spool_close(struct pt_spool *spool)
{
    if (!spool)
        return;
    if (spool->descriptor >= 0)
        close(spool->descriptor);
    pt_words_free(&spool->memory);
    pt_words_free(&spool->pending);
    pt_words_free(&spool->fetched);
    free(spool->places);
    free(spool->folder);
    free(spool->examples);
    free(spool);
}

static int open_file(struct pt_spool *spool, struct pt_error *err)
{
    const char *folder = getenv("TMPDIR");
    spool->folder = pt_new_string(folder && *folder ? folder : "/tmp", err);
    char *path = spool->folder ? pt_new_format(err, "%s/pt-spool-XXXXXX", spool->folder) : NULL;
    if (!path)
        return (int)err->status;
    spool->descriptor = mkostemp(path, O_CLOEXEC);
    if (spool->descriptor < 0)
        pt_fail_errno(err, "temporary file in %s", spool->folder);
    else
        unlink(path);
    free(path);
    return (int)err->status;
}

static int write_pending(struct pt_spool *spool, struct pt_error *err)
{
    struct pt_words *pending = &spool->pending;
    if (!pending->n)
        return PT_OK;
    if (pt_descriptor_write(spool->descriptor, pending->data, pending->n * sizeof *pending->data)) {
        pt_fail_errno(err, "temporary file in %s", spool->folder);
        return pt_error_hint(err, "set TMPDIR to a folder with more room, or give --memory");
    }
    spool->written += pending->n;
    pending->n = 0;
    return PT_OK;
}

static int add_to_file(struct pt_spool *spool, const uint32_t *words, uint64_t n, struct pt_error *err)
{
    if (spool->descriptor < 0 && open_file(spool, err))
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
    bool fits = spool->descriptor < 0 && n <= spool->most_words - spool->memory.n;
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

static int read_file(const struct pt_spool *spool, uint32_t *words, const struct place *place,
                     struct pt_error *err)
{
    char *to = (char *)words;
    size_t left = (size_t)place->n_words * sizeof *words;
    off_t at = (off_t)((place->at - spool->memory.n) * sizeof *words);
    while (left) {
        ssize_t got = pread(spool->descriptor, to, left, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return pt_fail_errno(err, "temporary file in %s", spool->folder);
        if (got == 0)
            return pt_fail(err, PT_FAILED, "temporary file in %s: became shorter", spool->folder);
        to += got;
        at += got;
        left -= (size_t)got;
    }
    return PT_OK;
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
        if (read_file(spool, words, place, err))
            return (int)err->status;
        example->words = words;
    }
    *examples = spool->examples;
    return PT_OK;
}
