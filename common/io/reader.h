/*
 * What stands behind a source: something that gives bytes. Inside this layer only.
 */
#ifndef PT_IO_READER_H
#define PT_IO_READER_H

#include "io/source.h"

struct pt_reader {
    /* Up to n > 0 bytes; *got = 0 only at the end. Messages begin with the name of what is read. */
    int (*read)(void *context, void *bytes, size_t n, size_t *got, struct pt_error *err);
    void (*close)(void *context);
    void *context; /* owned: close frees it */
};

/* A source over a reader, which it owns from now on, also when this fails. */
int pt_source_open_reader(struct pt_source **source, const char *name, struct pt_reader reader,
                          struct pt_error *err) PT_MUST_USE;

/* Everything that is buffered; where nothing is, what one read gives. *got = 0 only at the end. The pointer
 * lives until the next call. */
int pt_source_peek_once(struct pt_source *source, const void **bytes, size_t *got,
                        struct pt_error *err) PT_MUST_USE;

/* PT_BAD_INPUT where `out` bytes came out of `in` compressed ones beyond the ratio that source.h gives. */
int pt_check_ratio(const char *name, uint64_t in, uint64_t out, struct pt_error *err) PT_MUST_USE;

/* Undoes gzip, member by member, and checks every trailer. Owns `compressed` from now on, also when this
 * fails. */
int pt_gzip_open(struct pt_reader *reader, struct pt_source *compressed, struct pt_error *err) PT_MUST_USE;

#endif
