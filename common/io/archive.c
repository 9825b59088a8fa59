/*
 * The only file that knows libarchive. Just the filters and formats that are promised are enabled; bytes come
 * from a source through a callback, whose own failure is kept, since libarchive would only repeat that there
 * was one. libarchive's results map so: a warning is logged and the work goes on, a retry is made a few
 * times, everything else is a damaged archive, unless the system failed.
 */
#include "io/archive.h"

#include "base/log.h"
#include "base/memory.h"
#include "io/descriptor.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024, MOST_RETRIES = 10 };

struct pt_archive {
    struct archive *library;
    struct pt_source *source; /* owned; NULL for zip */
    locale_t utf8;            /* or 0: in which libarchive is called */
    int descriptor;           /* zip only, else -1 */
    uint64_t file_bytes;      /* zip only */
    char *name;               /* owned: for messages */
    char *member;             /* owned: the current file's name, NULL in front of the first */
    uint64_t out;             /* bytes given so far, of all files */
    bool ended;               /* no further file */
    struct pt_error failure;  /* of the source */
    char block[BLOCK_BYTES];
};

static la_ssize_t give_block(struct archive *library, void *context, const void **bytes)
{
    struct pt_archive *archive = context;
    size_t got;
    if (pt_source_read(archive->source, archive->block, BLOCK_BYTES, &got, &archive->failure)) {
        archive_set_error(library, EIO, "reading failed");
        return ARCHIVE_FATAL;
    }
    *bytes = archive->block;
    return (la_ssize_t)got;
}

/* Files the library's failure under our own statuses and words. */
static int fail_library(struct pt_archive *archive, const char *doing, struct pt_error *err)
{
    if (archive->failure.status) {
        if (!err->status)
            *err = archive->failure;
        return (int)err->status;
    }
    int reason = archive_errno(archive->library);
    const char *text = archive_error_string(archive->library);
    enum pt_status status = reason == ENOMEM || reason == EIO ? PT_FAILED : PT_BAD_INPUT;
    return pt_fail(err, status, "%s%s%s: %s: %s", archive->name, archive->member ? ":" : "",
                   archive->member ? archive->member : "", doing,
                   text && *text ? text : "the data is damaged or cut short");
}

/* What a library call said, while doing what: ARCHIVE_OK (a warning is logged), ARCHIVE_EOF, or a failure that
 * is filed in err. */
static int settle(struct pt_archive *archive, int result, const char *doing, struct pt_error *err)
{
    if (result == ARCHIVE_WARN) {
        const char *text = archive_error_string(archive->library);
        pt_log(PT_LOG_WARNING, "%s: %s", archive->name,
               text && *text ? text : "the archive has a small fault");
        return ARCHIVE_OK;
    }
    if (result != ARCHIVE_OK && result != ARCHIVE_EOF)
        fail_library(archive, doing, err);
    return result;
}

static struct pt_archive *new_archive(const char *name, struct pt_source *source, struct pt_error *err)
{
    struct pt_archive *archive = pt_new_array(1, sizeof *archive, err);
    if (!archive) {
        pt_source_close(source);
        return NULL;
    }
    archive->source = source;
    archive->descriptor = -1;
    archive->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    archive->library = archive_read_new();
    archive->name = pt_new_string(name, err);
    if (!archive->library || !archive->name) {
        pt_fail(err, PT_FAILED, "out of memory");
        pt_archive_close(archive);
        return NULL;
    }
    return archive;
}

void pt_archive_close(struct pt_archive *archive)
{
    if (!archive)
        return;
    archive_read_free(archive->library);
    pt_source_close(archive->source);
    if (archive->utf8)
        freelocale(archive->utf8);
    if (archive->descriptor >= 0)
        close(archive->descriptor);
    free(archive->name);
    free(archive->member);
    free(archive);
}

static int begin(struct pt_archive *archive, struct pt_error *err)
{
    return settle(archive, archive_read_open(archive->library, archive, NULL, give_block, NULL), "opening it",
                  err);
}

