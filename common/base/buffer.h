/*
 * A growable run of bytes, owned by the caller. Starts zeroed, ends with pt_buffer_free. data[size] is a
 * NUL byte whenever data is not NULL, so text can be used as a C string.
 */
#ifndef PT_BASE_BUFFER_H
#define PT_BASE_BUFFER_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct pt_buffer {
    char *data; /* owned */
    size_t size;
    size_t capacity;
};

int pt_buffer_append(struct pt_buffer *buffer, const void *bytes, size_t n, struct pt_error *err) PT_MUST_USE;
int pt_buffer_append_string(struct pt_buffer *buffer, const char *text, struct pt_error *err) PT_MUST_USE;
int pt_buffer_append_format(struct pt_buffer *buffer, struct pt_error *err, const char *format, ...)
    PT_PRINTF(3, 4) PT_MUST_USE;

/* Makes room for n more bytes behind data[size], which the caller may fill before it raises size. */
int pt_buffer_reserve(struct pt_buffer *buffer, size_t n, struct pt_error *err) PT_MUST_USE;

void pt_buffer_clear(struct pt_buffer *buffer); /* keeps the memory */
void pt_buffer_free(struct pt_buffer *buffer);

/* A growable list of token ids or stream words, used the same way. */
struct pt_words {
    uint32_t *data; /* owned */
    size_t n;
    size_t capacity;
};

int pt_words_append(struct pt_words *words, const uint32_t *more, size_t n, struct pt_error *err) PT_MUST_USE;
int pt_words_push(struct pt_words *words, uint32_t word, struct pt_error *err) PT_MUST_USE;
void pt_words_free(struct pt_words *words);

#endif
