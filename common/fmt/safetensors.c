/*
 * Reading: the whole file lies in memory or in a mapping, the header is parsed by jansson, every number in it
 * is checked before it is used. Writing: the header is built in memory, the tensors go out as they are.
 */
#include "fmt/safetensors.h"

#include "base/hash.h"
#include "base/integer.h"
#include "base/memory.h"
#include "fmt/json.h"
#include "io/map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, HEADER_LIMIT = 100000000, HASH_DIGITS = 16 };
static const char format_version[] = "1";
static const char hash_zeros[] = "0000000000000000";
static const char hash_member[] = "\"" PT_HASH_KEY "\":\"";

/* A tensor's place in the data. */
struct span {
    uint64_t begin, end;
    size_t tensor;
};

/* A file that is being read. */
struct file {
    const uint8_t *bytes;
    size_t n;
    size_t header_end;  /* length word and header, in bytes */
    struct span *spans; /* [tensors], owned; sorted by place once all are there */
};

bool pt_safetensors_recognise(const void *bytes, size_t n)
{
    const uint8_t *b = bytes;
    if (n < LENGTH_BYTES + 1)
        return false;
    uint64_t length = pt_little_endian(b, LENGTH_BYTES);
    char first = (char)b[LENGTH_BYTES];
    return length >= 2 && length <= HEADER_LIMIT && (first == '{' || pt_is_json_blank(first));
}

/* Dtypes of the format that no tensor of ours can have. */
static bool is_foreign_dtype(const char *name)
{
    static const char *const foreign[] = {"F4",      "F6_E2M3",     "F6_E3M2",     "F8_E5M2", "F8_E4M3",
                                          "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (!strcmp(name, foreign[i]))
            return true;
    return false;
}

static bool read_u64(const json_t *value, uint64_t *number)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0) /* 2.0 is none in this format */
        return false;
    *number = (uint64_t)json_integer_value(value);
    return true;
}

static int bad_tensor(const char *name, const char *why, struct pt_error *err)
{
    return pt_fail(err, PT_BAD_INPUT, "tensor \"%.200s\": %s", name, why);
}

static int read_dtype(const json_t *value, const char *name, enum pt_dtype *dtype, struct pt_error *err)
{
    const char *text = json_string_value(value);
    if (!text)
        return bad_tensor(name, "no dtype", err);
    *dtype = pt_dtype_from_name(text);
    if (*dtype != PT_DTYPE_UNKNOWN)
        return PT_OK;
    if (is_foreign_dtype(text))
        return pt_fail(err, PT_MISMATCH, "tensor \"%.200s\": dtype %s is not supported", name, text);
    return pt_fail(err, PT_BAD_INPUT, "tensor \"%.200s\": unknown dtype \"%.40s\"", name, text);
}

static int read_shape(const json_t *value, const char *name, uint64_t shape[PT_MAX_RANK],
                      struct pt_error *err)
{
    if (!json_is_array(value))
        return bad_tensor(name, "no shape", err);
    size_t rank = json_array_size(value);
    for (size_t i = 0; i < rank; i++) {
        uint64_t dimension;
        if (!read_u64(json_array_get(value, i), &dimension))
            return bad_tensor(name, "its shape holds something else than sizes", err);
        if (i < PT_MAX_RANK)
            shape[i] = dimension;
    }
    return PT_OK;
}

/* One member of the header. */
static int read_tensor(struct pt_tensors *set, struct file *file, const char *name, const json_t *info,
                       struct pt_error *err)
{
    if (!json_is_object(info))
        return bad_tensor(name, "not described by an object", err);
    const json_t *shape_value = json_object_get(info, "shape"),
                 *offsets = json_object_get(info, "data_offsets");
    enum pt_dtype dtype;
    uint64_t shape[PT_MAX_RANK];
    struct span span = {.tensor = set->n};
    if (read_dtype(json_object_get(info, "dtype"), name, &dtype, err) ||
        read_shape(shape_value, name, shape, err))
        return (int)err->status;
    if (json_array_size(offsets) != 2 || !read_u64(json_array_get(offsets, 0), &span.begin) ||
        !read_u64(json_array_get(offsets, 1), &span.end))
        return bad_tensor(name, "no data_offsets", err);
    uint64_t data_bytes = file->n - file->header_end;
    if (span.begin > span.end || span.end > data_bytes)
        return pt_fail(err, PT_BAD_INPUT,
                       "tensor \"%.200s\": data_offsets [%" PRIu64 ", %" PRIu64
                       "] are not within the %" PRIu64 " bytes of data (cut short?)",
                       name, span.begin, span.end, data_bytes);
    const uint8_t *data = file->bytes + file->header_end + span.begin;
    if (pt_tensors_add(set, name, dtype, (unsigned)json_array_size(shape_value), shape, data, err))
        return (int)err->status;
    const struct pt_tensor *tensor = &set->tensors[set->n - 1];
    if (tensor->n_bytes != span.end - span.begin)
        return pt_fail(err, PT_BAD_INPUT,
                       "tensor \"%.200s\": %" PRIu64 " bytes of data for a shape of %" PRIu64 " bytes", name,
                       span.end - span.begin, tensor->n_bytes);
    file->spans[span.tensor] = span;
    return PT_OK;
}

