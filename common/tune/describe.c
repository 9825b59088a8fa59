/*
 * Which kind a path is. Folders are told by their files, files by their first bytes. A regular file of
 * tensors is mapped, so that its size does not matter; everything else (pipes, compressed files, members of
 * archives) is read as a source.
 */
#include "tune/describe.h"

#include "base/memory.h"
#include "fmt/json.h"
#include "fmt/pytorch_file.h"
#include "fmt/safetensors.h"
#include "fmt/stream_format.h"
#include "fmt/zip.h"
#include "io/map.h"
#include "tune/describe_inside.h"
#include "tune/peft_reader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HEAD_BYTES = 512, TOKENIZER_HEAD = 4096 };

/* Files that are recognised and not read. */
static const struct {
    size_t offset;
    const char *bytes;
    size_t n;
    const char *name;
} foreign[] = {
    {0, "GGUF", 4, "a GGUF model"},
    {0, "\x89HDF\r\n\x1a\n", 8, "an HDF5 file, as Keras and TensorFlow write them"},
    {4, "TFL3", 4, "a TensorFlow Lite model"},
    {0, "\x08\x01\x12", 3, "a TensorFlow saved model"},
    {0, "\x93NUMPY", 6, "a NumPy array"},
    {0, "PAR1", 4, "a Parquet file"},
    {0, "7z\xbc\xaf\x27\x1c", 6, "a 7z archive"},
    {0, "Rar!\x1a\x07", 6, "a RAR archive"},
};

/* ONNX is a protobuf without a magic: field 1 is the version of the format (3 to 31), then comes another
 * field of the model. */
static bool is_onnx(const uint8_t *bytes, size_t n)
{
    return n > 3 && bytes[0] == 0x08 && bytes[1] >= 3 && bytes[1] < 32 &&
           memchr("\x12\x1a\x22\x2a\x32\x3a\x42", bytes[2], 7);
}

static int refuse_foreign(const char *name, const void *bytes, size_t n, bool *known, struct pt_error *err)
{
    const char *found = is_onnx(bytes, n) ? "an ONNX model" : NULL;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign && !found; i++)
        if (n >= foreign[i].offset + foreign[i].n &&
            !memcmp((const char *)bytes + foreign[i].offset, foreign[i].bytes, foreign[i].n))
            found = foreign[i].name;
    *known = found != NULL;
    return found ? pt_fail(err, PT_MISMATCH, "%s: %s, which these tools do not read", name, found) : PT_OK;
}

/* A set that was opened: reported on and freed. */
static int report_set(json_t *report, struct pt_tensors *set, bool verify, struct pt_error *err)
{
    int status = pt_report_tensor_file(report, set, verify, err);
    pt_tensors_free(set);
    return status;
}

/* What comes out of a source; *known = false, and nothing reported, where it is none of ours. */
static int report_source(json_t *report, struct pt_source *source, bool verify, bool *known,
                         struct pt_error *err)
{
    const void *bytes;
    size_t n;
    struct pt_tensors set;
    *known = true;
    if (pt_source_peek(source, HEAD_BYTES, &bytes, &n, err))
        return (int)err->status;
    if (n == 0)
        return pt_fail(err, PT_BAD_INPUT, "%s: empty", pt_source_name(source));
    if (n >= 4 && !memcmp(bytes, PT_STREAM_MAGIC, 4))
        return pt_report_stream(report, source, err);
    if (pt_is_lfs_pointer(bytes, n))
        return pt_refuse_lfs_pointer(pt_source_name(source), err);
    if (pt_safetensors_recognise(bytes, n))
        return pt_safetensors_read(&set, source, PT_ADAPTER_LIMIT, err)
                   ? (int)err->status
                   : report_set(report, &set, verify, err);
    if (pt_zip_recognise(bytes, n) || pt_pytorch_file_is_legacy(bytes, n))
        return pt_pytorch_file_read(&set, source, PT_ADAPTER_LIMIT, err)
                   ? (int)err->status
                   : report_set(report, &set, verify, err);
    return refuse_foreign(pt_source_name(source), bytes, n, known, err);
}

static int report_opened(json_t *report, const char *path, bool verify, bool *known, struct pt_error *err)
{
    struct pt_source *source;
    if (pt_source_open(&source, path, err))
        return (int)err->status;
    int status = report_source(report, source, verify, known, err);
    pt_source_close(source);
    return status;
}

