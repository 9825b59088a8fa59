/*
 * The JSON files that stand beside weights and data: cut short at every byte, nested without end, and with
 * every value replaced by others of every type.
 */
#include "files.h"
#include "json_changes.h"
#include "model_folder.h"
#include "reference_folders.h"

#include "generate/settings.h"
#include "model/config.h"
#include "model/model.h"
#include "text/records.h"
#include "text/tokenizer.h"
#include "tune/tuned.h"

static void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

static int try_model(const char *folder, struct pt_error *err)
{
    struct pt_model *model;
    int status = pt_model_open(&model, folder, err);
    pt_model_close(model);
    return status;
}

static int open_tokenizer(const char *path, struct pt_error *err)
{
    struct pt_tokenizer *tokenizer = NULL;
    int status = pt_tokenizer_open(&tokenizer, path, err);
    if (!status)
        pt_tokenizer_close(tokenizer);
    return status;
}

/* Every beginning of the text, and the text's brackets without end. */
static void check_truncations(const char *path, const char *text,
                              int (*open)(const char *path, struct pt_error *err), const char *opened)
{
    enum { DEEP = 10000 };
    struct pt_error err = {0};
    write_text(path, text);
    if (open(opened, &err))
        fail_msg("%s", err.message);
    for (size_t n = 0; n < strlen(text); n++) {
        err = (struct pt_error){0};
        write_file(path, text, n);
        if (open(opened, &err) != PT_BAD_INPUT)
            fail_msg("%s, cut at byte %zu: %d %s", path, n, (int)err.status, err.message);
    }
    char deep[2][DEEP + 1] = {{0}};
    memset(deep[0], '[', DEEP);
    for (size_t i = 0; i + 5 <= DEEP; i += 5)
        memcpy(deep[1] + i, "{\"a\":", 5);
    for (size_t i = 0; i < N_OF(deep); i++) {
        err = (struct pt_error){0};
        write_text(path, deep[i]);
        assert_int_equal(open(opened, &err), PT_BAD_INPUT);
    }
}

/* --- files of a folder --- */

static int open_eos(const char *path, struct pt_error *err)
{
    struct pt_tokenizer *tokenizer = NULL;
    uint32_t id;
    if (!pt_tokenizer_open(&tokenizer, path, err)) {
        (void)!pt_tokenizer_eos(tokenizer, NULL, &id, err); /* the failure is in err */
        pt_tokenizer_close(tokenizer);
    }
    return (int)err->status;
}

static int open_records(const char *path, struct pt_error *err)
{
    struct pt_records *records = NULL;
    struct pt_record record;
    bool end = false, skippable;
    if (!pt_records_open(&records, path, PT_RECORDS_ANY, err))
        while (!end && !pt_records_next(records, &record, &end, &skippable, err))
            ;
    pt_records_close(records);
    return (int)err->status;
}

static int open_adapter(const char *path, struct pt_error *err)
{
    struct pt_tuned *tuned = NULL;
    if (!pt_tuned_open(&tuned, path, NULL, false, err))
        pt_tuned_free(tuned);
    return (int)err->status;
}

static int open_settings(const char *path, struct pt_error *err)
{
    struct pt_generation_settings settings = {0};
    return pt_generation_read(&settings, path, err);
}

static const struct document {
    const char *folder, *file;
    int (*open)(const char *folder, struct pt_error *err);
} documents[] =
    {
        {REFERENCE "bloom/model", "config.json", try_model},
        {NULL, "model.safetensors.index.json", try_model}, /* made here */
        {REFERENCE "bloom/model", "generation_config.json", open_settings},
        {REFERENCE "bloom/model", "tokenizer_config.json", open_eos},
        {REFERENCE "bloom/model", "special_tokens_map.json", open_eos},
        {REFERENCE "bloom/adapter-trained", "adapter_config.json", open_adapter},
        {"tests/data/arrow/alpaca", "state.json", open_records},
},
  *current;

static struct folder folder; /* a copy of the current document's */

/* A model of one shard. */
static void make_index(void)
{
    static const char shard[] = "model-00001-of-00001.safetensors";
    struct pt_error err = {0};
    struct pt_tensors set;
    json_t *map = json_object();
    folder_copy(&folder, REFERENCE "bloom/model/config.json", "config.json");
    folder_copy(&folder, REFERENCE "bloom/model/model.safetensors", shard);
    assert_int_equal(pt_safetensors_open(&set, folder_file(&folder, shard), &err), 0);
    for (size_t i = 0; i < set.n; i++)
        assert_int_equal(json_object_set_new(map, set.tensors[i].name, json_string(shard)), 0);
    pt_tensors_free(&set);
    json_t *index = json_pack("{s:{s:i}, s:o}", "metadata", "total_size", 1, "weight_map", map);
    assert_int_equal(json_dump_file(index, folder_file(&folder, current->file), 0), 0);
    json_decref(index);
}

