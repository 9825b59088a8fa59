/*
 * Sources: plain files, pipes, compressed files, members of archives, and everything that can be wrong with
 * them. The archives in tests/data/archives hold records.json (three lines) and, where they are called
 * "several", second.txt.
 */
#include "files.h"

#include "base/rng.h"
#include "io/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define ARCHIVES "tests/data/archives/"

static const char records[] = "{\"instruction\": \"Name a color.\", \"output\": \"Blue.\"}\n"
                              "{\"instruction\": \"Name a color.\", \"output\": \"Blue.\"}\n"
                              "{\"instruction\": \"Name a color.\", \"output\": \"Blue.\"}\n";

static int slurp(const char *path, struct pt_buffer *out, struct pt_error *err)
{
    struct pt_source *source;
    if (pt_source_open(&source, path, err))
        return (int)err->status;
    int status = pt_source_read_all(source, 1 << 24, out, err);
    pt_source_close(source);
    return status;
}

static void assert_reads(const char *path, const char *expected)
{
    struct pt_error err = {0};
    struct pt_buffer out = {0};
    if (slurp(path, &out, &err))
        fail_msg("%s: %s", path, err.message);
    assert_string_equal(out.data, expected);
    assert_int_equal(out.size, strlen(expected));
    pt_buffer_free(&out);
}

static void assert_refuses(const char *path, int status, const char *reason)
{
    struct pt_error err = {0};
    struct pt_buffer out = {0};
    int got = slurp(path, &out, &err);
    if (got != status || !strstr(err.message, reason))
        fail_msg("%s: status %d, '%s', where %d and '%s' were expected", path, got, err.message, status,
                 reason);
    pt_buffer_free(&out);
}

static void compressed_files_read_like_plain_ones(void **state)
{
    (void)state;
    write_file(in_scratch("plain"), records, strlen(records));
    assert_reads(in_scratch("plain"), records);
    write_file(in_scratch("nothing"), "", 0);
    assert_reads(in_scratch("nothing"), "");
    static const char *const paths[] = {ARCHIVES "records.json.gz",  ARCHIVES "records.json.xz",
                                        ARCHIVES "records.json.zst", ARCHIVES "two-members.gz",
                                        ARCHIVES "one.tar",          ARCHIVES "one.zip"};
    for (size_t i = 0; i < N_OF(paths); i++)
        assert_reads(paths[i], records);
}

static void members_are_named_behind_a_colon(void **state)
{
    (void)state;
    static const char *const archives[] = {"several.tar", "several.tar.gz", "several.tar.xz",
                                           "several.tar.zst", "several.zip"};
    char path[256];
    for (size_t i = 0; i < N_OF(archives); i++) {
        snprintf(path, sizeof path, ARCHIVES "%s:data/records.json", archives[i]);
        assert_reads(path, records);
        snprintf(path, sizeof path, ARCHIVES "%s:data/missing", archives[i]);
        assert_refuses(path, PT_BAD_INPUT, "holds no file 'data/missing'");
    }
    assert_reads(ARCHIVES "several.tar.gz:data/inner.json.gz", records);
    assert_refuses(ARCHIVES "twins.tar:twin.txt", PT_BAD_INPUT, "two files called 'twin.txt'");
    assert_reads(ARCHIVES "chinese.tar:数据/记录.json", records);
    assert_reads(ARCHIVES "chinese.zip:数据/记录.json", records);
    assert_refuses(ARCHIVES "records.json.gz:x", PT_BAD_INPUT, "no archive that could hold 'x'");
    assert_refuses(ARCHIVES "several.tar", PT_BAD_INPUT, "more than one file");
    assert_refuses(ARCHIVES "several.zip", PT_BAD_INPUT, "more than one file");
    assert_refuses(ARCHIVES "folder-only.tar", PT_BAD_INPUT, "archive without any file");
    assert_refuses(ARCHIVES "encrypted.zip", PT_MISMATCH, "encrypted");
    write_file(in_scratch("a:b"), "colon", 5);
    assert_reads(in_scratch("a:b"), "colon");
}

