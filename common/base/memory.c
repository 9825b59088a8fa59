/*
 * Checked allocation, and how much memory there is.
 */
#include "base/memory.h"

#include "base/cgroup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIMD_ALIGNMENT = 64, LARGE_PAGE = 2 << 20 };

static void *out_of_memory(size_t n, size_t size, struct pt_error *err)
{
    pt_fail(err, PT_FAILED, "out of memory (%zu elements of %zu bytes)", n, size);
    return NULL;
}

void *pt_new_array(size_t n, size_t size, struct pt_error *err)
{
    uint64_t bytes;
    if (!pt_multiply(n, size, &bytes) || bytes > PTRDIFF_MAX)
        return out_of_memory(n, size, err);
    void *array = calloc(n ? n : 1, size);
    return array ? array : out_of_memory(n, size, err);
}

float *pt_new_floats(size_t n, struct pt_error *err)
{
    if (n > (SIZE_MAX - SIMD_ALIGNMENT) / sizeof(float))
        return out_of_memory(n, sizeof(float), err);
    size_t bytes = (n * sizeof(float) + SIMD_ALIGNMENT) / SIMD_ALIGNMENT * SIMD_ALIGNMENT;
    float *array = aligned_alloc(SIMD_ALIGNMENT, bytes);
    if (!array)
        return out_of_memory(n, sizeof(float), err);
    memset(array, 0, bytes);
    return array;
}

void *pt_new_room(size_t n_bytes, struct pt_error *err)
{
    if (n_bytes > PTRDIFF_MAX - LARGE_PAGE)
        return out_of_memory(n_bytes, 1, err);
    size_t whole = (n_bytes + LARGE_PAGE) / LARGE_PAGE * LARGE_PAGE;
    void *room = aligned_alloc(LARGE_PAGE, whole);
    if (!room)
        return out_of_memory(n_bytes, 1, err);
    pt_memory_use_large_pages(room, whole);
    return room;
}

void *pt_new_table(size_t n_bytes, struct pt_error *err)
{
    void *table = pt_new_room(n_bytes, err);
    return table ? memset(table, 0, n_bytes) : NULL;
}

char *pt_new_string_n(const char *bytes, size_t n, struct pt_error *err)
{
    char *copy = malloc(n + 1);
    if (!copy)
        return out_of_memory(n, 1, err);
    if (n)
        memcpy(copy, bytes, n);
    copy[n] = 0;
    return copy;
}

char *pt_new_string(const char *text, struct pt_error *err)
{
    return pt_new_string_n(text, strlen(text), err);
}

char *pt_new_format(struct pt_error *err, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return length < 0 ? out_of_memory(1, 1, err) : text;
}

int pt_reserve(void *array_address, size_t *capacity, size_t need, size_t size, struct pt_error *err)
{
    if (need <= *capacity)
        return PT_OK;
    size_t wanted = *capacity < 16 ? 16 : *capacity;
    while (wanted < need)
        wanted = wanted > SIZE_MAX / 2 ? need : wanted * 2;
    void *array;
    memcpy(&array, array_address, sizeof array);
    void *grown = wanted > SIZE_MAX / size ? NULL : realloc(array, wanted * size);
    if (!grown) {
        out_of_memory(wanted, size, err);
        return PT_FAILED;
    }
    memcpy(array_address, &grown, sizeof grown);
    *capacity = wanted;
    return PT_OK;
}

bool pt_multiply(uint64_t a, uint64_t b, uint64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

void pt_memory_use_large_pages(void *block, size_t n_bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t begin = ((uintptr_t)block + page - 1) / page * page, end = (uintptr_t)block + n_bytes;
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* where there are none, smaller ones do */
}

static uint64_t system_available(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    uint64_t kib = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
            break;
    if (file)
        fclose(file);
    if (kib)
        return kib * 1024;
    return (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t pt_memory_available(void)
{
    uint64_t available = system_available(), left = pt_cgroup_memory_left("");
    return left < available ? left : available;
}