/* "in/it.json" of "archive.tar:in/it.json". */
static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *colon = strrchr(path, ':');
    const char *last = slash > colon ? slash : colon;
    return last ? last + 1 : path;
}

/* Whether the adapter can be used. One of another method is a fault only where everything is to be checked.
 */
static int report_method(json_t *report, struct pt_tensors *set, const json_t *config, const char *path,
                         bool verify, struct pt_error *err)
{
    struct pt_error unsupported = {0};
    if (!pt_peft_note(set, config, path, &unsupported))
        return PT_OK;
    if (!verify && unsupported.status == PT_MISMATCH)
        return pt_report_text(report, "not_supported", unsupported.message, err);
    *err = unsupported;
    return (int)err->status;
}

static int report_adapter(json_t *report, const char *path, bool verify, struct pt_error *err)
{
    struct pt_folder *folder;
    struct pt_tensors set = {0};
    json_t *config = NULL;
    if (pt_folder_open(&folder, path, err))
        return (int)err->status;
    if (!pt_peft_read(&set, &config, folder, path, err) &&
        !report_method(report, &set, config, path, verify, err) &&
        !pt_report_tensor_file(report, &set, verify, err) &&
        !pt_report_text(report, "kind", "adapter", err) &&
        !pt_report_set(report, "configuration", json_incref(config), err))
        json_object_del(report, "metadata"); /* says the same in other words */
    json_decref(config);
    pt_tensors_free(&set);
    pt_folder_close(folder);
    return (int)err->status;
}

/* Each member that is something; a fault in one is a fault of the archive. */
static int report_members(json_t *report, char *const *paths, size_t n, bool verify, struct pt_error *err)
{
    json_t *members = json_array();
    for (size_t i = 0; i < n && !err->status; i++) {
        bool known = false;
        json_t *member = json_object();
        if (!pt_report_text(member, "file", paths[i], err) &&
            !report_opened(member, paths[i], verify, &known, err) && known &&
            json_array_append(members, member))
            pt_fail(err, PT_FAILED, "out of memory");
        json_decref(member);
    }
    size_t found = json_array_size(members);
    if (err->status)
        json_decref(members);
    else if (!pt_report_text(report, "kind", "archive", err) &&
             !pt_report_set(report, "members", members, err) && !found)
        pt_fail(err, PT_MISMATCH, "%s: an archive that holds nothing of these tools",
                json_string_value(json_object_get(report, "file")));
    return (int)err->status;
}

/* A compressed file or an archive. */
static int report_layers(json_t *report, const char *path, bool verify, bool *known, struct pt_error *err)
{
    char **paths;
    size_t n;
    if (pt_source_expand(path, &paths, &n, err))
        return (int)err->status;
    bool plain = n == 1 && !strcmp(paths[0], path), adapter = false;
    for (size_t i = 0; i < n; i++)
        adapter = adapter || !strcmp(base_name(paths[i]), "adapter_config.json");
    *known = true;
    if (plain)
        (void)!report_opened(report, path, verify, known, err);
    else if (adapter)
        (void)!report_adapter(report, path, verify, err);
    else
        (void)!report_members(report, paths, n, verify, err);
    for (size_t i = 0; i < n; i++)
        free(paths[i]);
    free(paths);
    return (int)err->status;
}

int pt_report_verify_file(const char *path, struct pt_error *err)
{
    struct pt_map map = {0};
    if (pt_map_open(&map, path, err))
        return (int)err->status;
    bool zip = pt_zip_recognise(map.data, map.size);
    pt_map_close(&map);
    return zip ? pt_pytorch_file_verify(path, err) : PT_OK;
}

/* A zip archive with a data.pkl in its only folder. */
static bool is_pytorch_zip(const struct pt_map *map)
{
    static const char suffix[] = "/data.pkl";
    struct pt_zip zip;
    struct pt_error ignored = {0};
    bool found = false;
    if (!pt_zip_recognise(map->data, map->size) || pt_zip_open(&zip, map->data, map->size, &ignored))
        return false;
    for (size_t i = 0; i < zip.n; i++) {
        const struct pt_zip_member *m = &zip.members[i];
        found = found || (m->name_bytes >= sizeof suffix &&
                          !memcmp(m->name + m->name_bytes - (sizeof suffix - 1), suffix, sizeof suffix - 1));
    }
    pt_zip_free(&zip);
    return found;
}

