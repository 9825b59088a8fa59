/*
 * Field numbers are those of PKWARE's APPNOTE.TXT (4.3.7 local header, 4.3.12 central directory, 4.3.14
 * to 4.3.16 end records, 4.5.3 zip64). Lengths are compared by subtraction from what remains, so that none of
 * them can wrap.
 */
#include "fmt/zip.h"

#include "base/integer.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    LOCAL_SIGNATURE = 0x04034b50,
    LOCAL_BYTES = 30,
    CENTRAL_SIGNATURE = 0x02014b50,
    CENTRAL_BYTES = 46,
    END_SIGNATURE = 0x06054b50,
    END_BYTES = 22,
    END64_SIGNATURE = 0x06064b50,
    END64_BYTES = 56,
    LOCATOR_SIGNATURE = 0x07064b50,
    LOCATOR_BYTES = 20,
    ZIP64_EXTRA = 1,
    COMMENT_LIMIT = 0xffff,
    FLAG_ENCRYPTED = 1,
    METHOD_STORED = 0,
};
#define IN_ZIP64 UINT32_C(0xffffffff) /* a 32-bit field whose value is in the zip64 extra field */

struct archive {
    const uint8_t *bytes;
    size_t n;
};

/* Where the central directory lies. */
struct directory {
    uint64_t offset, n_bytes, entries;
};

bool pt_zip_recognise(const void *bytes, size_t n)
{
    return n >= 4 && pt_little_endian(bytes, 4) == LOCAL_SIGNATURE;
}

static int damaged(struct pt_error *err, uint64_t offset, const char *what)
{
    return pt_fail(err, PT_BAD_INPUT, "damaged zip archive: offset %" PRIu64 ": %s", offset, what);
}

/* The end record, whose comment must reach exactly to the end of the file; n where there is none. */
static size_t find_end(const struct archive *a)
{
    if (a->n < END_BYTES)
        return a->n;
    for (size_t comment = 0; comment <= COMMENT_LIMIT && comment <= a->n - END_BYTES; comment++) {
        const uint8_t *end = a->bytes + a->n - END_BYTES - comment;
        if (pt_little_endian(end, 4) == END_SIGNATURE && pt_little_endian(end + 20, 2) == comment)
            return (size_t)(end - a->bytes);
    }
    return a->n;
}

/* The zip64 end record, whose locator lies in front of the plain one. PyTorch writes it always. */
static int find_directory64(const struct archive *a, size_t *end, struct directory *directory,
                            struct pt_error *err)
{
    const uint8_t *locator = a->bytes + *end - LOCATOR_BYTES;
    uint64_t offset = pt_little_endian(locator + 8, 8);
    if (*end - LOCATOR_BYTES < END64_BYTES || offset > *end - LOCATOR_BYTES - END64_BYTES)
        return damaged(err, *end, "a zip64 locator that points outside");
    const uint8_t *end64 = a->bytes + offset;
    if (pt_little_endian(end64, 4) != END64_SIGNATURE)
        return damaged(err, offset, "no zip64 end record");
    *directory = (struct directory){.entries = pt_little_endian(end64 + 32, 8),
                                    .n_bytes = pt_little_endian(end64 + 40, 8),
                                    .offset = pt_little_endian(end64 + 48, 8)};
    *end = (size_t)offset;
    return PT_OK;
}

static int find_directory(const struct archive *a, struct directory *directory, struct pt_error *err)
{
    size_t end = find_end(a);
    if (end == a->n)
        return pt_fail(err, PT_BAD_INPUT, "zip archive without its directory at the end: cut short");
    const uint8_t *record = a->bytes + end;
    *directory = (struct directory){.entries = pt_little_endian(record + 10, 2),
                                    .n_bytes = pt_little_endian(record + 12, 4),
                                    .offset = pt_little_endian(record + 16, 4)};
    bool has64 = end >= LOCATOR_BYTES && pt_little_endian(record - LOCATOR_BYTES, 4) == LOCATOR_SIGNATURE;
    if (has64 && find_directory64(a, &end, directory, err))
        return (int)err->status;
    if (directory->offset > end || directory->n_bytes != end - directory->offset)
        return damaged(err, end, "the directory does not lie in front of its end record");
    if (directory->entries > directory->n_bytes / CENTRAL_BYTES)
        return damaged(err, end, "more entries than the directory has room for");
    return PT_OK;
}

/* Replaces the values that a 32-bit field has no room for by those of the zip64 extra field. */
static bool apply_zip64(const uint8_t *extra, size_t n, uint64_t *size, uint64_t *packed, uint64_t *offset)
{
    uint64_t *values[] = {size, packed, offset};
    while (n >= 4) {
        size_t length = (size_t)pt_little_endian(extra + 2, 2);
        if (length > n - 4)
            return false;
        if (pt_little_endian(extra, 2) == ZIP64_EXTRA) {
            const uint8_t *at = extra + 4;
            for (size_t i = 0; i < 3; i++) {
                if (*values[i] != IN_ZIP64)
                    continue;
                if (length < 8)
                    return false;
                *values[i] = pt_little_endian(at, 8);
                at += 8;
                length -= 8;
            }
            return true;
        }
        extra += 4 + length;
        n -= 4 + length;
    }
    return *size != IN_ZIP64 && *packed != IN_ZIP64 && *offset != IN_ZIP64;
}

