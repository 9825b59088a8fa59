/*
 * One file a process, below TMPDIR.
 */
#include "input_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *input_file(const uint8_t *bytes, size_t n, const char *suffix)
{
    static char path[512];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/fuzz-%d-%s", folder ? folder : "/tmp", (int)getpid(), suffix);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file)) {
        perror(path);
        exit(1);
    }
    return path;
}
