/*
 * Growable bytes and words.
 */
#include "base/buffer.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pt_buffer_reserve(struct pt_buffer *buffer, size_t n, struct pt_error *err)
{
    if (n > SIZE_MAX - buffer->size - 1)
        return pt_fail(err, PT_FAILED, "out of memory (a buffer of %zu + %zu bytes)", buffer->size, n);
    return pt_reserve(&buffer->data, &buffer->capacity, buffer->size + n + 1, 1, err);
}

int pt_buffer_append(struct pt_buffer *buffer, const void *bytes, size_t n, struct pt_error *err)
{
    if (pt_buffer_reserve(buffer, n, err))
        return (int)err->status;
    if (n)
        memcpy(buffer->data + buffer->size, bytes, n);
    buffer->size += n;
    buffer->data[buffer->size] = 0;
    return PT_OK;
}

int pt_buffer_append_string(struct pt_buffer *buffer, const char *text, struct pt_error *err)
{
    return pt_buffer_append(buffer, text, strlen(text), err);
}

int pt_buffer_append_format(struct pt_buffer *buffer, struct pt_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        return pt_fail(err, PT_FAILED, "out of memory");
    int status = pt_buffer_append(buffer, text, (size_t)length, err);
    free(text);
    return status;
}

void pt_buffer_clear(struct pt_buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data)
        buffer->data[0] = 0;
}

void pt_buffer_free(struct pt_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct pt_buffer){0};
}

int pt_words_append(struct pt_words *words, const uint32_t *more, size_t n, struct pt_error *err)
{
    if (pt_reserve(&words->data, &words->capacity, words->n + n, sizeof *words->data, err))
        return (int)err->status;
    if (n)
        memcpy(words->data + words->n, more, n * sizeof *more);
    words->n += n;
    return PT_OK;
}

int pt_words_push(struct pt_words *words, uint32_t word, struct pt_error *err)
{
    return pt_words_append(words, &word, 1, err);
}

void pt_words_free(struct pt_words *words)
{
    free(words->data);
    *words = (struct pt_words){0};
}