/* A tokenizer.json has its added tokens near its beginning; a SentencePiece model begins with the protobuf
 * field of its pieces. */
static bool may_be_tokenizer(const struct pt_map *map)
{
    static const char key[] = "\"added_tokens\"";
    if (!map->size)
        return false;
    size_t head = map->size < TOKENIZER_HEAD ? map->size : TOKENIZER_HEAD;
    return map->data[0] == '\n' || (map->data[0] == '{' && memmem(map->data, head, key, sizeof key - 1));
}

/* What does not begin as JSON, and cannot be read, may as well be something else. */
static int report_tokenizer_file(json_t *report, const char *path, bool json, bool *known,
                                 struct pt_error *err)
{
    struct pt_error failure = {0};
    if (!pt_report_tokenizer(report, path, &failure))
        return pt_report_text(report, "kind", "tokenizer", err);
    *known = json || failure.status != PT_BAD_INPUT;
    if (*known)
        *err = failure;
    return (int)err->status;
}

static int report_regular(json_t *report, const char *path, bool verify, bool *known, struct pt_error *err)
{
    struct pt_map map = {0};
    struct pt_tensors set;
    if (pt_map_open(&map, path, err))
        return (int)err->status;
    bool safetensors = pt_safetensors_recognise(map.data, map.size), pytorch = is_pytorch_zip(&map),
         tokenizer = may_be_tokenizer(&map), json = map.size && map.data[0] == '{';
    pt_map_close(&map);
    *known = true;
    if (safetensors)
        return pt_safetensors_open(&set, path, err) ? (int)err->status
                                                    : report_set(report, &set, verify, err);
    if (pytorch) {
        if ((verify && pt_pytorch_file_verify(path, err)) || pt_pytorch_file_open(&set, path, err))
            return (int)err->status;
        return report_set(report, &set, verify, err);
    }
    return tokenizer ? report_tokenizer_file(report, path, json, known, err)
                     : report_layers(report, path, verify, known, err);
}

static int report_folder(json_t *report, const char *path, bool verify, struct pt_error *err)
{
    static const char *const checkpoint_files[] = {"config.json", "model.safetensors",
                                                   "model.safetensors.index.json", "pytorch_model.bin",
                                                   "pytorch_model.bin.index.json"};
    struct pt_folder *folder;
    if (pt_folder_open(&folder, path, err))
        return (int)err->status;
    bool adapter = pt_peft_is_adapter(folder), checkpoint = false;
    bool tokenizer = pt_folder_has(folder, "tokenizer.json") || pt_folder_has(folder, "tokenizer.model") ||
                     (pt_folder_has(folder, "vocab.json") && pt_folder_has(folder, "merges.txt"));
    for (size_t i = 1; i < sizeof checkpoint_files / sizeof *checkpoint_files; i++)
        checkpoint = checkpoint || pt_folder_has(folder, checkpoint_files[i]);
    bool has_config = pt_folder_has(folder, checkpoint_files[0]);
    pt_folder_close(folder);
    if (adapter)
        return report_adapter(report, path, verify, err);
    if (checkpoint || (has_config && !tokenizer))
        return pt_report_checkpoint(report, path, verify, err);
    if (tokenizer)
        return pt_report_tokenizer(report, path, err) ? (int)err->status
                                                      : pt_report_text(report, "kind", "tokenizer", err);
    return pt_fail(err, PT_BAD_INPUT, "%s: a folder of no known kind", path);
}

int pt_describe(json_t **report, const char *path, bool verify, struct pt_error *err)
{
    struct stat status;
    bool known = true, exists = strcmp(path, "-") != 0 && !stat(path, &status);
    *report = json_object();
    if (pt_report_text(*report, "file", path, err))
        goto out;
    if (exists && S_ISDIR(status.st_mode))
        (void)!report_folder(*report, path, verify, err);
    else if (exists && S_ISREG(status.st_mode))
        (void)!report_regular(*report, path, verify, &known, err);
    else
        (void)!report_opened(*report, path, verify, &known, err);
    if (!err->status && !known)
        pt_fail(err, PT_BAD_INPUT, "%s: a file of no known kind",
                strcmp(path, "-") ? path : "standard input");
out:
    if (err->status) {
        json_decref(*report);
        *report = NULL;
    }
    return (int)err->status;
}
