/*
 * Whether two paths lead to one file, however they are spelled: through other folders, links, descriptors.
 */
#ifndef PT_IO_SAME_FILE_H
#define PT_IO_SAME_FILE_H

#include <stdbool.h>

/*
 * What is there counts as one by device and inode; what is not there yet by its folder and its name in it.
 * "ARCHIVE:MEMBER" (io/source.h) stands for the archive. "-" is no path here.
 */
bool pt_same_file(const char *a, const char *b);
/* Whether `path` is one of the folder's own files, links followed, whose name `is_meant` says yes to. */
bool pt_file_in_folder(const char *path, const char *folder, bool (*is_meant)(const char *name));

#endif