/* The current document, in a folder of its own. */
static json_t *begin_document(void)
{
    struct pt_error err = {0};
    char command[512];
    json_t *document;
    folder_make(&folder);
    snprintf(command, sizeof command, "cp %s/* '%s'", current->folder ? current->folder : "", folder.path);
    if (current->folder)
        assert_int_equal(system(command), 0);
    else
        make_index();
    if (pt_json_load(&document, folder_file(&folder, current->file), &err) ||
        current->open(folder.path, &err))
        fail_msg("%s", err.message);
    return document;
}

static void files_that_are_cut_short_are_refused(void **state)
{
    (void)state;
    for (current = documents; current < documents + N_OF(documents); current++) {
        json_t *document = begin_document();
        char *text = json_dumps(document, JSON_COMPACT);
        check_truncations(folder_file(&folder, current->file), text, current->open, folder.path);
        free(text);
        json_decref(document);
        folder_remove(&folder);
    }
}

static int open_changed(const json_t *document, struct pt_error *err)
{
    char *text = json_dumps(document, JSON_COMPACT);
    write_text(folder_file(&folder, current->file), text);
    free(text);
    return current->open(folder.path, err);
}

static void files_with_other_values_are_read_or_refused(void **state)
{
    (void)state;
    for (current = documents; current < documents + N_OF(documents); current++) {
        json_t *document = begin_document();
        check_every_change(document, document, open_changed);
        json_decref(document);
        folder_remove(&folder);
    }
}

/* --- config.json of every family --- */

static int parse_config(const json_t *document, struct pt_error *err)
{
    struct pt_config config;
    return pt_config_parse(&config, document, "config.json", err);
}

static void configurations_of_every_family_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct pt_error err = {0};
        json_t *object;
        assert_int_equal(pt_json_load(&object, reference_file(reference_folders[f], "config.json"), &err), 0);
        check_every_change(object, object, parse_config);
        json_decref(object);
    }
}

/* --- tokenizer.json --- */

static int open_changed_tokenizer(const json_t *document, struct pt_error *err)
{
    char *text = json_dumps(document, JSON_COMPACT);
    const char *path = in_scratch("tokenizer.json");
    write_text(path, text);
    free(text);
    return open_tokenizer(path, err);
}

static void tokenizers_are_read_or_refused(void **state)
{
    (void)state;
    static const char *const forms[] = {"falcon-form", "gemma-form", "llama2-form", "llama3-form",
                                        "metaspace-form"};
    for (size_t f = 0; f < N_OF(forms); f++) {
        char path[128];
        struct pt_error err = {0};
        json_t *tokenizer;
        snprintf(path, sizeof path, "tests/data/tokenizers/%s.json", forms[f]);
        assert_int_equal(pt_json_load(&tokenizer, path, &err), 0);
        json_t *merges = json_object_get(json_object_get(tokenizer, "model"), "merges");
        while (json_array_size(merges) > 2) /* they take most of the time */
            assert_int_equal(json_array_remove(merges, json_array_size(merges) - 1), 0);
        check_every_change(tokenizer, tokenizer, open_changed_tokenizer);
        json_decref(tokenizer);
    }
}

static void tokenizers_that_are_cut_short_are_refused(void **state)
{
    (void)state;
    static const char text[] =
        "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[{\"id\":4,\"content\":"
        "\"</s>\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":"
        "true}],\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":"
        "[{\"type\":\"Split\",\"pattern\":{\"Regex\":\" ?\\\\p{L}+\"},\"behavior\":\"Isolated\",\"invert\":"
        "false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}"
        "]"
        "},\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\","
        "\"dropout\":null,\"unk_token\":null,\"fuse_unk\":false,\"vocab\":{\"a\":0,\"\\u00e9\":1,\"ab\":2,"
        "\"b\":3},\"merges\":[[\"a\",\"b\"]]}}";
    const char *path = in_scratch("tokenizer.json");
    check_truncations(path, text, open_tokenizer, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_are_cut_short_are_refused),
        cmocka_unit_test(files_with_other_values_are_read_or_refused),
        cmocka_unit_test(configurations_of_every_family_are_read_or_refused),
        cmocka_unit_test(tokenizers_are_read_or_refused),
        cmocka_unit_test(tokenizers_that_are_cut_short_are_refused),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
