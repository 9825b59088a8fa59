/*
 * A dataset as the Hugging Face library `datasets` saves it (Dataset.save_to_disk): a folder whose state.json
 * names the data files, in order, and the columns that readers are to see.
 */
#ifndef PT_TEXT_DATASET_FOLDER_H
#define PT_TEXT_DATASET_FOLDER_H

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>

struct pt_dataset_folder {
    char **paths; /* [n_paths], owned: of the data files */
    size_t n_paths;
    json_t *columns; /* owned: an object with the visible columns as keys; NULL: all are visible */
};

/*
 * A folder that is no dataset, or a damaged one, is PT_BAD_INPUT; one of several datasets (a DatasetDict) or
 * with a selection of rows beside it (as early versions wrote) PT_MISMATCH.
 */
int pt_dataset_folder_open(struct pt_dataset_folder *folder, const char *path,
                           struct pt_error *err) PT_MUST_USE;
void pt_dataset_folder_free(struct pt_dataset_folder *folder);

#endif
