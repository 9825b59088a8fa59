/*
 * Files for unit tests: a scratch folder that goes away with the program, and reading and writing whole files
 * in it.
 */
#ifndef PT_TESTS_UNIT_FILES_H
#define PT_TESTS_UNIT_FILES_H

#include "support.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char scratch[64];

static inline int make_scratch(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%.40s/pt-test-XXXXXX", parent ? parent : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static inline int remove_scratch(void **state)
{
    (void)state;
    return nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in the scratch folder, in one of four buffers used in turn. */
static inline const char *in_scratch(const char *name)
{
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

/* Anew: a file that is emptied and written again goes to the disk at once on some file systems. */
static inline void write_file(const char *path, const void *bytes, size_t n)
{
    (void)unlink(path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* The whole file with a NUL behind it; to be freed. */
static inline char *read_file(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    char *bytes = NULL;
    *n = 0;
    for (size_t got = 1; got; *n += got) {
        bytes = realloc(bytes, *n + 65536 + 1);
        assert_non_null(bytes);
        got = fread(bytes + *n, 1, 65536, file);
    }
    fclose(file);
    bytes[*n] = 0;
    return bytes;
}

/* How many names the folder holds, beside "." and "..". */
static inline int count_names(const char *folder)
{
    DIR *stream = opendir(folder);
    assert_non_null(stream);
    int n = -2;
    while (readdir(stream))
        n++;
    closedir(stream);
    return n;
}

#endif