static int read_metadata(struct pt_tensors *set, json_t *metadata, struct pt_error *err)
{
    if (json_is_null(metadata))
        return PT_OK;
    if (!json_is_object(metadata))
        return pt_fail(err, PT_BAD_INPUT, "\"__metadata__\" is not an object");
    const char *key;
    json_t *value;
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value))
            return pt_fail(err, PT_BAD_INPUT, "metadata \"%.200s\" is not a string", key);
    }
    set->metadata = json_incref(metadata);
    return PT_OK;
}

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* The tensors must cover the data from its first to its last byte. */
static int check_cover(const struct pt_tensors *set, struct file *file, struct pt_error *err)
{
    qsort(file->spans, set->n, sizeof *file->spans, compare_spans);
    uint64_t covered = 0;
    for (size_t i = 0; i < set->n; i++) {
        const struct span *span = &file->spans[i];
        if (span->begin != covered)
            return pt_fail(err, PT_BAD_INPUT,
                           "tensor \"%.200s\" begins at byte %" PRIu64 " of the data, where %s at %" PRIu64,
                           set->tensors[span->tensor].name, span->begin,
                           span->begin < covered ? "another ends" : "a hole begins", covered);
        covered = span->end;
    }
    uint64_t data_bytes = file->n - file->header_end;
    if (covered != data_bytes)
        return pt_fail(err, PT_BAD_INPUT,
                       "%" PRIu64 " bytes too many behind the last tensor (offset %" PRIu64 ")",
                       data_bytes - covered, file->header_end + covered);
    return PT_OK;
}

/* The hash as safetensors.h defines it. `digits` is the offset of its value in the header. */
static int hash_file(const void *header, size_t header_bytes, size_t digits,
                     const struct pt_tensor *const *tensors, size_t n, char value[HASH_DIGITS + 1],
                     struct pt_error *err)
{
    char *copy = pt_new_string_n(header, header_bytes, err);
    if (!copy)
        return (int)err->status;
    memcpy(copy + digits, hash_zeros, HASH_DIGITS);
    uint64_t hash = pt_hash64(copy, header_bytes, 0);
    free(copy);
    for (size_t i = 0; i < n; i++)
        if (tensors[i]->n_bytes)
            hash = pt_hash64(tensors[i]->data, tensors[i]->n_bytes, hash);
    snprintf(value, HASH_DIGITS + 1, "%016" PRIx64, hash);
    return PT_OK;
}

/* Verifies the hash of a file of ours. */
static int check_hash(const struct pt_tensors *set, const struct file *file, struct pt_error *err)
{
    const char *format = pt_tensors_metadata(set, PT_FORMAT_KEY),
               *stored = pt_tensors_metadata(set, PT_HASH_KEY);
    if (!format && !stored)
        return PT_OK;
    if (!format || !stored)
        return pt_fail(err, PT_BAD_INPUT, "damaged: metadata \"%s\" without \"%s\"",
                       format ? PT_FORMAT_KEY : PT_HASH_KEY, format ? PT_HASH_KEY : PT_FORMAT_KEY);
    const uint8_t *member = memmem(file->bytes, file->header_end, hash_member, sizeof hash_member - 1);
    if (!member || strlen(stored) != HASH_DIGITS)
        return pt_fail(err, PT_BAD_INPUT, "damaged: metadata \"" PT_HASH_KEY "\" is not 16 digits");
    const struct pt_tensor **tensors = pt_new_array(set->n, sizeof *tensors, err);
    if (!tensors)
        return (int)err->status;
    for (size_t i = 0; i < set->n; i++)
        tensors[i] = &set->tensors[file->spans[i].tensor];
    char value[HASH_DIGITS + 1];
    size_t digits = (size_t)(member - file->bytes) + sizeof hash_member - 1;
    if (!hash_file(file->bytes, file->header_end, digits, tensors, set->n, value, err)) {
        if (strcmp(value, stored))
            pt_fail(err, PT_BAD_INPUT, "damaged: its bytes have the hash %s, not %s as recorded", value,
                    stored);
        else if (strcmp(format, format_version))
            pt_fail(err, PT_MISMATCH, "written in format %s; this version reads format %s", format,
                    format_version);
    }
    free(tensors);
    return (int)err->status;
}