static void expand_lists_regular_files(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t n;
        const char *expected[3];
    } rows[] = {
        {ARCHIVES "several.tar.gz",
         3,
         {ARCHIVES "several.tar.gz:data/records.json", ARCHIVES "several.tar.gz:data/second.txt",
          ARCHIVES "several.tar.gz:data/inner.json.gz"}},
        {ARCHIVES "several.zip",
         2,
         {ARCHIVES "several.zip:data/records.json", ARCHIVES "several.zip:data/second.txt"}},
        {ARCHIVES "records.json.gz", 1, {ARCHIVES "records.json.gz"}},
        {ARCHIVES "several.zip:data/second.txt", 1, {ARCHIVES "several.zip:data/second.txt"}},
        {"-", 1, {"-"}},
    };
    for (size_t row = 0; row < N_OF(rows); row++) {
        struct pt_error err = {0};
        char **paths;
        size_t n;
        assert_int_equal(pt_source_expand(rows[row].path, &paths, &n, &err), 0);
        assert_int_equal(n, rows[row].n);
        for (size_t i = 0; i < n; i++) {
            assert_string_equal(paths[i], rows[row].expected[i]);
            free(paths[i]);
        }
        free(paths);
    }
    struct pt_error err = {0};
    char **paths;
    size_t n;
    assert_int_equal(pt_source_expand(ARCHIVES, &paths, &n, &err), PT_BAD_INPUT);
    assert_null(paths);
    struct pt_error twins = {0}, several = {0};
    assert_int_equal(pt_source_expand(ARCHIVES "twins.tar", &paths, &n, &twins), PT_BAD_INPUT);
    /* That an archive is known to be sound does not make it one file. */
    assert_int_equal(pt_source_expand(ARCHIVES "several.zip", &paths, &n, &several), 0);
    while (n)
        free(paths[--n]);
    free(paths);
    assert_refuses(ARCHIVES "several.zip", PT_BAD_INPUT, "more than one file");
}

/* Members in any order, several times, from several archives in turn, read to their end or not. */
static void members_can_be_read_in_any_order(void **state)
{
    (void)state;
    static const char *const archives[] = {"several.tar", "several.tar.gz", "several.zip"};
    static const char *const names[] = {"records.json", "second.txt"};
    struct pt_rng rng;
    pt_rng_seed(&rng, 1);
    for (int i = 0; i < 300; i++) {
        char path[128], bytes[600];
        uint32_t which = pt_rng_below(&rng, 2);
        snprintf(path, sizeof path, ARCHIVES "%s:data/%s", archives[pt_rng_below(&rng, 3)], names[which]);
        struct pt_error err = {0};
        struct pt_source *source;
        size_t want = pt_rng_below(&rng, sizeof bytes), got = 0, length = which ? 480 : strlen(records);
        if (pt_source_open(&source, path, &err) || pt_source_read(source, bytes, want, &got, &err))
            fail_msg("%s", err.message);
        assert_int_equal(got, want < length ? want : length);
        for (size_t k = 0; k < got; k++)
            assert_int_equal(bytes[k], which ? "second file\n"[k % 12] : records[k]);
        pt_source_close(source);
    }
}

/* Copies padded.tar.gz (a MiB of zeros behind the archive) to `path` with one byte of its trailer, or none,
 * changed. */
static void copy_archive(const char *path, bool damaged)
{
    size_t n;
    char *bytes = read_file(ARCHIVES "padded.tar.gz", &n);
    bytes[n - 6] ^= damaged ? 1 : 0;
    write_file(path, bytes, n);
    free(bytes);
}

static void a_fault_behind_a_member_is_noticed(void **state)
{
    (void)state;
    char path[300];
    snprintf(path, sizeof path, "%s:data/records.json", in_scratch("archive.tgz"));
    copy_archive(in_scratch("archive.tgz"), true);
    assert_refuses(path, PT_BAD_INPUT, "gzip");
    copy_archive(in_scratch("archive.tgz"), false);
    assert_reads(path, records);
    assert_reads(path, records);
    assert_int_equal(unlink(in_scratch("archive.tgz")), 0);
    copy_archive(in_scratch("archive.tgz"), true); /* another file under the same name is looked at anew */
    assert_refuses(path, PT_BAD_INPUT, "gzip");
}

static void what_cannot_be_opened_is_named(void **state)
{
    (void)state;
    assert_refuses(in_scratch("missing"), PT_FAILED, "missing: No such file or directory");
    assert_refuses(scratch, PT_BAD_INPUT, "is a folder");
    struct pt_source *source;
    struct pt_error err = {0};
    assert_int_equal(pt_source_open(&source, in_scratch("missing:x"), &err), PT_FAILED);
    assert_null(source);
}

/* Every shorter file is refused, whatever the compression; so is a plain tar archive cut inside a file. */
static void every_truncation_is_noticed(void **state)
{
    (void)state;
    static const char *const names[] = {"records.json.gz", "records.json.xz", "records.json.zst"};
    for (size_t i = 0; i < N_OF(names); i++) {
        char path[128];
        size_t n;
        snprintf(path, sizeof path, ARCHIVES "%s", names[i]);
        char *bytes = read_file(path, &n);
        for (size_t cut = 6; cut < n; cut++) { /* with less than a magic it is a plain file */
            write_file(in_scratch("cut"), bytes, cut);
            struct pt_error err = {0};
            struct pt_buffer out = {0};
            if (slurp(in_scratch("cut"), &out, &err) != PT_BAD_INPUT)
                fail_msg("%s cut to %zu of %zu bytes: status %d '%s'", names[i], cut, n, err.status,
                         err.message);
            pt_buffer_free(&out);
        }
        free(bytes);
    }
    size_t n;
    char *bytes = read_file(ARCHIVES "one.tar", &n);
    for (size_t cut = 512; cut < 1024 + 512; cut += 64) {
        write_file(in_scratch("cut"), bytes, cut);
        assert_refuses(in_scratch("cut"), PT_BAD_INPUT, "cut");
    }
    free(bytes);
}