/* Finds the data of a member behind its local header, which must bear the same name. */
static int locate(const struct archive *a, struct pt_zip_member *member, uint64_t offset,
                  struct pt_error *err)
{
    if (a->n < LOCAL_BYTES || offset > a->n - LOCAL_BYTES)
        return damaged(err, offset, "a member outside of the archive");
    const uint8_t *local = a->bytes + offset;
    uint64_t left = a->n - offset - LOCAL_BYTES, name_bytes = pt_little_endian(local + 26, 2),
             extra_bytes = pt_little_endian(local + 28, 2);
    if (pt_little_endian(local, 4) != LOCAL_SIGNATURE || name_bytes != member->name_bytes ||
        name_bytes > left || memcmp(local + LOCAL_BYTES, member->name, member->name_bytes) != 0)
        return damaged(err, offset, "a member's header does not agree with the directory");
    left -= name_bytes;
    if (extra_bytes > left || member->n_bytes > left - extra_bytes)
        return damaged(err, offset, "a member that is longer than the archive");
    member->data = local + LOCAL_BYTES + name_bytes + extra_bytes;
    return PT_OK;
}

/* Reads one entry of the directory and moves *at behind it. */
static int read_entry(const struct archive *a, uint64_t *at, uint64_t end, struct pt_zip_member *member,
                      struct pt_error *err)
{
    const uint8_t *entry = a->bytes + *at;
    if (end - *at < CENTRAL_BYTES || pt_little_endian(entry, 4) != CENTRAL_SIGNATURE)
        return damaged(err, *at, "no entry where the directory should have one");
    uint64_t name_bytes = pt_little_endian(entry + 28, 2), extra_bytes = pt_little_endian(entry + 30, 2),
             comment_bytes = pt_little_endian(entry + 32, 2);
    if (name_bytes + extra_bytes + comment_bytes > end - *at - CENTRAL_BYTES)
        return damaged(err, *at, "an entry that is longer than the directory");
    uint64_t packed = pt_little_endian(entry + 20, 4), size = pt_little_endian(entry + 24, 4),
             offset = pt_little_endian(entry + 42, 4);
    if (!apply_zip64(entry + CENTRAL_BYTES + name_bytes, extra_bytes, &size, &packed, &offset))
        return damaged(err, *at, "a zip64 field that is cut short");
    bool encrypted = pt_little_endian(entry + 8, 2) & FLAG_ENCRYPTED;
    *member = (struct pt_zip_member){
        .name = (const char *)entry + CENTRAL_BYTES,
        .name_bytes = name_bytes,
        .n_bytes = packed,
        .crc = (uint32_t)pt_little_endian(entry + 16, 4),
        .stored = !encrypted && pt_little_endian(entry + 10, 2) == METHOD_STORED,
        .encrypted = encrypted,
    };
    if (member->stored && packed != size)
        return damaged(err, *at, "a stored member with two sizes");
    *at += CENTRAL_BYTES + name_bytes + extra_bytes + comment_bytes;
    return locate(a, member, offset, err);
}

static int compare_names(const void *a, const void *b)
{
    const struct pt_zip_member *x = a, *y = b;
    size_t shorter = x->name_bytes < y->name_bytes ? x->name_bytes : y->name_bytes;
    int order = memcmp(x->name, y->name, shorter);
    return order ? order : (x->name_bytes > y->name_bytes) - (x->name_bytes < y->name_bytes);
}

static int read_entries(const struct archive *a, const struct directory *directory, struct pt_zip *zip,
                        struct pt_error *err)
{
    uint64_t at = directory->offset, end = directory->offset + directory->n_bytes;
    for (; zip->n < directory->entries; zip->n++)
        if (read_entry(a, &at, end, &zip->members[zip->n], err))
            return (int)err->status;
    if (at != end)
        return damaged(err, at, "the directory holds more than its entries");
    qsort(zip->members, zip->n, sizeof *zip->members, compare_names);
    for (size_t i = 1; i < zip->n; i++)
        if (!compare_names(&zip->members[i - 1], &zip->members[i]))
            return pt_fail(err, PT_BAD_INPUT, "zip archive with two members of the name \"%.*s\"",
                           (int)zip->members[i].name_bytes, zip->members[i].name);
    return PT_OK;
}

int pt_zip_open(struct pt_zip *zip, const void *bytes, size_t n, struct pt_error *err)
{
    *zip = (struct pt_zip){0};
    struct archive archive = {bytes, n};
    struct directory directory = {0};
    if (find_directory(&archive, &directory, err))
        return (int)err->status;
    zip->members = pt_new_array(directory.entries, sizeof *zip->members, err);
    if (!zip->members)
        return (int)err->status;
    if (read_entries(&archive, &directory, zip, err))
        pt_zip_free(zip);
    return (int)err->status;
}

void pt_zip_free(struct pt_zip *zip)
{
    free(zip->members);
    *zip = (struct pt_zip){0};
}

const struct pt_zip_member *pt_zip_find(const struct pt_zip *zip, const char *name)
{
    struct pt_zip_member key = {.name = name, .name_bytes = strlen(name)};
    return bsearch(&key, zip->members, zip->n, sizeof *zip->members, compare_names);
}

int pt_zip_verify(const struct pt_zip *zip, struct pt_error *err)
{
    for (size_t i = 0; i < zip->n; i++) {
        const struct pt_zip_member *member = &zip->members[i];
        if (member->stored && crc32_z(0, member->data, member->n_bytes) != member->crc)
            return pt_fail(err, PT_BAD_INPUT, "damaged: the checksum of member \"%.*s\" is wrong",
                           (int)member->name_bytes, member->name);
    }
    return PT_OK;
}
