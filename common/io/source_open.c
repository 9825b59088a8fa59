/*
 * From a path to a source: which file, which layers. Layers are told by the first bytes and stacked as
 * sources on sources: a descriptor, at most one compression, at most one archive, at most one compression of
 * the file in it.
 */
#include "base/memory.h"
#include "io/archive.h"
#include "io/descriptor.h"
#include "io/member.h"
#include "io/reader.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAR_BLOCK = 512, PIPE_BYTES = 1024 * 1024 };

struct file {
    int descriptor;
    char *name; /* owned */
};

static int read_file(void *context, void *bytes, size_t n, size_t *got, struct pt_error *err)
{
    struct file *file = context;
    ssize_t result = pt_descriptor_read(file->descriptor, bytes, n);
    if (result < 0)
        return pt_fail_errno(err, "%s", file->name);
    *got = (size_t)result;
    return PT_OK;
}

static void close_file(void *context)
{
    struct file *file = context;
    if (file->descriptor >= 0)
        close(file->descriptor);
    free(file->name);
    free(file);
}

static int open_descriptor(struct file *file, const char *path, struct pt_error *err)
{
    bool standard = !strcmp(path, "-");
    file->descriptor =
        standard ? pt_descriptor_duplicate(STDIN_FILENO) : pt_descriptor_open(path, O_RDONLY, 0);
    struct stat status;
    if (file->descriptor < 0 || fstat(file->descriptor, &status))
        return pt_fail_errno(err, "%s", file->name);
    if (S_ISDIR(status.st_mode))
        return pt_fail(err, PT_BAD_INPUT, "%s: is a folder, where a file is expected", file->name);
    if (S_ISFIFO(status.st_mode))
        fcntl(file->descriptor, F_SETPIPE_SZ, PIPE_BYTES); /* fewer switches between the two ends; optional */
    return PT_OK;
}

static const char *name_of(const char *path)
{
    return strcmp(path, "-") ? path : "standard input";
}

/* The bytes of the file as they are. */
static int open_file(struct pt_source **source, const char *path, struct pt_error *err)
{
    const char *name = name_of(path);
    struct file *file = pt_new_array(1, sizeof *file, err);
    if (!file)
        return (int)err->status;
    file->descriptor = -1;
    file->name = pt_new_string(name, err);
    if (!file->name || open_descriptor(file, path, err)) {
        close_file(file);
        return (int)err->status;
    }
    struct pt_reader reader = {.read = read_file, .close = close_file, .context = file};
    return pt_source_open_reader(source, name, reader, err);
}

enum layer { PLAIN, GZIP, XZ_OR_ZSTD, TAR, ZIP };

/* A tar header's checksum: the sum of its bytes with the checksum's own eight as blanks. Old archives have
 * nothing else. */
static bool has_tar_checksum(const unsigned char *block)
{
    unsigned sum = 0, given = 0;
    for (int i = 0; i < TAR_BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : block[i];
    int i = 148;
    while (i < 156 && block[i] == ' ')
        i++;
    for (; i < 156 && block[i] >= '0' && block[i] <= '7'; i++)
        given = given * 8 + (unsigned)(block[i] - '0');
    return block[0] && sum == given;
}

static const struct magic {
    const char *bytes;
    size_t n;
    enum layer layer;
} magics[] = {
    {"\x1f\x8b\x08", 3, GZIP},
    {"\xfd"
     "7zXZ",
     6, XZ_OR_ZSTD}, /* with the NUL behind it */
    {"\x28\xb5\x2f\xfd", 4, XZ_OR_ZSTD},
    {"PK\3\4", 4, ZIP},
    {"PK\5\6", 4, ZIP}, /* an empty one */
};

/*
 * Looks at the first bytes. No more is waited for than a first read gives, so that text typed on a terminal
 * arrives line by line, unless what is there is the beginning of a magic, or contains a NUL, as every tar
 * header does and no text.
 */
static int layer_of(struct pt_source *source, enum layer *layer, struct pt_error *err)
{
    const void *bytes;
    size_t n;
    *layer = PLAIN;
    if (pt_source_peek_once(source, &bytes, &n, err))
        return (int)err->status;
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        const struct magic *magic = &magics[i];
        if (n && n < magic->n && !memcmp(bytes, magic->bytes, n) &&
            pt_source_peek(source, magic->n, &bytes, &n, err))
            return (int)err->status;
        if (n >= magic->n && !memcmp(bytes, magic->bytes, magic->n)) {
            *layer = magic->layer;
            return PT_OK;
        }
    }
    if (n && n < TAR_BLOCK && memchr(bytes, 0, n) && pt_source_peek(source, TAR_BLOCK, &bytes, &n, err))
        return (int)err->status;
    if (n >= TAR_BLOCK && has_tar_checksum(bytes))
        *layer = TAR;
    return PT_OK;
}

/* Puts the decompressor on top where the bytes are compressed; *layer is then what comes out of it. */
static int undo_compression(struct pt_source **source, enum layer *layer, struct pt_error *err)
{
    if (layer_of(*source, layer, err))
        return (int)err->status;
    if (*layer != GZIP && *layer != XZ_OR_ZSTD)
        return PT_OK;
    struct pt_reader reader;
    struct pt_source *compressed = *source;
    *source = NULL;
    char *name = pt_new_string(pt_source_name(compressed), err);
    int status = *layer == GZIP ? pt_gzip_open(&reader, compressed, err)
                                : pt_archive_decompress(&reader, compressed, err);
    if (!status)
        status = pt_source_open_reader(source, name ? name : "", reader, err);
    free(name);
    return status ? status : layer_of(*source, layer, err);
}

