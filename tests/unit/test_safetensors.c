/*
 * safetensors: the verdicts of the reference reader, its bytes when writing, and our hash: every flipped bit
 * of a file of ours and every truncation of any is refused.
 */
#include "files.h"

#include "fmt/json.h"
#include "fmt/safetensors.h"

#include <string.h>

static const char data_folder[] = "tests/data/safetensors";

static void verdicts_equal_the_reference(void **state)
{
    (void)state;
    struct pt_error err = {0};
    json_t *expected, *entry;
    char path[256];
    snprintf(path, sizeof path, "%s/EXPECTED.json", data_folder);
    assert_int_equal(pt_json_load(&expected, path, &err), 0);
    assert_int_equal(json_array_size(expected), 15);
    size_t i;
    json_array_foreach(expected, i, entry) {
        const char *file = json_string_value(json_object_get(entry, "file"));
        bool good = !strcmp(json_string_value(json_object_get(entry, "expected")), "ok");
        snprintf(path, sizeof path, "%s/%s", data_folder, file);
        struct pt_tensors set;
        err = (struct pt_error){0};
        if (pt_safetensors_open(&set, path, &err) != (good ? PT_OK : PT_BAD_INPUT))
            fail_msg("%s: status %d: %s", file, (int)err.status, err.message);
        if (!good)
            assert_non_null(strstr(err.message, file));
        pt_tensors_free(&set);
    }
    json_decref(expected);
}

/* Reads bytes that lie in memory as from a pipe. */
static int read_bytes(struct pt_tensors *set, const void *bytes, size_t n, struct pt_error *err)
{
    struct pt_source *source;
    *err = (struct pt_error){0};
    assert_int_equal(pt_source_open_memory(&source, "memory", bytes, n, err), 0);
    int status = pt_safetensors_read(set, source, 1 << 20, err);
    pt_source_close(source);
    return status;
}

/* Header text and payload, put together. */
static int read_header(const char *header, size_t payload, struct pt_error *err)
{
    char bytes[2048] = {0};
    size_t length = strlen(header);
    bytes[0] = (char)length, bytes[1] = (char)(length >> 8);
    memcpy(bytes + 8, header, length);
    struct pt_tensors set;
    int status = read_bytes(&set, bytes, 8 + length + payload, err);
    pt_tensors_free(&set);
    return status;
}

static void headers_are_checked(void **state)
{
    (void)state;
    struct pt_error err;
    static const struct {
        const char *header;
        size_t payload;
        int status;
    } cases[] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, PT_OK},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"I8\",\"shape\":["
         "],\"data_offsets\":[8,9]}}",
         9, PT_OK},
        {"{}", 0, PT_OK},
        {"{}", 1, PT_BAD_INPUT},
        {"[]", 0, PT_BAD_INPUT},
        {"{\"__metadata__\":{\"a\":1}}", 0, PT_BAD_INPUT},
        {"{\"__metadata__\":[]}", 0, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":"
         "[2],\"data_offsets\":[0,8]}}",
         8, PT_BAD_INPUT},
        /* hole, overlap, tail, begins late */
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"I8\",\"shape\":["
         "2],\"data_offsets\":[3,5]}}",
         5, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"I8\",\"shape\":["
         "2],\"data_offsets\":[1,3]}}",
         3, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 3, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[2,0]}}", 2, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, PT_MISMATCH},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,2]}}", 2, PT_MISMATCH},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2.0],\"data_offsets\":[0,2]}}", 2, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[-2],\"data_offsets\":[0,2]}}", 2, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
         PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0,
         PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2]}}", 2, PT_BAD_INPUT},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,2]}}", 2, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"data_offsets\":[0,2]}}", 2, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2,2]}}", 2, PT_BAD_INPUT},
        {"{\"a\":3}", 0, PT_BAD_INPUT},
        {"{\"a\\u0000\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, PT_BAD_INPUT},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[2],\"data_offsets\":[0,2]}}x", 2, PT_BAD_INPUT},
        {"{\"__metadata__\":{\"pt.format\":\"1\"}}", 0, PT_BAD_INPUT},
        {"{\"__metadata__\":{\"pt.hash\":\"0000000000000000\"}}", 0, PT_BAD_INPUT},
        {"{\"__metadata__\":{\"pt.format\":\"1\",\"pt.hash\":\"0000000000000000\"}}", 0, PT_BAD_INPUT},
        {"{\"__metadata__\":{\"pt.format\":\"1\",\"pt.hash\":\"0\"}}", 0, PT_BAD_INPUT},
    };
    for (size_t i = 0; i < N_OF(cases); i++)
        if (read_header(cases[i].header, cases[i].payload, &err) != cases[i].status)
            fail_msg("%s: status %d: %s", cases[i].header, (int)err.status, err.message);
}

