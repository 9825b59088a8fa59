/*
 * Sinks: what a target looks like before, during and after writing, and what happens when writing fails.
 */
#include "files.h"

#include "base/memory.h"
#include "io/map.h"
#include "io/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct pt_sink *opened(const char *path)
{
    struct pt_error err = {0};
    struct pt_sink *sink;
    if (pt_sink_open(&sink, path, &err))
        fail_msg("%s", err.message);
    return sink;
}

static void assert_holds(const char *path, const char *expected)
{
    size_t n;
    char *bytes = read_file(path, &n);
    assert_string_equal(bytes, expected);
    free(bytes);
}

static void a_target_appears_only_when_it_is_complete(void **state)
{
    (void)state;
    struct pt_error err = {0};
    write_file(in_scratch("target"), "old", 3);
    assert_int_equal(chmod(in_scratch("target"), 0640), 0);
    int names = count_names(scratch);
    struct pt_sink *sink = opened(in_scratch("target"));
    assert_int_equal(pt_sink_write(sink, "new", 3, &err), 0);
    assert_int_equal(pt_sink_flush(sink, &err), 0);
    assert_holds(in_scratch("target"), "old");
    assert_int_equal(pt_sink_commit(sink, &err), 0);
    assert_holds(in_scratch("target"), "new");
    assert_int_equal(count_names(scratch), names);
    struct stat status;
    assert_int_equal(stat(in_scratch("target"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

static void discard_leaves_nothing(void **state)
{
    (void)state;
    struct pt_error err = {0};
    int names = count_names(scratch);
    struct pt_sink *sink = opened(in_scratch("never"));
    assert_int_equal(pt_sink_write(sink, "new", 3, &err), 0);
    pt_sink_discard(sink);
    pt_sink_discard(NULL);
    assert_int_equal(count_names(scratch), names);
}

static void a_symbolic_link_stays_one(void **state)
{
    (void)state;
    struct pt_error err = {0};
    write_file(in_scratch("behind"), "old", 3);
    assert_int_equal(symlink("behind", in_scratch("link")), 0);
    struct pt_sink *sink = opened(in_scratch("link"));
    assert_int_equal(pt_sink_write(sink, "new", 3, &err), 0);
    assert_int_equal(pt_sink_commit(sink, &err), 0);
    struct stat status;
    assert_int_equal(lstat(in_scratch("link"), &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    assert_holds(in_scratch("behind"), "new");
}

static void large_and_small_writes_keep_their_order(void **state)
{
    (void)state;
    struct pt_error err = {0};
    const size_t n = 3 << 20;
    char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 2654435761U >> 24);
    struct pt_sink *sink = opened(in_scratch("large")), *memory;
    assert_int_equal(pt_sink_open_memory(&memory, &err), 0);
    for (size_t at = 0, step = 1; at < n; at += step, step = step * 3 % 700001 + 1) {
        step = step < n - at ? step : n - at;
        assert_int_equal(pt_sink_write(sink, bytes + at, step, &err), 0);
        assert_int_equal(pt_sink_write(memory, bytes + at, step, &err), 0);
    }
    size_t n_memory;
    const void *in_memory = pt_sink_memory(memory, &n_memory);
    assert_int_equal(n_memory, n);
    assert_memory_equal(in_memory, bytes, n);
    assert_int_equal(pt_sink_commit(sink, &err), 0);
    assert_int_equal(pt_sink_commit(memory, &err), 0);
    struct pt_map map;
    assert_int_equal(pt_map_open(&map, in_scratch("large"), &err), 0);
    assert_int_equal(map.size, n);
    assert_memory_equal(map.data, bytes, n);
    pt_map_close(&map);
    free(bytes);
}

static void a_full_disk_is_reported(void **state)
{
    (void)state;
    struct pt_error err = {0}, later = {0};
    struct pt_sink *sink = opened("/dev/full");
    assert_int_equal(pt_sink_write(sink, "few bytes", 9, &err), 0);
    assert_int_equal(pt_sink_flush(sink, &err), PT_FAILED);
    assert_string_equal(err.message, "/dev/full: No space left on device");
    assert_int_equal(pt_sink_write(sink, "x", 1, &later), PT_FAILED);
    assert_string_equal(later.message, err.message);
    struct pt_error last = {0};
    assert_int_equal(pt_sink_commit(sink, &last), PT_FAILED);

    sink = opened("/dev/full");
    struct pt_error closing = {0};
    assert_int_equal(pt_sink_write(sink, "few bytes", 9, &closing), 0);
    assert_int_equal(pt_sink_commit(sink, &closing), PT_FAILED);
    struct stat status;
    assert_int_equal(stat("/dev/full", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
}

/* A file-size limit stands in for a file system that fills up: the old file stays, the temporary one goes. */
static void a_failing_file_leaves_the_old_one(void **state)
{
    (void)state;
    write_file(in_scratch("kept"), "old", 3);
    int names = count_names(scratch);
    const char *target = in_scratch("kept");
    pid_t child = fork();
    if (child == 0) {
        struct pt_error err = {0};
        struct pt_sink *sink;
        signal(SIGXFSZ, SIG_IGN);
        int status = pt_sink_open(&sink, target, &err);
        char block[4096] = {0};
        struct rlimit limit = {.rlim_cur = 100000, .rlim_max = 100000};
        setrlimit(RLIMIT_FSIZE, &limit);
        for (int i = 0; i < 200 && !status; i++)
            status = pt_sink_write(sink, block, sizeof block, &err);
        if (!pt_sink_commit(sink, &err))
            _exit(9);
        _exit(strstr(err.message, "kept: File too large") ? 7 : 8);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 7);
    assert_holds(in_scratch("kept"), "old");
    assert_int_equal(count_names(scratch), names);
}

static void targets_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct pt_error err = {0}, folder = {0}, link = {0};
    struct pt_sink *sink;
    assert_int_equal(pt_sink_open(&sink, in_scratch("no/such/folder"), &err), PT_FAILED);
    assert_non_null(strstr(err.message, "No such file or directory"));
    assert_null(sink);
    assert_int_equal(pt_sink_open(&sink, scratch, &folder), PT_FAILED);
    assert_non_null(strstr(folder.message, "Is a directory"));
    assert_int_equal(symlink("nowhere", in_scratch("dangling")), 0);
    assert_int_equal(pt_sink_open(&sink, in_scratch("dangling"), &link), PT_FAILED);
    assert_int_equal(unlink(in_scratch("dangling")), 0);
}

static void a_name_that_is_too_long_is_refused_at_once(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_sink *sink;
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    int names = count_names(scratch);
    char path[sizeof scratch + sizeof name + 1];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    assert_int_equal(pt_sink_open(&sink, path, &err), PT_FAILED);
    assert_int_equal(count_names(scratch), names);
}

static void a_closed_standard_output_is_reported(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_sink *sink;
    fflush(stdout);
    int saved = dup(1);
    close(1);
    int status = pt_sink_open(&sink, "-", &err);
    /* A file that is opened now must not become standard output. */
    struct pt_sink *other = NULL;
    struct pt_error none = {0};
    int other_status = pt_sink_open(&other, in_scratch("other"), &none);
    bool taken = fcntl(1, F_GETFD) >= 0;
    pt_sink_discard(other);
    dup2(saved, 1);
    close(saved);
    assert_int_equal(status, PT_FAILED);
    assert_string_equal(err.message, "standard output: Bad file descriptor");
    assert_int_equal(other_status, 0);
    assert_false(taken);
}

static void a_reader_that_goes_away_is_noticed(void **state)
{
    (void)state;
    int ends[2];
    char path[32];
    struct pt_error err = {0};
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[1]);
    struct pt_sink *sink = opened(path);
    assert_false(pt_sink_reader_gone(sink));
    assert_false(pt_sink_is_terminal(sink));
    close(ends[0]);
    assert_true(pt_sink_reader_gone(sink));
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pt_sink_write(sink, "x", 1, &err), 0);
    assert_int_equal(pt_sink_commit(sink, &err), PT_FAILED);
    assert_non_null(strstr(err.message, "Broken pipe"));
    signal(SIGPIPE, SIG_DFL);
    close(ends[1]);
    sink = opened(in_scratch("file"));
    assert_false(pt_sink_reader_gone(sink));
    pt_sink_discard(sink);
}

/* The pipe is small and non-blocking, the reader slow: writes come out short, or would block. */
static void short_writes_are_continued(void **state)
{
    (void)state;
    int ends[2];
    char path[32];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        unsigned char block[777];
        size_t at = 0;
        for (ssize_t got = 1; got > 0; at += (size_t)got) {
            got = read(ends[0], block, sizeof block);
            for (ssize_t i = 0; i < got; i++)
                if (block[i] != (unsigned char)((at + (size_t)i) % 251))
                    _exit(1);
        }
        _exit(at == 2000000 ? 7 : 2);
    }
    close(ends[0]);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[1]);
    struct pt_sink *sink = opened(path);
    close(ends[1]);
    struct pt_error err = {0};
    unsigned char *bytes = malloc(2000000);
    for (size_t i = 0; i < 2000000; i++)
        bytes[i] = (unsigned char)(i % 251);
    assert_int_equal(pt_sink_write(sink, bytes, 2000000, &err), 0);
    assert_int_equal(pt_sink_commit(sink, &err), 0);
    free(bytes);
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_int_equal(WEXITSTATUS(how), 7);
}

static void a_signal_handler_can_remove_everything(void **state)
{
    (void)state;
    int names = count_names(scratch);
    struct pt_sink *sinks[3];
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "signal-%d", i);
        sinks[i] = opened(in_scratch(name));
    }
    assert_int_equal(count_names(scratch), names + 3);
    pt_sink_remove_temporaries();
    assert_int_equal(count_names(scratch), names);
    for (int i = 0; i < 3; i++)
        pt_sink_discard(sinks[i]);
}

