/*
 * A folder's tokenizer as a file, without being opened as a tokenizer: parsing a large vocabulary costs more
 * than all other checks of a model together.
 */
#include "text/tokenizer.h"

#include "base/memory.h"
#include "io/map.h"
#include "text/gpt2_files.h"

#include <stdlib.h>
#include <unistd.h>

/* A file of the folder that may be missing: *found. */
static int map(struct pt_map *map, bool *found, const char *folder, const char *name, struct pt_error *err)
{
    char *path = pt_new_format(err, "%s/%s", folder, name);
    *found = path && !access(path, F_OK) && !pt_map_open(map, path, err);
    free(path);
    return (int)err->status;
}

static int find_gpt2_files(const char *folder, const char **file, struct pt_fingerprint *fingerprint,
                           struct pt_error *err)
{
    struct pt_map vocabulary, merges;
    bool found, both = false;
    if (map(&vocabulary, &found, folder, PT_GPT2_VOCABULARY, err) || !found)
        return (int)err->status;
    if (!map(&merges, &both, folder, PT_GPT2_MERGES, err) && both) {
        if (!pt_gpt2_fingerprint(fingerprint, vocabulary.data, vocabulary.size, merges.data, merges.size,
                                 err))
            *file = PT_GPT2_VOCABULARY;
        pt_map_close(&merges);
    }
    pt_map_close(&vocabulary);
    return (int)err->status;
}

int pt_tokenizer_find(const char *folder, const char **file, struct pt_fingerprint *fingerprint,
                      struct pt_error *err)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.model"};
    *file = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !*file; i++) {
        struct pt_map one;
        bool found;
        if (map(&one, &found, folder, names[i], err))
            return (int)err->status;
        if (found) {
            *file = names[i];
            *fingerprint = pt_fingerprint_of(one.data, one.size);
            pt_map_close(&one);
        }
    }
    return *file ? PT_OK : find_gpt2_files(folder, file, fingerprint, err);
}
