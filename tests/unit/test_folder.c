/*
 * Folders of files: read from disk and from archives, written at once or not at all.
 */
#include "files.h"

#include "io/folder.h"
#include "io/source.h"

#include <sys/stat.h>

#define ARCHIVES "tests/data/archives/"

static const struct pt_folder_file files[] = {
    {"config.json", "{}\n", 3}, {"weights.bin", "\0\1\2", 3}, {"nothing", "", 0}};

static void assert_folder_holds(const char *path, const char *name, const void *bytes, size_t n)
{
    struct pt_error err = {0};
    struct pt_folder *folder;
    struct pt_buffer out = {0};
    if (pt_folder_open(&folder, path, &err) || pt_folder_read(folder, name, 1000, &out, &err))
        fail_msg("%s", err.message);
    assert_int_equal(out.size, n);
    if (n)
        assert_memory_equal(out.data, bytes, n);
    pt_buffer_free(&out);
    pt_folder_close(folder);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    struct pt_error err = {0};
    static const char *const targets[] = {"adapter", "adapter.tar", "slash/"};
    int names = count_names(scratch);
    for (size_t t = 0; t < N_OF(targets); t++) {
        const char *path = in_scratch(targets[t]);
        for (int again = 0; again < 2; again++) {
            if (pt_folder_write(path, files, N_OF(files), &err))
                fail_msg("%s", err.message);
            for (size_t i = 0; i < N_OF(files); i++)
                assert_folder_holds(path, files[i].name, files[i].bytes, files[i].n);
            assert_int_equal(count_names(scratch), names + (int)t + 1);
        }
    }
    assert_int_equal(count_names(in_scratch("adapter")), N_OF(files));
}

static void equal_files_give_equal_archives(void **state)
{
    (void)state;
    struct pt_error err = {0};
    size_t n, m;
    assert_int_equal(pt_folder_write(in_scratch("one.tar"), files, N_OF(files), &err), 0);
    assert_int_equal(pt_folder_write(in_scratch("two.tar"), files, N_OF(files), &err), 0);
    char *one = read_file(in_scratch("one.tar"), &n), *two = read_file(in_scratch("two.tar"), &m);
    assert_int_equal(n, m);
    assert_int_equal(n, 512 * (2 + 2 + 1 + 2));
    assert_memory_equal(one, two, n);
    free(one);
    free(two);
}

static void a_folder_with_other_files_is_left_alone(void **state)
{
    (void)state;
    struct pt_error err = {0}, file = {0}, parent = {0};
    assert_int_equal(mkdir(in_scratch("precious"), 0777), 0);
    write_file(in_scratch("precious/thesis.txt"), "years", 5);
    write_file(in_scratch("precious/config.json"), "old", 3);
    int names = count_names(scratch);
    assert_int_equal(pt_folder_write(in_scratch("precious"), files, N_OF(files), &err), PT_FAILED);
    assert_non_null(strstr(err.message, "thesis.txt"));
    assert_folder_holds(in_scratch("precious"), "config.json", "old", 3);
    assert_int_equal(pt_folder_write(in_scratch("precious/thesis.txt"), files, N_OF(files), &file),
                     PT_FAILED);
    assert_int_equal(pt_folder_write(in_scratch("none/such"), files, N_OF(files), &parent), PT_FAILED);
    assert_int_equal(count_names(scratch), names);
}

static void an_older_folder_with_fewer_files_is_replaced(void **state)
{
    (void)state;
    struct pt_error err = {0};
    assert_int_equal(mkdir(in_scratch("older"), 0777), 0);
    write_file(in_scratch("older/config.json"), "old", 3);
    int names = count_names(scratch);
    assert_int_equal(pt_folder_write(in_scratch("older"), files, N_OF(files), &err), 0);
    assert_folder_holds(in_scratch("older"), "config.json", "{}\n", 3);
    assert_int_equal(count_names(in_scratch("older")), N_OF(files));
    assert_int_equal(count_names(scratch), names);
}

static void archives_are_looked_through(void **state)
{
    (void)state;
    static const char *const paths[] = {ARCHIVES "several.zip", ARCHIVES "several.tar.gz"};
    for (size_t i = 0; i < N_OF(paths); i++) {
        struct pt_error err = {0}, missing = {0}, large = {0};
        struct pt_folder *folder;
        struct pt_buffer out = {0};
        assert_int_equal(pt_folder_open(&folder, paths[i], &err), 0);
        assert_true(pt_folder_has(folder, "second.txt"));
        assert_false(pt_folder_has(folder, "data/second.txt"));
        assert_int_equal(pt_folder_read(folder, "second.txt", 480, &out, &err), 0);
        assert_int_equal(out.size, 480);
        assert_int_equal(pt_folder_read(folder, "third.txt", 480, &out, &missing), PT_BAD_INPUT);
        assert_int_equal(pt_folder_read(folder, "second.txt", 479, &out, &large), PT_BAD_INPUT);
        pt_buffer_free(&out);
        pt_folder_close(folder);
    }
}

static void files_come_as_they_are(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_folder *folder;
    struct pt_buffer in_archive = {0}, on_disk = {0};
    assert_int_equal(pt_folder_open(&folder, ARCHIVES "several.tar", &err), 0);
    assert_int_equal(pt_folder_read(folder, "inner.json.gz", 1000, &in_archive, &err), 0);
    pt_folder_close(folder);
    assert_int_equal(pt_folder_open(&folder, ARCHIVES, &err), 0);
    assert_int_equal(pt_folder_read(folder, "records.json.gz", 1000, &on_disk, &err), 0);
    pt_folder_close(folder);
    assert_int_equal(in_archive.size, on_disk.size);
    assert_memory_equal(in_archive.data, on_disk.data, on_disk.size);
    pt_buffer_free(&in_archive);
    pt_buffer_free(&on_disk);
}

static void other_paths_are_refused(void **state)
{
    (void)state;
    struct pt_error missing = {0}, file = {0};
    struct pt_folder *folder;
    assert_int_equal(pt_folder_open(&folder, in_scratch("absent"), &missing), PT_FAILED);
    assert_null(folder);
    assert_int_equal(pt_folder_open(&folder, "LICENSE", &file), PT_BAD_INPUT);
    assert_non_null(strstr(file.message, "neither a folder nor an archive"));
    pt_folder_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(equal_files_give_equal_archives),
        cmocka_unit_test(a_folder_with_other_files_is_left_alone),
        cmocka_unit_test(an_older_folder_with_fewer_files_is_replaced),
        cmocka_unit_test(archives_are_looked_through),
        cmocka_unit_test(files_come_as_they_are),
        cmocka_unit_test(other_paths_are_refused),
    };
    return cmocka_run_group_tests_name("folder", tests, make_scratch, remove_scratch);
}
