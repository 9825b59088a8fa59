/*
 * Zip archives made member by member, with whatever a test wants in them: checksums are 0, which opening does
 * not compare.
 */
#ifndef PT_TESTS_UNIT_ZIP_MAKER_H
#define PT_TESTS_UNIT_ZIP_MAKER_H

#include "support.h"

#include "base/buffer.h"

#include <stdio.h>
#include <string.h>

struct made {
    struct pt_buffer bytes, directory; /* owned */
    size_t members;
};

static inline void append(struct pt_buffer *to, const void *bytes, size_t n)
{
    struct pt_error err = {0};
    assert_int_equal(pt_buffer_append(to, bytes, n, &err), 0);
}

static inline void add_member(struct made *made, const char *name, const void *data, size_t n,
                              uint16_t method)
{
    struct __attribute__((packed)) {
        uint32_t signature;
        uint16_t version, flags, method, time, date;
        uint32_t crc, packed, size;
        uint16_t name_bytes, extra_bytes;
    } local = {0x04034b50, 0, 0, method, 0, 0, 0, (uint32_t)n, (uint32_t)n, (uint16_t)strlen(name), 0};
    struct __attribute__((packed)) {
        uint32_t signature;
        uint16_t made_by, version, flags, method, time, date;
        uint32_t crc, packed, size;
        uint16_t name_bytes, extra_bytes, comment_bytes, disk, internal;
        uint32_t external, offset;
    } central = {0x02014b50,
                 0,
                 0,
                 0,
                 method,
                 0,
                 0,
                 0,
                 (uint32_t)n,
                 (uint32_t)n,
                 (uint16_t)strlen(name),
                 0,
                 0,
                 0,
                 0,
                 0,
                 (uint32_t)made->bytes.size};
    append(&made->directory, &central, sizeof central);
    append(&made->directory, name, strlen(name));
    append(&made->bytes, &local, sizeof local);
    append(&made->bytes, name, strlen(name));
    append(&made->bytes, data, n);
    made->members++;
}

/* Writes the archive and forgets what was added. */
static inline void write_made(struct made *made, const char *path)
{
    struct __attribute__((packed)) {
        uint32_t signature;
        uint16_t disk, first_disk, here, entries;
        uint32_t directory_bytes, offset;
        uint16_t comment_bytes;
    } end = {0x06054b50,
             0,
             0,
             (uint16_t)made->members,
             (uint16_t)made->members,
             (uint32_t)made->directory.size,
             (uint32_t)made->bytes.size,
             0};
    append(&made->bytes, made->directory.data, made->directory.size);
    append(&made->bytes, &end, sizeof end);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(made->bytes.data, 1, made->bytes.size, file), made->bytes.size);
    assert_int_equal(fclose(file), 0);
    pt_buffer_free(&made->bytes);
    pt_buffer_free(&made->directory);
    *made = (struct made){0};
}

#endif
