/*
 * stat(2) follows links, so that device and inode tell what is there; a name that is still free has only its
 * folder's.
 */
#include "io/same_file.h"

#include "io/source.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct identity {
    dev_t device;
    ino_t inode;
    const char *name; /* borrowed: in the folder that the numbers are of; NULL: they are the file's */
};

static bool identify_new(struct identity *identity, const char *path)
{
    struct stat status;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    bool found = folder && stat(folder, &status) == 0;
    free(folder);
    if (found)
        *identity = (struct identity){status.st_dev, status.st_ino, slash ? slash + 1 : path};
    return found;
}

static bool identify(struct identity *identity, const char *path)
{
    struct stat status;
    size_t member = pt_source_member_offset(path);
    char *file = strndup(path, member ? member - 1 : strlen(path));
    bool exists = file && stat(file, &status) == 0;
    free(file);
    if (!exists)
        return identify_new(identity, path);
    *identity = (struct identity){status.st_dev, status.st_ino, NULL};
    return true;
}

bool pt_same_file(const char *a, const char *b)
{
    struct identity one, other;
    if (!identify(&one, a) || !identify(&other, b) || one.device != other.device || one.inode != other.inode)
        return false;
    return one.name && other.name ? strcmp(one.name, other.name) == 0 : !one.name && !other.name;
}

bool pt_file_in_folder(const char *path, const char *folder, bool (*is_meant)(const char *name))
{
    struct stat status, file;
    DIR *stream = stat(path, &file) ? NULL : opendir(folder);
    bool found = false;
    if (!stream)
        return false;
    for (struct dirent *entry = readdir(stream); entry && !found; entry = readdir(stream))
        found = is_meant(entry->d_name) && !fstatat(dirfd(stream), entry->d_name, &status, 0) &&
                status.st_dev == file.st_dev && status.st_ino == file.st_ino;
    closedir(stream);
    return found;
}