static int read_decompressed(void *context, void *bytes, size_t n, size_t *got, struct pt_error *err)
{
    struct pt_archive *archive = context;
    if (pt_archive_read(archive, bytes, n, got, err))
        return (int)err->status;
    return pt_check_ratio(archive->name, pt_source_offset(archive->source), archive->out, err);
}

static void close_decompressed(void *context)
{
    pt_archive_close(context);
}

/* A compressed stream is, to libarchive, an archive in "raw" format with one file. Empty data has no file at
 * all. */
int pt_archive_decompress(struct pt_reader *reader, struct pt_source *compressed, struct pt_error *err)
{
    struct pt_archive *archive = new_archive(pt_source_name(compressed), compressed, err);
    if (!archive)
        return (int)err->status;
    archive_read_support_filter_xz(archive->library);
    archive_read_support_filter_zstd(archive->library);
    archive_read_support_format_raw(archive->library);
    archive_read_support_format_empty(archive->library);
    struct archive_entry *entry;
    int result = begin(archive, err);
    if (result == ARCHIVE_OK)
        result = settle(archive, archive_read_next_header(archive->library, &entry),
                        "reading compressed data", err);
    if (err->status) {
        pt_archive_close(archive);
        return (int)err->status;
    }
    *reader = (struct pt_reader){.read = read_decompressed, .close = close_decompressed, .context = archive};
    return PT_OK;
}

int pt_archive_open_tar(struct pt_archive **archive, struct pt_source *tar, struct pt_error *err)
{
    *archive = new_archive(pt_source_name(tar), tar, err);
    if (!*archive)
        return (int)err->status;
    archive_read_support_format_tar((*archive)->library);
    if (begin(*archive, err) != ARCHIVE_OK) {
        pt_archive_close(*archive);
        *archive = NULL;
    }
    return (int)err->status;
}

static int open_zip_file(struct pt_archive *archive, const char *path, struct pt_error *err)
{
    archive->descriptor = pt_descriptor_open(path, O_RDONLY, 0);
    struct stat status;
    if (archive->descriptor < 0 || fstat(archive->descriptor, &status))
        return pt_fail_errno(err, "%s", path);
    if (!S_ISREG(status.st_mode))
        return pt_fail(err, PT_MISMATCH, "%s: a zip archive can be read from a regular file only", path);
    archive->file_bytes = (uint64_t)status.st_size;
    archive_read_support_format_zip_seekable(archive->library);
    settle(archive, archive_read_open_fd(archive->library, archive->descriptor, BLOCK_BYTES), "opening it",
           err);
    return (int)err->status;
}

int pt_archive_open_zip(struct pt_archive **archive, const char *path, struct pt_error *err)
{
    *archive = new_archive(path, NULL, err);
    if (*archive && open_zip_file(*archive, path, err)) {
        pt_archive_close(*archive);
        *archive = NULL;
    }
    return (int)err->status;
}

/* The entry's name as bytes, NULL where it has none. */
static const char *entry_name(struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);
    while (name && name[0] == '.' && name[1] == '/')
        name += 2;
    return name;
}

/* macOS puts a "._name" beside each file, which holds its attributes. */
static bool is_companion(const char *name)
{
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
    return !strncmp(last, "._", 2) || !strncmp(name, "__MACOSX/", 9);
}

static bool is_wanted(struct archive_entry *entry, const char *name)
{
    return name && *name && archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry) &&
           !is_companion(name);
}

/*
 * libarchive turns names into the locale's encoding, and drops those that do not fit into it. Programs here
 * never set a locale, so for this one call, and this thread alone, it is one in which names are UTF-8, that
 * is, stay as they are.
 */
static int next_header(struct pt_archive *archive, struct archive_entry **entry)
{
    locale_t previous = archive->utf8 ? uselocale(archive->utf8) : (locale_t)0;
    int result = archive_read_next_header(archive->library, entry);
    if (archive->utf8)
        uselocale(previous);
    return result;
}