/* Flips in compressed data either fail or change nothing that is handed out (a time stamp, a name, padding).
 */
static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    static const char *const names[] = {"records.json.gz", "records.json.xz", "records.json.zst"};
    for (size_t i = 0; i < N_OF(names); i++) {
        char path[128];
        size_t n;
        snprintf(path, sizeof path, ARCHIVES "%s", names[i]);
        char *bytes = read_file(path, &n);
        for (size_t at = 6; at < n; at++) {
            bytes[at] ^= 0x10;
            write_file(in_scratch("flipped"), bytes, n);
            bytes[at] ^= 0x10;
            struct pt_error err = {0};
            struct pt_buffer out = {0};
            int status = slurp(in_scratch("flipped"), &out, &err);
            if (status ? status != PT_BAD_INPUT : strcmp(out.data, records))
                fail_msg("%s: byte %zu: status %d '%s'", names[i], at, err.status, err.message);
            pt_buffer_free(&out);
        }
        free(bytes);
    }
}

static void trailing_bytes_are_refused(void **state)
{
    (void)state;
    size_t n;
    char *bytes = read_file(ARCHIVES "records.json.gz", &n);
    bytes = realloc(bytes, n + 10);
    memcpy(bytes + n, "\0\0garbage", 9);
    write_file(in_scratch("garbage"), bytes, n + 9);
    assert_refuses(in_scratch("garbage"), PT_BAD_INPUT, "damaged gzip data");
    free(bytes);
}

/* A zstd frame of blocks that repeat one byte 128 Ki times: 4 bytes each. */
static void a_bomb_is_refused(void **state)
{
    (void)state;
    static const unsigned char head[] = {0x28, 0xb5, 0x2f,
                                         0xfd, 0x00, 0x38}; /* a window of 128 KiB, no checksum */
    const size_t n_blocks = 9000;                           /* 1.1 GiB */
    unsigned char *bytes = malloc(sizeof head + 4 * n_blocks);
    memcpy(bytes, head, sizeof head);
    for (size_t i = 0; i < n_blocks; i++) {
        uint32_t header = (uint32_t)(i == n_blocks - 1) | 1U << 1 | 0x20000U << 3;
        unsigned char *block = bytes + sizeof head + 4 * i;
        block[0] = (unsigned char)header, block[1] = (unsigned char)(header >> 8),
        block[2] = (unsigned char)(header >> 16);
        block[3] = 'x';
    }
    write_file(in_scratch("bomb"), bytes, sizeof head + 4 * n_blocks);
    free(bytes);
    struct pt_error err = {0};
    struct pt_source *source;
    assert_int_equal(pt_source_open(&source, in_scratch("bomb"), &err), 0);
    static char block[1 << 20];
    size_t got = sizeof block;
    uint64_t total = 0;
    while (got == sizeof block && !pt_source_read(source, block, sizeof block, &got, &err))
        total += got;
    assert_int_equal(err.status, PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "no honest data"));
    assert_true(total >= (UINT64_C(1) << 30) - sizeof block && total <= (UINT64_C(1) << 30) + sizeof block);
    pt_source_close(source);
}

static void a_pipe_gives_what_it_has(void **state)
{
    (void)state;
    int ends[2];
    char path[32];
    const void *bytes;
    size_t got;
    struct pt_error err = {0};
    struct pt_source *source;
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_int_equal(write(ends[1], "Pa\n", 3),
                     3); /* a line, shorter than any magic: it must not be waited for */
    assert_int_equal(pt_source_open(&source, path, &err), 0);
    assert_int_equal(pt_source_peek(source, 3, &bytes, &got, &err), 0);
    assert_memory_equal(bytes, "Pa\n", 3);
    assert_int_equal(write(ends[1], "rest", 4), 4);
    close(ends[1]);
    char all[16];
    assert_int_equal(pt_source_read(source, all, sizeof all, &got, &err), 0);
    assert_int_equal(got, 7);
    assert_memory_equal(all, "Pa\nrest", 7);
    assert_int_equal(pt_source_offset(source), 7);
    assert_int_equal(pt_source_read(source, all, 1, &got, &err), 0);
    assert_int_equal(got, 0);
    pt_source_close(source);
    close(ends[0]);
}

