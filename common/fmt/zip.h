/*
 * The members of a zip archive that lies in memory, found through its central directory (zip64 as well). For
 * archives whose members are used in place: what is compressed or encrypted is listed, not undone (io's
 * sources do that).
 */
#ifndef PT_FMT_ZIP_H
#define PT_FMT_ZIP_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pt_zip_member {
    const char *name; /* [name_bytes], borrowed from the archive's bytes; no NUL at its end */
    size_t name_bytes;
    const uint8_t *data; /* [n_bytes] as they lie in the archive */
    uint64_t n_bytes;
    uint32_t crc; /* of the data before compression */
    bool stored;  /* neither compressed nor encrypted */
    bool encrypted;
};

struct pt_zip {
    struct pt_zip_member *members; /* owned, sorted by name */
    size_t n;
};

/* Every place and length is checked against the bytes; a name that occurs twice is refused. The bytes are
 * borrowed. */
int pt_zip_open(struct pt_zip *zip, const void *bytes, size_t n, struct pt_error *err) PT_MUST_USE;
void pt_zip_free(struct pt_zip *zip);
/* NULL where there is none. */
const struct pt_zip_member *pt_zip_find(const struct pt_zip *zip, const char *name);
bool pt_zip_recognise(const void *bytes, size_t n);

/* Compares the checksums of all stored members. PT_BAD_INPUT names the first that differs. */
int pt_zip_verify(const struct pt_zip *zip, struct pt_error *err) PT_MUST_USE;

#endif