/* A tar archive ends before its bytes do: padding follows, and the checksum of a compression around it. */
static int read_rest(struct pt_archive *archive, struct pt_error *err)
{
    size_t got = archive->source ? BLOCK_BYTES : 0;
    bool is_padding = true;
    while (got == BLOCK_BYTES) {
        if (pt_source_read(archive->source, archive->block, BLOCK_BYTES, &got, err))
            return (int)err->status;
        for (size_t i = 0; i < got; i++)
            is_padding = is_padding && !archive->block[i];
    }
    if (!is_padding)
        pt_log(PT_LOG_WARNING, "%s: what follows the end of the archive is left unread", archive->name);
    return PT_OK;
}

int pt_archive_next(struct pt_archive *archive, const char **name, struct pt_error *err)
{
    *name = NULL;
    free(archive->member);
    archive->member = NULL;
    if (archive->ended)
        return PT_OK;
    for (int retries = 0; retries < MOST_RETRIES;) {
        struct archive_entry *entry;
        int result = next_header(archive, &entry);
        if (result == ARCHIVE_RETRY) {
            retries++;
            continue;
        }
        result = settle(archive, result, "finding the next file", err);
        archive->ended = result != ARCHIVE_OK;
        if (archive->ended)
            return err->status ? (int)err->status : read_rest(archive, err);
        const char *found = entry_name(entry);
        if (!is_wanted(entry, found))
            continue;
        archive->member = pt_new_string(found, err);
        if (archive_entry_is_data_encrypted(entry))
            return pt_fail(err, PT_MISMATCH, "%s:%s: is encrypted", archive->name, found);
        *name = archive->member;
        return (int)err->status;
    }
    return fail_library(archive, "finding the next file", err);
}

int pt_archive_read(struct pt_archive *archive, void *bytes, size_t n, size_t *got, struct pt_error *err)
{
    la_ssize_t result = ARCHIVE_RETRY;
    for (int retries = 0; result == ARCHIVE_RETRY && retries < MOST_RETRIES; retries++)
        result = archive_read_data(archive->library, bytes, n);
    if (result < 0)
        return fail_library(archive, "reading it", err);
    *got = (size_t)result;
    archive->out += *got;
    return archive->source ? PT_OK : pt_check_ratio(archive->name, archive->file_bytes, archive->out, err);
}

struct names {
    char **list;
    size_t n, capacity;
};

static int append_names(struct names *names, struct pt_archive *archive, struct pt_error *err)
{
    for (;;) {
        const char *name;
        if (pt_archive_next(archive, &name, err) || !name)
            return (int)err->status;
        if (pt_reserve(&names->list, &names->capacity, names->n + 1, sizeof *names->list, err))
            return (int)err->status;
        names->list[names->n] = pt_new_string(name, err);
        if (!names->list[names->n])
            return (int)err->status;
        names->n++;
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int refuse_twins(const struct names *names, const char *archive, struct pt_error *err)
{
    char **sorted = pt_new_array(names->n, sizeof *sorted, err);
    if (!sorted)
        return (int)err->status;
    for (size_t i = 0; i < names->n; i++)
        sorted[i] = names->list[i];
    qsort(sorted, names->n, sizeof *sorted, compare_names);
    for (size_t i = 1; i < names->n; i++)
        if (!strcmp(sorted[i - 1], sorted[i]))
            pt_fail(err, PT_BAD_INPUT, "%s: holds two files called '%s'", archive, sorted[i]);
    free(sorted);
    return (int)err->status;
}

int pt_archive_list(struct pt_archive *archive, char ***names, size_t *n, struct pt_error *err)
{
    struct names found = {0};
    if (append_names(&found, archive, err) || refuse_twins(&found, archive->name, err)) {
        pt_archive_names_free(found.list, found.n);
        found = (struct names){0};
    }
    *names = found.list;
    *n = found.n;
    return (int)err->status;
}

void pt_archive_names_free(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}