/* The archive that the source is, which then belongs to it; NULL where it is none. */
static int open_archive(struct pt_archive **archive, struct pt_source **source, const char *path,
                        struct pt_error *err)
{
    enum layer layer;
    *archive = NULL;
    if (undo_compression(source, &layer, err))
        return (int)err->status;
    struct pt_source *taken = *source;
    if (layer == TAR) {
        *source = NULL;
        return pt_archive_open_tar(archive, taken, err);
    }
    if (layer != ZIP)
        return PT_OK;
    if (!strcmp(path, "-")) {
        pt_fail(err, PT_MISMATCH,
                "standard input: is a zip archive, which can be read from a regular file only");
        return pt_error_hint(err, "give the file's name, or send a tar archive");
    }
    *source = NULL;
    pt_source_close(taken);
    return pt_archive_open_zip(archive, path, err);
}

int pt_archive_open_path(struct pt_archive **archive, const char *path, struct pt_error *err)
{
    struct pt_source *source = NULL;
    *archive = NULL;
    if (!open_file(&source, path, err))
        (void)!open_archive(archive, &source, path, err);
    pt_source_close(source);
    return (int)err->status;
}

/* A reader of the file that is meant inside an archive, else none (reader->read is NULL) and the file itself
 * in *source. */
static int open_inside(struct pt_reader *reader, struct pt_source **source, const char *path,
                       const char *member, struct pt_error *err)
{
    struct pt_archive *archive;
    *reader = (struct pt_reader){0};
    if (member)
        return pt_member_open(reader, path, member, err);
    if (open_file(source, path, err) || open_archive(&archive, source, path, err))
        return (int)err->status;
    return archive ? pt_member_open_only(reader, archive, name_of(path), err) : PT_OK;
}

/* Opens `member` of the archive at `path`; without one the file itself, or an archive's only file. */
static int open_layers(struct pt_source **source, const char *path, const char *member, const char *name,
                       struct pt_error *err)
{
    struct pt_reader reader;
    enum layer layer;
    if (open_inside(&reader, source, path, member, err))
        return (int)err->status;
    if (!reader.read)
        return PT_OK;
    if (pt_source_open_reader(source, name, reader, err))
        return (int)err->status;
    return undo_compression(source, &layer, err);
}

size_t pt_source_member_offset(const char *path)
{
    struct stat status;
    if (!strcmp(path, "-") || !stat(path, &status))
        return 0;
    for (const char *colon = strchr(path, ':'); colon; colon = strchr(colon + 1, ':')) {
        char *prefix = strndup(path, (size_t)(colon - path));
        bool exists = prefix && !stat(prefix, &status) && !S_ISDIR(status.st_mode);
        free(prefix);
        if (exists)
            return (size_t)(colon - path) + 1;
    }
    return 0;
}

int pt_source_open(struct pt_source **source, const char *path, struct pt_error *err)
{
    *source = NULL;
    size_t member = pt_source_member_offset(path);
    char *file = pt_new_string_n(path, member ? member - 1 : strlen(path), err);
    if (!file)
        return (int)err->status;
    const char *name = name_of(path);
    if (open_layers(source, file, member ? path + member : NULL, name, err)) {
        pt_source_close(*source);
        *source = NULL;
    }
    free(file);
    return (int)err->status;
}

/* Puts "ARCHIVE:" in front of each name. */
static int add_archive(char **names, size_t n, const char *path, struct pt_error *err)
{
    for (size_t i = 0; i < n; i++) {
        char *whole = pt_new_format(err, "%s:%s", path, names[i]);
        if (!whole)
            return (int)err->status;
        free(names[i]);
        names[i] = whole;
    }
    return PT_OK;
}

static int list_archive(struct pt_archive *archive, const char *path, char ***paths, size_t *n,
                        struct pt_error *err)
{
    if (pt_archive_list(archive, paths, n, err))
        return (int)err->status;
    if (!*n)
        return pt_fail(err, PT_BAD_INPUT, "%s: is an archive without any file", path);
    pt_member_note_sound(path);
    return add_archive(*paths, *n, path, err);
}

static int list_itself(const char *path, char ***paths, size_t *n, struct pt_error *err)
{
    *paths = pt_new_array(1, sizeof **paths, err);
    if (!*paths)
        return (int)err->status;
    (*paths)[0] = pt_new_string(path, err);
    *n = (*paths)[0] ? 1 : 0;
    return (int)err->status;
}

static int expand(const char *path, char ***paths, size_t *n, struct pt_error *err)
{
    if (!strcmp(path, "-") || pt_source_member_offset(path))
        return list_itself(path, paths, n, err);
    struct stat status;
    if (stat(path, &status))
        return pt_fail_errno(err, "%s", path);
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) /* a pipe can be read once only */
        return list_itself(path, paths, n, err);
    struct pt_archive *archive;
    if (pt_archive_open_path(&archive, path, err))
        return (int)err->status;
    if (!archive)
        return list_itself(path, paths, n, err);
    int result = list_archive(archive, path, paths, n, err);
    pt_archive_close(archive);
    return result;
}

int pt_source_expand(const char *path, char ***paths, size_t *n, struct pt_error *err)
{
    *paths = NULL;
    *n = 0;
    if (expand(path, paths, n, err)) {
        pt_archive_names_free(*paths, *n);
        *paths = NULL;
        *n = 0;
    }
    return (int)err->status;
}
