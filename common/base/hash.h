/*
 * Hashes: XXH64 for the checksums of our formats, XXH128 (XXH3, canonical byte order) for fingerprints.
 */
#ifndef PT_BASE_HASH_H
#define PT_BASE_HASH_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

uint64_t pt_hash64(const void *bytes, size_t n, uint64_t seed);

/* A 128-bit fingerprint as 32 lower-case hexadecimal digits. */
enum { PT_FINGERPRINT_TEXT = 33 };
struct pt_fingerprint {
    char text[PT_FINGERPRINT_TEXT]; /* "" where there is none */
};

/* A running fingerprint. */
struct pt_hasher;
struct pt_hasher *pt_hasher_new(struct pt_error *err) PT_MUST_USE;
void pt_hasher_add(struct pt_hasher *hasher, const void *bytes, size_t n);
struct pt_fingerprint pt_hasher_result(const struct pt_hasher *hasher);
void pt_hasher_free(struct pt_hasher *hasher);

struct pt_fingerprint pt_fingerprint_of(const void *bytes, size_t n);

#endif