/* Each has a place of its own in the list of what is to be removed. */
static void threads_can_open_files_at_once(void **state)
{
    (void)state;
    enum { THREADS = 8, FILES = 25, ROUNDS = 30 };
    const int names = count_names(scratch);
    for (int round = 0; round < ROUNDS; round++) {
        struct pt_sink *sinks[THREADS * FILES];
        int n_failed = 0;
#pragma omp parallel for num_threads(THREADS) schedule(static) reduction(+ : n_failed)
        for (int i = 0; i < THREADS * FILES; i++) {
            struct pt_error err = {0};
            char path[128];
            snprintf(path, sizeof path, "%s/at-once-%d", scratch, i);
            n_failed += pt_sink_open(&sinks[i], path, &err) != PT_OK;
        }
        assert_int_equal(n_failed, 0);
        pt_sink_remove_temporaries();
        assert_int_equal(count_names(scratch), names);
        for (int i = 0; i < THREADS * FILES; i++)
            pt_sink_discard(sinks[i]);
    }
}

static void maps_take_regular_files_only(void **state)
{
    (void)state;
    struct pt_map map;
    struct pt_error missing = {0}, folder = {0}, pipe_error = {0}, none = {0};
    assert_int_equal(pt_map_open(&map, in_scratch("absent"), &missing), PT_FAILED);
    assert_int_equal(pt_map_open(&map, scratch, &folder), PT_BAD_INPUT);
    assert_int_equal(mkfifo(in_scratch("fifo"), 0600), 0);
    assert_int_equal(pt_map_open(&map, in_scratch("fifo"), &pipe_error), PT_BAD_INPUT);
    write_file(in_scratch("nothing"), "", 0);
    assert_int_equal(pt_map_open(&map, in_scratch("nothing"), &none), 0);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    pt_map_close(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_appears_only_when_it_is_complete),
        cmocka_unit_test(discard_leaves_nothing),
        cmocka_unit_test(a_symbolic_link_stays_one),
        cmocka_unit_test(large_and_small_writes_keep_their_order),
        cmocka_unit_test(a_full_disk_is_reported),
        cmocka_unit_test(a_failing_file_leaves_the_old_one),
        cmocka_unit_test(targets_that_cannot_be_are_refused),
        cmocka_unit_test(a_name_that_is_too_long_is_refused_at_once),
        cmocka_unit_test(a_closed_standard_output_is_reported),
        cmocka_unit_test(a_reader_that_goes_away_is_noticed),
        cmocka_unit_test(short_writes_are_continued),
        cmocka_unit_test(a_signal_handler_can_remove_everything),
        cmocka_unit_test(threads_can_open_files_at_once),
        cmocka_unit_test(maps_take_regular_files_only),
    };
    return cmocka_run_group_tests_name("sink", tests, make_scratch, remove_scratch);
}