/* Standard input can be a compressed tar archive, but not a zip archive. */
static void standard_input_takes_tar_only(void **state)
{
    (void)state;
    int saved = dup(0);
    static const char *const names[] = {ARCHIVES "one.tar", ARCHIVES "several.zip"};
    for (size_t i = 0; i < 2; i++) {
        int file = open(names[i], O_RDONLY);
        assert_true(file >= 0 && dup2(file, 0) == 0);
        close(file);
        if (i == 0)
            assert_reads("-", records);
        else
            assert_refuses("-", PT_MISMATCH, "zip");
    }
    close(0);
    assert_refuses("-", PT_FAILED, "standard input: Bad file descriptor");
    dup2(saved, 0);
    close(saved);
}

static void errors_are_sticky_and_exact(void **state)
{
    (void)state;
    size_t n, got;
    char *bytes = read_file(ARCHIVES "records.json.gz", &n), block[4096];
    write_file(in_scratch("cut"), bytes, n - 3);
    free(bytes);
    struct pt_source *source;
    struct pt_error err = {0}, later = {0};
    assert_int_equal(pt_source_open(&source, in_scratch("cut"), &err), 0);
    assert_int_equal(pt_source_read(source, block, sizeof block, &got, &err), PT_BAD_INPUT);
    assert_int_equal(pt_source_read(source, block, 1, &got, &later), PT_BAD_INPUT);
    assert_string_equal(err.message, later.message);
    pt_source_close(source);

    struct pt_error exact = {0};
    assert_int_equal(pt_source_open_memory(&source, "small", "abcdef", 6, &exact), 0);
    assert_int_equal(pt_source_read_exactly(source, block, 4, "a head", &exact), 0);
    assert_int_equal(pt_source_read_exactly(source, block, 4, "a head", &exact), PT_BAD_INPUT);
    assert_string_equal(exact.message,
                        "small: ends at byte 6, inside a head that begins at byte 4 and has 4 bytes");
    pt_source_close(source);
}

static void limits_hold(void **state)
{
    (void)state;
    struct pt_source *source;
    struct pt_error err = {0};
    struct pt_buffer out = {0};
    assert_int_equal(pt_source_open_memory(&source, "small", "abcdef", 6, &err), 0);
    assert_int_equal(pt_source_read_all(source, 6, &out, &err), 0);
    assert_string_equal(out.data, "abcdef");
    pt_source_close(source);
    assert_int_equal(pt_source_open_memory(&source, "small", "abcdef", 6, &err), 0);
    assert_int_equal(pt_source_read_all(source, 5, &out, &err), PT_BAD_INPUT);
    pt_source_close(source);
    pt_buffer_free(&out);
}

/* Reads of all sizes over a file larger than the buffer give the same bytes as the file has. */
static void all_ways_of_reading_agree(void **state)
{
    (void)state;
    const size_t n = 3 << 20;
    unsigned char *bytes = malloc(n), *read = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(i * 2654435761U >> 24);
    write_file(in_scratch("large"), bytes, n);
    for (size_t step = 1000; step < n; step = step * 7 + 13) {
        struct pt_source *source;
        struct pt_error err = {0};
        assert_int_equal(pt_source_open(&source, in_scratch("large"), &err), 0);
        size_t done = 0, got = 1;
        while (got) {
            const void *ahead;
            size_t seen;
            assert_int_equal(pt_source_peek(source, 70000, &ahead, &seen, &err), 0);
            assert_int_equal(seen, n - done < 65536 ? n - done : 65536);
            assert_memory_equal(ahead, bytes + done, seen);
            size_t want = step < n - done ? step : n - done;
            assert_int_equal(pt_source_read(source, read + done, want, &got, &err), 0);
            assert_int_equal(got, want);
            done += got;
        }
        assert_memory_equal(read, bytes, n);
        pt_source_close(source);
    }
    free(bytes);
    free(read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_files_read_like_plain_ones),
        cmocka_unit_test(members_are_named_behind_a_colon),
        cmocka_unit_test(expand_lists_regular_files),
        cmocka_unit_test(members_can_be_read_in_any_order),
        cmocka_unit_test(a_fault_behind_a_member_is_noticed),
        cmocka_unit_test(what_cannot_be_opened_is_named),
        cmocka_unit_test(every_truncation_is_noticed),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(a_pipe_gives_what_it_has),
        cmocka_unit_test(standard_input_takes_tar_only),
        cmocka_unit_test(errors_are_sticky_and_exact),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(all_ways_of_reading_agree),
    };
    return cmocka_run_group_tests_name("source", tests, make_scratch, remove_scratch);
}
