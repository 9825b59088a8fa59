/*
 * Errors, buffers, hashes, threads: the rest of the lowest layer.
 */
#include "files.h"

#include "base/buffer.h"
#include "base/cgroup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/threads.h"

#include <errno.h>
#include <limits.h>

static void the_first_failure_is_kept(void **state)
{
    (void)state;
    struct pt_error err = {0};
    assert_int_equal(pt_fail(&err, PT_BAD_INPUT, "record %d", 3), PT_BAD_INPUT);
    assert_int_equal(pt_fail(&err, PT_FAILED, "later"), PT_BAD_INPUT);
    errno = ENOSPC;
    assert_int_equal(pt_fail_errno(&err, "later"), PT_BAD_INPUT);
    assert_int_equal(pt_error_in(&err, "file %s", "x"), PT_BAD_INPUT);
    assert_string_equal(err.message, "file x: record 3");
    assert_int_equal(pt_error_hint(&err, "first"), PT_BAD_INPUT);
    assert_int_equal(pt_error_hint(&err, "second"), PT_BAD_INPUT);
    assert_string_equal(err.hint, "first");
    struct pt_error other = {0};
    errno = ENOSPC;
    assert_int_equal(pt_fail_errno(&other, "out.bin"), PT_FAILED);
    assert_string_equal(other.message, "out.bin: No space left on device");
}

static void messages_stay_one_tame_line(void **state)
{
    (void)state;
    struct pt_error err = {0};
    pt_fail(&err, PT_BAD_INPUT, "key '%s'", "a\nb\x1b[2J\x7f");
    pt_error_in(&err, "file %s", "x\ty");
    assert_string_equal(err.message, "file x?y: key 'a?b?[2J?'");
    char name[2000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    struct pt_error cut = {0};
    errno = ENOENT;
    pt_fail_errno(&cut, "%s", name);
    assert_int_equal(strlen(cut.message), sizeof cut.message - 1);
}

static void buffers_grow_and_end_with_nul(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_buffer buffer = {0};
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pt_buffer_append_format(&buffer, &err, "%d,", i % 10), 0);
    assert_int_equal(buffer.size, 2000);
    assert_int_equal(strlen(buffer.data), 2000);
    pt_buffer_clear(&buffer);
    assert_int_equal(pt_buffer_append(&buffer, "a\0b", 3, &err), 0);
    assert_memory_equal(buffer.data, "a\0b", 4);
    pt_buffer_free(&buffer);
    struct pt_words words = {0};
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(pt_words_push(&words, i, &err), 0);
    assert_int_equal(words.n, 1000);
    assert_int_equal(words.data[999], 999);
    pt_words_free(&words);
}

static void products_that_overflow_are_noticed(void **state)
{
    (void)state;
    uint64_t product = 0;
    assert_true(pt_multiply(UINT32_MAX, UINT32_MAX, &product));
    assert_false(pt_multiply(UINT64_C(1) << 32, UINT64_C(1) << 32, &product));
    struct pt_error err = {0};
    assert_null(pt_new_array(SIZE_MAX / 2, 4, &err));
    assert_int_equal(err.status, PT_FAILED);
    assert_true(pt_memory_available() > 0);
}

static void a_table_is_zeroed(void **state)
{
    (void)state;
    struct pt_error err = {0};
    size_t n = 3000000;
    for (int round = 0; round < 3; round++) { /* the later ones may get memory that was in use */
        char *table = pt_new_table(n, &err);
        assert_non_null(table);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(table[i], 0);
        memset(table, 1, n);
        free(table);
    }
    free(pt_new_table(0, &err));
    assert_int_equal(err.status, 0);
    assert_null(pt_new_table(SIZE_MAX, &err));
    assert_int_equal(err.status, PT_FAILED);
}

/* Values of the xxhash project's own command: xxhsum -H1 and -H2 of the same bytes. */
static void hashes_are_the_published_ones(void **state)
{
    (void)state;
    assert_true(pt_hash64("", 0, 0) == UINT64_C(0xef46db3751d8e999));
    assert_true(pt_hash64("abc", 3, 0) == UINT64_C(0x44bc2cf5ad770999));
    assert_string_equal(pt_fingerprint_of("", 0).text, "99aa06d3014798d86001c324468d497f");
    assert_string_equal(pt_fingerprint_of("abc", 3).text, "06b05ab6733a618578af5f94892f3950");
}