/* As safetensors 0.8 for Python decides, except for where the last lines say so. */
static void corner_cases_of_headers(void **state)
{
    (void)state;
    struct pt_error err;
#define TENSOR(dtype, shape, offsets) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
    static const struct {
        const char *header;
        size_t payload;
        int status;
    } cases[] = {
        {" \t\r\n{\"a\":" TENSOR("I8", "[2]", "[0,2]") "}\n ", 2, PT_OK},
        {"\xef\xbb\xbf{\"a\":" TENSOR("I8", "[2]", "[0,2]") "}", 2, PT_BAD_INPUT},
        {"{\"b\":" TENSOR("I8", "[1]", "[2,3]") ",\"\":" TENSOR("I8", "[]", "[0,1]") ",\"c\":" TENSOR(
             "I8", "[1]", "[1,2]") "}",
         3, PT_OK},
        {"{\"a\":" TENSOR("I8", "[1]", "[0,1]") ",\"b\":" TENSOR("F32", "[1]", "[1,5]") "}", 5, PT_OK},
        {"{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":{\"y\":[null]}}}", 1, PT_OK},
        {"{\"__metadata__\":null,\"a\":" TENSOR("I8", "[1]", "[0,1]") "}", 1, PT_OK},
        {"{\"__metadata__\":{\"a\":null}}", 0, PT_BAD_INPUT},
        {"{\"__metadata__\":{\"a\":\"\\ud800\"}}", 0, PT_BAD_INPUT},
        /* Tensors without elements: at the ends and between others, but not inside of one. */
        {"{\"a\":" TENSOR("I8", "[2]", "[0,2]") ",\"b\":" TENSOR("I8", "[0]", "[0,0]") ",\"c\":" TENSOR(
             "F64", "[3,0]", "[2,2]") "}",
         2, PT_OK},
        {"{\"a\":" TENSOR("I8", "[2]", "[0,2]") ",\"b\":" TENSOR("I8", "[0]", "[1,1]") "}", 2, PT_BAD_INPUT},
        {"{\"a\":" TENSOR("I8", "[0,9223372036854775807]", "[0,0]") "}", 0, PT_OK},
        {"{\"a\":" TENSOR("I8", "[9223372036854775807,9223372036854775807,0]", "[0,0]") "}", 0, PT_BAD_INPUT},
        {"{\"a\":" TENSOR("C64", "[1]", "[0,8]") "}", 8, PT_MISMATCH},
        {"{\"a\":" TENSOR("F8_E8M0", "[1]", "[0,1]") "}", 1, PT_MISMATCH},
        {"{\"a\":" TENSOR("f32", "[1]", "[0,4]") "}", 4, PT_BAD_INPUT},
        {"{\"a\":" TENSOR("I8", "[1]", "[0,1.0]") "}", 1, PT_BAD_INPUT},
        /* The reference takes these, */
        {"{\"a\":[\"I8\",[1],[0,1]]}", 1, PT_BAD_INPUT},
        {"{\"a\":" TENSOR("I8", "[18446744073709551615,0]", "[0,0]") "}", 0, PT_BAD_INPUT},
        {"{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, PT_BAD_INPUT},
        /* and refuses this one. */
        {"{\"a\":" TENSOR("I8", "[1]", "[-0,1]") "}", 1, PT_OK},
    };
#undef TENSOR
    for (size_t i = 0; i < N_OF(cases); i++)
        if (read_header(cases[i].header, cases[i].payload, &err) != cases[i].status)
            fail_msg("%s: status %d: %s", cases[i].header, (int)err.status, err.message);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    enum { DEEP = 50000 };
    struct pt_error err;
    struct pt_tensors set;
    char *bytes = calloc(1, 8 + DEEP + 1);
    memcpy(bytes, &(uint64_t){DEEP}, 8);
    memset(bytes + 8, '[', DEEP);
    assert_int_equal(read_bytes(&set, bytes, 8 + DEEP, &err), PT_BAD_INPUT);
    for (size_t i = 0; i + 5 <= DEEP; i += 5)
        memcpy(bytes + 8 + i, "{\"a\":", 5);
    assert_int_equal(read_bytes(&set, bytes, 8 + DEEP, &err), PT_BAD_INPUT);
    free(bytes);
}

static void pointers_and_empty_files_are_named(void **state)
{
    (void)state;
    struct pt_error err;
    struct pt_tensors set;
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    assert_int_equal(read_bytes(&set, pointer, sizeof pointer - 1, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "Git-LFS"));
    assert_int_equal(read_bytes(&set, "", 0, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.hint, "previous command"));
}

/* A set as our tools write it; scalars and empty tensors too. */
static void make_set(struct pt_tensors *set)
{
    static const float floats[] = {1.5f, -2, 0, 3e38f, 5, 6};
    static const uint16_t halves[] = {0x3c00, 0x3e01, 0xbc00};
    static const int64_t step = 30;
    struct pt_error err = {0};
    *set = (struct pt_tensors){.metadata =
                                   json_pack("{s:s, s:s, s:s}", "method", "prompt", "init_text",
                                             "\xe4\xb8\x8b\"\\}]", "pt.history", "[{\"tool\":\"pt-init\"}]")};
    assert_int_equal(pt_tensors_add(set, "step", PT_I64, 0, NULL, &step, &err), 0);
    assert_int_equal(pt_tensors_add(set, "z", PT_F16, 1, (uint64_t[]){3}, halves, &err), 0);
    assert_int_equal(pt_tensors_add(set, "prompt_embeddings", PT_F32, 2, (uint64_t[]){2, 3}, floats, &err),
                     0);
    assert_int_equal(pt_tensors_add(set, "empty", PT_F32, 2, (uint64_t[]){0, 3}, NULL, &err), 0);
}

static char *write_set(const struct pt_tensors *set, bool with_hash, size_t *n)
{
    struct pt_error err = {0};
    struct pt_sink *sink;
    assert_int_equal(pt_sink_open_memory(&sink, &err), 0);
    assert_int_equal(pt_safetensors_write(sink, set, with_hash, &err), 0);
    const void *bytes = pt_sink_memory(sink, n);
    char *copy = malloc(*n);
    memcpy(copy, bytes, *n);
    pt_sink_discard(sink);
    return copy;
}

static void sets_come_back(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tensors set, back;
    make_set(&set);
    size_t n;
    char *bytes = write_set(&set, true, &n);
    write_file(in_scratch("a.safetensors"), bytes, n);
    for (int mapped = 0; mapped < 2; mapped++) {
        assert_int_equal(mapped ? pt_safetensors_open(&back, in_scratch("a.safetensors"), &err)
                                : read_bytes(&back, bytes, n, &err),
                         0);
        assert_int_equal(back.n, set.n);
        for (size_t i = 0; i < set.n; i++) {
            const struct pt_tensor *a = &set.tensors[i], *b = pt_tensors_find(&back, a->name);
            assert_non_null(b);
            assert_int_equal(a->dtype, b->dtype);
            assert_int_equal(a->rank, b->rank);
            assert_int_equal(a->n_bytes, b->n_bytes);
            assert_memory_equal(a->shape, b->shape, a->rank * sizeof a->shape[0]);
            if (a->n_bytes)
                assert_memory_equal(a->data, b->data, a->n_bytes);
        }
        assert_string_equal(pt_tensors_metadata(&back, "method"), "prompt");
        assert_string_equal(pt_tensors_metadata(&back, "init_text"), "\xe4\xb8\x8b\"\\}]");
        assert_null(pt_tensors_metadata(&back, "absent"));
        size_t again_n;
        char *again = write_set(&back, true, &again_n);
        assert_int_equal(n, again_n);
        assert_memory_equal(bytes, again, n);
        free(again);
        pt_tensors_free(&back);
    }
    free(bytes);
    pt_tensors_free(&set);
}

/* PEFT's adapter file: 8 x 2048 is 65,656 bytes, and its header this text. */
static void bytes_equal_the_reference_writers(void **state)
{
    (void)state;
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"prompt_embeddings\":{\"dtype\":\"F32\",\"shape\":[8,2048],"
        "\"data_offsets\":[0,65536]}}  ";
    struct pt_error err = {0};
    float *values = calloc(8 * 2048, sizeof *values);
    struct pt_tensors set = {.metadata = json_pack("{s:s}", "format", "pt")};
    assert_int_equal(
        pt_tensors_add(&set, "prompt_embeddings", PT_F32, 2, (uint64_t[]){8, 2048}, values, &err), 0);
    size_t n;
    char *bytes = write_set(&set, false, &n);
    assert_int_equal(n, 65656);
    assert_memory_equal(bytes, "\x70\0\0\0\0\0\0\0", 8);
    assert_memory_equal(bytes + 8, header, sizeof header - 1);
    free(bytes);
    pt_tensors_free(&set);

    /* Order: by descending dtype, then by name; without metadata. */
    set = (struct pt_tensors){0};
    static const enum pt_dtype order[] = {PT_U64, PT_I64, PT_F64, PT_F32, PT_U32, PT_I32, PT_BF16,
                                          PT_F16, PT_U16, PT_I16, PT_I8,  PT_U8,  PT_BOOL};
    for (size_t i = 0; i < N_OF(order); i++)
        for (int name = 0; name < 2; name++)
            assert_int_equal(
                pt_tensors_add(&set,
                               name ? (char[]){'a', (char)('a' + i), 0} : (char[]){'b', (char)('a' + i), 0},
                               order[N_OF(order) - 1 - i], 0, NULL, values, &err),
                0);
    bytes = write_set(&set, false, &n);
    char *at = bytes + 8;
    assert_memory_equal(at, "{\"am\":{\"dtype\":\"U64\",\"shape\":[],\"data_offsets\":[0,8]},\"bm\":", 58);
    for (size_t i = 0; i < N_OF(order); i++)
        for (int name = 0; name < 2; name++) {
            char member[64];
            snprintf(member, sizeof member, "\"%c%c\":{\"dtype\":\"%s\"", name ? 'b' : 'a',
                     (char)('a' + (N_OF(order) - 1 - i)), pt_dtype_name(order[i]));
            at = memmem(at, n - (size_t)(at - bytes), member, strlen(member));
            assert_non_null(at);
        }
    free(bytes);
    pt_tensors_free(&set);
    free(values);
}

static void every_flipped_bit_of_ours_is_refused(void **state)
{
    (void)state;
    struct pt_tensors set, back;
    make_set(&set);
    size_t n;
    char *bytes = write_set(&set, true, &n);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        struct pt_error err;
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        int status = read_bytes(&back, bytes, n, &err);
        if (status != PT_BAD_INPUT && status != PT_MISMATCH)
            fail_msg("bit %zu of %zu (byte %zu) passes: %d %s", bit, 8 * n, bit / 8, status, err.message);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    struct pt_error err;
    assert_int_equal(read_bytes(&back, bytes, n, &err), 0);
    pt_tensors_free(&back);
    free(bytes);
    pt_tensors_free(&set);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct pt_tensors set, back;
    make_set(&set);
    for (int with_hash = 0; with_hash < 2; with_hash++) {
        size_t n;
        char *bytes = write_set(&set, with_hash, &n);
        for (size_t length = 0; length < n; length++) {
            struct pt_error err;
            char *exact = malloc(length ? length : 1);
            memcpy(exact, bytes, length);
            assert_int_equal(read_bytes(&back, exact, length, &err), PT_BAD_INPUT);
            write_file(in_scratch("cut.safetensors"), exact, length);
            err = (struct pt_error){0};
            assert_int_equal(pt_safetensors_open(&back, in_scratch("cut.safetensors"), &err), PT_BAD_INPUT);
            free(exact);
        }
        free(bytes);
    }
    pt_tensors_free(&set);
}

static void a_limit_holds(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tensors set, back;
    make_set(&set);
    size_t n;
    char *bytes = write_set(&set, true, &n);
    struct pt_source *source;
    assert_int_equal(pt_source_open_memory(&source, "memory", bytes, n, &err), 0);
    assert_int_equal(pt_safetensors_read(&back, source, n - 1, &err), PT_BAD_INPUT);
    pt_source_close(source);
    free(bytes);
    pt_tensors_free(&set);
}

static void shapes_are_readable(void **state)
{
    (void)state;
    char text[PT_SHAPE_TEXT];
    assert_string_equal(pt_shape_format(2, (uint64_t[]){8, 2048}, text), "[8, 2048]");
    assert_string_equal(pt_shape_format(0, NULL, text), "[]");
    uint64_t largest[PT_MAX_RANK];
    memset(largest, 0xff, sizeof largest);
    assert_int_equal(strlen(pt_shape_format(PT_MAX_RANK, largest, text)), 8 * 20 + 7 * 2 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_equal_the_reference),
        cmocka_unit_test(headers_are_checked),
        cmocka_unit_test(corner_cases_of_headers),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(pointers_and_empty_files_are_named),
        cmocka_unit_test(sets_come_back),
        cmocka_unit_test(bytes_equal_the_reference_writers),
        cmocka_unit_test(every_flipped_bit_of_ours_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_limit_holds),
        cmocka_unit_test(shapes_are_readable),
    };
    return cmocka_run_group_tests_name("safetensors", tests, make_scratch, remove_scratch);
}
