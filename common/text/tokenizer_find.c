/*
 * A folder's tokenizer as a file, without being opened as a tokenizer: parsing a large vocabulary costs more
 * than all other checks of a model together.
 */
#include "text/tokenizer.h"

#include "base/memory.h"
#include "io/map.h"

#include <stdlib.h>
#include <unistd.h>

int pt_tokenizer_find(const char *folder, const char **file, struct pt_fingerprint *fingerprint,
                      struct pt_error *err)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.model"};
    *file = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !*file; i++) {
        struct pt_map map;
        char *path = pt_new_format(err, "%s/%s", folder, names[i]);
        if (!path)
            return (int)err->status;
        if (!access(path, F_OK) && !pt_map_open(&map, path, err)) {
            *file = names[i];
            *fingerprint = pt_fingerprint_of(map.data, map.size);
            pt_map_close(&map);
        }
        free(path);
        if (err->status)
            return (int)err->status;
    }
    return PT_OK;
}