static void a_running_hash_equals_the_whole(void **state)
{
    (void)state;
    struct pt_error err = {0};
    char bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    struct pt_hasher *hasher = pt_hasher_new(&err);
    assert_non_null(hasher);
    for (size_t at = 0, step = 1; at < sizeof bytes; at += step, step = step % 700 + 3) {
        size_t left = sizeof bytes - at;
        step = step < left ? step : left;
        pt_hasher_add(hasher, bytes + at, step);
    }
    assert_string_equal(pt_hasher_result(hasher).text, pt_fingerprint_of(bytes, sizeof bytes).text);
    pt_hasher_free(hasher);
    pt_hasher_free(NULL);
}

/* Writes a text below the scratch folder, and the folders that it lies in. */
static void put(const char *name, const char *text)
{
    char command[512];
    snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s')\"", in_scratch(name));
    assert_int_equal(system(command), 0);
    write_file(in_scratch(name), text, strlen(text));
}

static void limits_of_every_group_above_hold(void **state)
{
    (void)state;
    assert_true(pt_cgroup_memory_left(scratch) == UINT64_MAX && pt_cgroup_cores(scratch) == INT_MAX);
    put("sys/fs/cgroup/memory.max", "9000\n");
    put("sys/fs/cgroup/memory.current", "1000\n");
    put("sys/fs/cgroup/cpu.max", "400000 100000\n");
    put("sys/fs/cgroup/a/memory.max", "5000\n");
    put("sys/fs/cgroup/a/memory.current", "3000\n");
    put("sys/fs/cgroup/a/memory.stat", "anon 7\ninactive_file 500\nactive_file 250\n");
    put("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    put("sys/fs/cgroup/a/b/memory.max", "max\n");
    put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(pt_cgroup_memory_left(scratch), 8000); /* no word of which group it is */
    assert_int_equal(pt_cgroup_cores(scratch), 4);
    put("proc/self/cgroup", "0::/a/b\n");
    assert_int_equal(pt_cgroup_memory_left(scratch), 2750);
    assert_int_equal(pt_cgroup_cores(scratch), 2);
    put("sys/fs/cgroup/a/b/memory.max", "100\n"); /* used up, as far as it says */
    put("sys/fs/cgroup/a/b/memory.current", "200\n");
    assert_int_equal(pt_cgroup_memory_left(scratch), 0);
    put("proc/self/cgroup", "0::/not/here\n"); /* a path of the machine around a container */
    assert_int_equal(pt_cgroup_memory_left(scratch), 8000);
    put("proc/self/cgroup", "0::/../other\n");
    assert_int_equal(pt_cgroup_memory_left(scratch), 8000);
    put("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "700\n");
    put("sys/fs/cgroup/memory/c/memory.usage_in_bytes", "300\n");
    put("sys/fs/cgroup/memory/c/memory.stat", "inactive_file 1\ntotal_inactive_file 50\n");
    put("proc/self/cgroup", "12:cpu,cpuacct:/x\n9:memory:/c\n0::/\n");
    assert_int_equal(pt_cgroup_memory_left(scratch), 450);
    assert_int_equal(pt_cgroup_cores(scratch), 4);
}

static void threads_can_be_set(void **state)
{
    (void)state;
    int available = pt_threads_available();
    assert_true(available >= 1);
    pt_threads_set(3);
    assert_int_equal(pt_threads(), 3);
    pt_threads_set(0);
    assert_int_equal(pt_threads(), available);
    double before = pt_clock_seconds();
    assert_true(pt_clock_seconds() >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_is_kept),
        cmocka_unit_test(messages_stay_one_tame_line),
        cmocka_unit_test(buffers_grow_and_end_with_nul),
        cmocka_unit_test(products_that_overflow_are_noticed),
        cmocka_unit_test(a_table_is_zeroed),
        cmocka_unit_test(hashes_are_the_published_ones),
        cmocka_unit_test(a_running_hash_equals_the_whole),
        cmocka_unit_test(limits_of_every_group_above_hold),
        cmocka_unit_test(threads_can_be_set),
    };
    return cmocka_run_group_tests_name("base", tests, make_scratch, remove_scratch);
}
