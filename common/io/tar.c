/*
 * The header of POSIX.1-1988 (ustar): numbers are octal text, everything is padded to blocks of 512 bytes.
 */
#include "io/tar.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 512 };

struct header {
    char name[100], mode[8], user[8], group[8], size[12], time[12], checksum[8], kind, link[100];
    char magic[6], version[2], user_name[32], group_name[32], major[8], minor[8], prefix[155], padding[12];
};

static void fill_header(struct header *header, const char *name, size_t n)
{
    memset(header, 0, sizeof *header);
    memcpy(header->name, name, strlen(name));
    memcpy(header->mode, "0000644", sizeof header->mode);
    memcpy(header->user, "0000000", sizeof header->user);
    memcpy(header->group, "0000000", sizeof header->group);
    snprintf(header->size, sizeof header->size, "%011zo", n);
    memcpy(header->time, "00000000000", sizeof header->time);
    memset(header->checksum, ' ', sizeof header->checksum);
    header->kind = '0';
    memcpy(header->magic, "ustar", sizeof header->magic);
    memcpy(header->version, "00", sizeof header->version);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof *header; i++)
        sum += ((const unsigned char *)header)[i];
    snprintf(header->checksum, sizeof header->checksum, "%06o", sum);
}

int pt_tar_write_file(struct pt_sink *sink, const char *name, const void *bytes, size_t n,
                      struct pt_error *err)
{
    static const char zeros[BLOCK];
    struct header header;
    _Static_assert(sizeof header == BLOCK, "a tar header is one block");
    if (strlen(name) > sizeof header.name || n >> 33)
        return pt_fail(err, PT_FAILED, "%s: name or content is too long for a tar archive", name);
    fill_header(&header, name, n);
    if (pt_sink_write(sink, &header, sizeof header, err) || pt_sink_write(sink, bytes, n, err))
        return (int)err->status;
    return pt_sink_write(sink, zeros, (BLOCK - n % BLOCK) % BLOCK, err);
}

int pt_tar_write_end(struct pt_sink *sink, struct pt_error *err)
{
    static const char zeros[2 * BLOCK];
    return pt_sink_write(sink, zeros, sizeof zeros, err);
}
