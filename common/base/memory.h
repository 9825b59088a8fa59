/*
 * Checked allocation. Everything is released with free().
 */
#ifndef PT_BASE_MEMORY_H
#define PT_BASE_MEMORY_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n zeroed elements of the given size; at least one byte. NULL and PT_FAILED in err when memory is out or n *
 * size overflows. */
void *pt_new_array(size_t n, size_t size, struct pt_error *err) PT_MUST_USE;

/* n zeroed floats on a 64-byte boundary. */
float *pt_new_floats(size_t n, struct pt_error *err) PT_MUST_USE;

/*
 * n zeroed bytes for a table that is read at any place before it is written: they are written here, so that
 * no page is faulted in twice, the second time with an interrupt to the cores of all other threads. On large
 * pages, too.
 */
void *pt_new_table(size_t n_bytes, struct pt_error *err) PT_MUST_USE;

/* n bytes for what is written before it is read, not zeroed; on large pages where the system has them. */
void *pt_new_room(size_t n_bytes, struct pt_error *err) PT_MUST_USE;

/* Copies of strings. */
char *pt_new_string(const char *text, struct pt_error *err) PT_MUST_USE;
char *pt_new_string_n(const char *bytes, size_t n, struct pt_error *err) PT_MUST_USE;
char *pt_new_format(struct pt_error *err, const char *format, ...) PT_PRINTF(2, 3) PT_MUST_USE;

/*
 * Makes room for `need` elements in an array of *capacity elements, growing geometrically; the new part is
 * not zeroed. array_address is the address of the array's pointer, whatever its type: the array may move.
 * On failure it is left as it was.
 */
int pt_reserve(void *array_address, size_t *capacity, size_t need, size_t size,
               struct pt_error *err) PT_MUST_USE;

/* a * b into *product; false on overflow. */
bool pt_multiply(uint64_t a, uint64_t b, uint64_t *product) PT_MUST_USE;

/* Asks for large pages for a block that was not touched yet, which saves faults and look-ups of addresses. */
void pt_memory_use_large_pages(void *block, size_t n_bytes);

/* Bytes of memory that this process may still use: the smaller of what the system has and what its control
 * groups leave. */
uint64_t pt_memory_available(void);

#endif
