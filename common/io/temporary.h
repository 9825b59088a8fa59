/*
 * Files and folders under a temporary name beside their target, which take the target's name once they are
 * complete. All that have not done so yet are in a list that a signal handler can remove.
 */
#ifndef PT_IO_TEMPORARY_H
#define PT_IO_TEMPORARY_H

#include "base/error.h"

#include <stdbool.h>

struct pt_temporary {
    char *target; /* owned; symbolic links followed */
    char *path;   /* owned; in the target's folder */
    int slot;     /* in the list of what is to be removed */
};

/* Creates a file (*descriptor is opened for writing, with the mode of an existing target), or a folder.
 * PT_FAILED. */
int pt_temporary_file(struct pt_temporary *temporary, const char *target, int *descriptor,
                      struct pt_error *err) PT_MUST_USE;
int pt_temporary_folder(struct pt_temporary *temporary, const char *target, struct pt_error *err) PT_MUST_USE;
/* Creates a file of this name in a temporary folder, with which it comes and goes: it has no target of its
 * own. */
int pt_temporary_inside(struct pt_temporary *temporary, const struct pt_temporary *folder, const char *name,
                        int *descriptor, struct pt_error *err) PT_MUST_USE;

/*
 * Renames over the target, syncs the folder around it, and releases. On failure it is left to be discarded. A
 * folder that is there changes places with the temporary one: *replaced says so, and then what is to be
 * discarded is the old one.
 */
int pt_temporary_commit(struct pt_temporary *temporary, struct pt_error *err) PT_MUST_USE;
int pt_temporary_commit_folder(struct pt_temporary *temporary, bool *replaced,
                               struct pt_error *err) PT_MUST_USE;
/* Removes the file, or the empty folder, and releases. Does nothing after a commit. */
void pt_temporary_discard(struct pt_temporary *temporary);
/* Releases and leaves what is there. */
void pt_temporary_release(struct pt_temporary *temporary);

/* Syncs the folder that `path` lies in, so that a rename survives a crash. */
int pt_sync_folder_of(const char *path, struct pt_error *err) PT_MUST_USE;

/* Removes everything in the list, the youngest first; async-signal-safe. */
void pt_temporaries_remove(void);

#endif