static int read_members(struct pt_tensors *set, struct file *file, json_t *header, struct pt_error *err)
{
    if (!json_is_object(header))
        return pt_fail(err, PT_BAD_INPUT, "the header is not a JSON object");
    file->spans = pt_new_array(json_object_size(header), sizeof *file->spans, err);
    if (!file->spans)
        return (int)err->status;
    const char *name;
    json_t *value;
    json_object_foreach(header, name, value) {
        if (!strcmp(name, "__metadata__") ? read_metadata(set, value, err)
                                          : read_tensor(set, file, name, value, err))
            return (int)err->status;
    }
    return check_cover(set, file, err) ? (int)err->status : check_hash(set, file, err);
}

/* Fills the set from a whole file; messages have no name in front yet. */
static int parse(struct pt_tensors *set, const void *bytes, size_t n, struct pt_error *err)
{
    if (pt_is_lfs_pointer(bytes, n))
        return pt_refuse_lfs_pointer("safetensors", err);
    if (n < LENGTH_BYTES)
        return pt_fail(err, PT_BAD_INPUT, "%zu bytes: too short for a safetensors header", n);
    uint64_t length = pt_little_endian(bytes, LENGTH_BYTES);
    if (length > HEADER_LIMIT)
        return pt_fail(err, PT_BAD_INPUT, "not a safetensors file: header length %" PRIu64 " (at most %d)",
                       length, HEADER_LIMIT);
    if (length > n - LENGTH_BYTES)
        return pt_fail(err, PT_BAD_INPUT, "cut short: a header of %" PRIu64 " bytes, but only %zu follow",
                       length, n - LENGTH_BYTES);
    if (length >= 3 && !memcmp((const char *)bytes + LENGTH_BYTES, "\xef\xbb\xbf", 3))
        return pt_fail(err, PT_BAD_INPUT, "the header begins with a byte order mark");
    struct file file = {.bytes = bytes, .n = n, .header_end = LENGTH_BYTES + (size_t)length};
    json_t *header = NULL;
    if (!pt_json_parse(&header, (const char *)bytes + LENGTH_BYTES, (size_t)length, "header", err))
        (void)!read_members(set, &file, header, err);
    json_decref(header);
    free(file.spans);
    return (int)err->status;
}

/* Parses and, on failure, frees the set and puts its name in front of the message. */
static int finish(struct pt_tensors *set, const char *name, const void *bytes, size_t n, struct pt_error *err)
{
    if (!err->status && !parse(set, bytes, n, err))
        set->name = pt_new_string(name, err);
    if (!err->status)
        return PT_OK;
    pt_tensors_free(set);
    return pt_error_in(err, "%s", name);
}

int pt_safetensors_open(struct pt_tensors *set, const char *path, struct pt_error *err)
{
    *set = (struct pt_tensors){0};
    struct pt_map map = {0};
    if (pt_map_open(&map, path, err))
        return (int)err->status;
    if (pt_tensors_keep_map(set, &map, err))
        pt_map_close(&map);
    return finish(set, path, map.data, map.size, err);
}

int pt_safetensors_read(struct pt_tensors *set, struct pt_source *source, uint64_t limit,
                        struct pt_error *err)
{
    *set = (struct pt_tensors){0};
    struct pt_buffer bytes = {0};
    if (pt_source_read_all(source, limit, &bytes, err)) {
        pt_buffer_free(&bytes);
        return (int)err->status;
    }
    if (bytes.size == 0) {
        pt_buffer_free(&bytes);
        pt_fail(err, PT_BAD_INPUT, "%s: empty, where a tensor file was expected", pt_source_name(source));
        return pt_error_hint(err, "the previous command probably failed, or redirected its output");
    }
    if (pt_tensors_keep(set, bytes.data, err))
        pt_buffer_free(&bytes);
    return finish(set, pt_source_name(source), bytes.data, bytes.size, err);
}

