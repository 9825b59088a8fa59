/*
 * A thin cover over xxhash, so that the choice of hash is made in one place.
 */
#include "base/hash.h"

#include <stdio.h>
#include <xxhash.h>

/* A struct pt_hasher is never seen: the pointer is the library's own state. */
static XXH3_state_t *state_of(struct pt_hasher *hasher)
{
    return (XXH3_state_t *)hasher;
}

uint64_t pt_hash64(const void *bytes, size_t n, uint64_t seed)
{
    return XXH64(bytes, n, seed);
}

struct pt_hasher *pt_hasher_new(struct pt_error *err)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state || XXH3_128bits_reset(state) != XXH_OK) {
        XXH3_freeState(state);
        pt_fail(err, PT_FAILED, "out of memory");
        return NULL;
    }
    return (struct pt_hasher *)state;
}

void pt_hasher_add(struct pt_hasher *hasher, const void *bytes, size_t n)
{
    if (n)
        XXH3_128bits_update(state_of(hasher), bytes, n);
}

static struct pt_fingerprint as_text(XXH128_hash_t hash)
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    struct pt_fingerprint fingerprint;
    for (size_t i = 0; i < sizeof canonical.digest; i++)
        snprintf(fingerprint.text + 2 * i, 3, "%02x", canonical.digest[i]);
    return fingerprint;
}

struct pt_fingerprint pt_hasher_result(const struct pt_hasher *hasher)
{
    return as_text(XXH3_128bits_digest((const XXH3_state_t *)hasher));
}

void pt_hasher_free(struct pt_hasher *hasher)
{
    if (hasher)
        XXH3_freeState(state_of(hasher));
}

struct pt_fingerprint pt_fingerprint_of(const void *bytes, size_t n)
{
    return as_text(XXH3_128bits(bytes, n));
}