static int compare_for_writing(const void *a, const void *b)
{
    const struct pt_tensor *x = *(const struct pt_tensor *const *)a, *y = *(const struct pt_tensor *const *)b;
    if (x->dtype != y->dtype)
        return x->dtype > y->dtype ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* The metadata to be written: the set's, with or without our two keys. NULL in *metadata where there is none.
 */
static int prepare_metadata(const struct pt_tensors *set, bool with_hash, json_t **metadata,
                            struct pt_error *err)
{
    *metadata = set->metadata ? json_copy(set->metadata) : with_hash ? json_object() : NULL;
    if (!*metadata)
        return set->metadata || with_hash ? pt_fail(err, PT_FAILED, "out of memory") : PT_OK;
    json_object_del(*metadata, PT_FORMAT_KEY);
    json_object_del(*metadata, PT_HASH_KEY);
    if (with_hash && (json_object_set_new(*metadata, PT_FORMAT_KEY, json_string(format_version)) ||
                      json_object_set_new(*metadata, PT_HASH_KEY, json_string(hash_zeros))))
        return pt_fail(err, PT_FAILED, "out of memory");
    return PT_OK;
}

static int append_tensor(struct pt_buffer *out, const struct pt_tensor *tensor, uint64_t *offset,
                         struct pt_error *err)
{
    if (pt_json_append_string(out, tensor->name, strlen(tensor->name), false, err) ||
        pt_buffer_append_format(out, err, ":{\"dtype\":\"%s\",\"shape\":[", pt_dtype_name(tensor->dtype)))
        return (int)err->status;
    for (unsigned i = 0; i < tensor->rank; i++)
        if (pt_buffer_append_format(out, err, "%s%" PRIu64, i ? "," : "", tensor->shape[i]))
            return (int)err->status;
    uint64_t begin = *offset;
    *offset += tensor->n_bytes;
    return pt_buffer_append_format(out, err, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin, *offset);
}

/* Everything in front of the payload, hash included. */
static int build_header(struct pt_buffer *out, const json_t *metadata, const struct pt_tensor *const *tensors,
                        size_t n, struct pt_error *err)
{
    if (pt_buffer_append(out, "\0\0\0\0\0\0\0\0{", LENGTH_BYTES + 1, err))
        return (int)err->status;
    if (metadata && (pt_buffer_append_string(out, "\"__metadata__\":", err) ||
                     pt_json_append(out, metadata, JSON_COMPACT | JSON_SORT_KEYS, err)))
        return (int)err->status;
    uint64_t offset = 0;
    for (size_t i = 0; i < n; i++)
        if (((i || metadata) && pt_buffer_append(out, ",", 1, err)) ||
            append_tensor(out, tensors[i], &offset, err))
            return (int)err->status;
    if (pt_buffer_append(out, "}", 1, err))
        return (int)err->status;
    while (out->size % 8)
        if (pt_buffer_append(out, " ", 1, err))
            return (int)err->status;
    uint64_t length = out->size - LENGTH_BYTES;
    if (length > HEADER_LIMIT)
        return pt_fail(err, PT_MISMATCH,
                       "too many tensors: a header of %" PRIu64 " bytes (the format allows %d)", length,
                       HEADER_LIMIT);
    for (int i = 0; i < LENGTH_BYTES; i++)
        out->data[i] = (char)(length >> 8 * i);
    if (!json_object_get(metadata, PT_HASH_KEY))
        return PT_OK;
    char value[HASH_DIGITS + 1];
    char *member = memmem(out->data, out->size, hash_member, sizeof hash_member - 1);
    char *digits = member + sizeof hash_member - 1;
    if (hash_file(out->data, out->size, (size_t)(digits - out->data), tensors, n, value, err))
        return (int)err->status;
    memcpy(digits, value, HASH_DIGITS);
    return PT_OK;
}

int pt_safetensors_write(struct pt_sink *sink, const struct pt_tensors *set, bool with_hash,
                         struct pt_error *err)
{
    struct pt_buffer header = {0};
    json_t *metadata = NULL;
    const struct pt_tensor **tensors = pt_new_array(set->n, sizeof *tensors, err);
    if (!tensors)
        return (int)err->status;
    for (size_t i = 0; i < set->n; i++)
        tensors[i] = &set->tensors[i];
    qsort(tensors, set->n, sizeof *tensors, compare_for_writing);
    if (prepare_metadata(set, with_hash, &metadata, err) ||
        build_header(&header, metadata, tensors, set->n, err) ||
        pt_sink_write(sink, header.data, header.size, err))
        goto out;
    for (size_t i = 0; i < set->n; i++)
        if (tensors[i]->n_bytes && pt_sink_write(sink, tensors[i]->data, tensors[i]->n_bytes, err))
            goto out;
out:
    json_decref(metadata);
    pt_buffer_free(&header);
    free(tensors);
    return (int)err->status;
}
