/*
 * Checkpoints as people have them, and broken ones.
 */
#include "model_folder.h"

#include "base/log.h"
#include "fmt/json.h"
#include "math/math.h"
#include "model/engine.h"
#include "model/model.h"

#include <math.h>

#define BLOOM REFERENCE "bloom/model"

enum { PARAMETERS = 1024 * 64 + 2 * 64 + 3 * (12 * 64 * 64 + 13 * 64) + 2 * 64 };

static struct pt_tensors reference; /* the reference model's tensors, opened once */
static struct folder folder;        /* a fresh one for each test, with the reference model's config.json */
static char logged[1024];
static int n_warnings;

static void keep_log(void *context, enum pt_log_level level, const char *line)
{
    (void)context;
    n_warnings += level == PT_LOG_WARNING;
    snprintf(logged, sizeof logged, "%s", line);
}

static int open_reference(void **state)
{
    (void)state;
    struct pt_error err = {0};
    pt_log_set_sink(keep_log, NULL);
    return pt_safetensors_open(&reference, BLOOM "/model.safetensors", &err);
}

static int close_reference(void **state)
{
    (void)state;
    pt_tensors_free(&reference);
    return 0;
}

static int start(void **state)
{
    (void)state;
    folder_make(&folder);
    folder_copy(&folder, BLOOM "/config.json", "config.json");
    logged[0] = 0;
    n_warnings = 0;
    return 0;
}

static int finish(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* A copy of the reference's tensors: all, or those from first to last. */
static void add_range(struct pt_tensors *set, size_t first, size_t last, const char *strip)
{
    struct pt_error err = {0};
    for (size_t i = first; i < last; i++) {
        const struct pt_tensor *t = &reference.tensors[i];
        const char *name = strncmp(t->name, strip, strlen(strip)) ? t->name : t->name + strlen(strip);
        assert_int_equal(pt_tensors_add(set, name, t->dtype, t->rank, t->shape, t->data, &err), 0);
    }
}

static void write_all(const char *name, const char *strip)
{
    struct pt_tensors set = {0};
    add_range(&set, 0, reference.n, strip);
    folder_write_tensors(&folder, name, &set);
    pt_tensors_free(&set);
}

static void expect_refusal(enum pt_status status, const char *named)
{
    struct pt_error err = {0};
    struct pt_model *model;
    assert_int_equal(pt_model_open(&model, folder.path, &err), status);
    assert_null(model);
    if (!strstr(err.message, named))
        fail_msg("\"%s\" does not name %s", err.message, named);
}

static void the_reference_model_opens_with_every_tensor(void **state)
{
    (void)state;
    struct pt_model *model = open_model(BLOOM);
    assert_string_equal(pt_model_name(model), BLOOM);
    assert_int_equal(pt_model_parameters(model), PARAMETERS);
    assert_int_equal(pt_model_dtype(model), PT_F32);
    assert_string_equal(pt_model_tensor_name(model, 2, PT_ATTENTION_OUT_WEIGHT),
                        "transformer.h.2.self_attention.dense.weight");
    assert_string_equal(pt_model_tensor_name(model, 0, PT_HEAD), "lm_head.weight");
    assert_ptr_equal(pt_model_tensor(model, 0, PT_HEAD), pt_model_tensor(model, 0, PT_EMBEDDING));
    assert_ptr_equal(pt_model_head(model), pt_model_tensor(model, 0, PT_EMBEDDING));
    for (unsigned layer = 0; layer < 3; layer++)
        for (enum pt_role role = 0; role < PT_ROLES; role++)
            assert_int_equal(pt_model_tensor(model, layer, role) != NULL,
                             pt_config_has_role(pt_model_config(model), role));
    const struct pt_tensor *up = pt_model_tensor(model, 1, PT_MLP_UP_WEIGHT);
    assert_int_equal(up->shape[0], 256);
    float row[64];
    pt_model_embedding(model, 1023, row);
    const struct pt_tensor *table = pt_tensors_find(&reference, "transformer.word_embeddings.weight");
    assert_memory_equal(row, (const float *)table->data + 1023 * 64, sizeof row);
    pt_model_close(model);
}

static void names_without_the_prefix_are_the_same_model(void **state)
{
    (void)state;
    struct pt_model *model = open_model(BLOOM);
    struct pt_fingerprint expected = pt_model_fingerprint(model);
    pt_model_close(model);
    assert_int_equal(strlen(expected.text), 32);

    write_all("model.safetensors", "transformer.");
    model = open_model(folder.path);
    assert_string_equal(pt_model_fingerprint(model).text, expected.text);
    assert_string_equal(pt_model_tensor_name(model, 0, PT_QKV_BIAS),
                        "transformer.h.0.self_attention.query_key_value.bias");
    pt_model_close(model);
}

static void one_changed_value_is_another_fingerprint(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_model *model = open_model(BLOOM);
    struct pt_fingerprint expected = pt_model_fingerprint(model);
    pt_model_close(model);
    struct pt_tensors set = {0};
    float bias[64] = {0};
    add_range(&set, 0, reference.n, "");
    for (size_t i = 0; i < set.n; i++)
        if (!strcmp(set.tensors[i].name, "transformer.ln_f.bias")) {
            memcpy(bias, set.tensors[i].data, sizeof bias);
            bias[63] += 1;
            set.tensors[i].data = bias;
        }
    folder_write_tensors(&folder, "model.safetensors", &set);
    pt_tensors_free(&set);
    model = open_model(folder.path);
    assert_string_not_equal(pt_model_fingerprint(model).text, expected.text);
    pt_model_close(model);
    assert_int_equal(err.status, 0);
}

static const char *const SHARDS[2] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};

/* Two shards, the second with `doubled` tensors of the first as well, and an index in which `leave_out` is
 * not listed. */
static void write_shards(size_t doubled, const char *leave_out)
{
    size_t half = reference.n / 2;
    struct pt_tensors first = {0}, second = {0};
    add_range(&first, 0, half, "");
    add_range(&second, half - doubled, reference.n, "");
    folder_write_tensors(&folder, SHARDS[0], &first);
    folder_write_tensors(&folder, SHARDS[1], &second);
    pt_tensors_free(&first);
    pt_tensors_free(&second);
    json_t *map = json_object();
    for (size_t i = 0; i < reference.n; i++)
        if (strcmp(reference.tensors[i].name, leave_out))
            json_object_set_new(map, reference.tensors[i].name, json_string(SHARDS[i >= half]));
    json_t *index = json_pack("{s:{s:i}, s:o}", "metadata", "total_size", 1, "weight_map", map);
    assert_int_equal(json_dump_file(index, folder_file(&folder, "model.safetensors.index.json"), 0), 0);
    json_decref(index);
}

static void shards_are_checked_against_their_index(void **state)
{
    (void)state;
    struct pt_model *model = open_model(BLOOM);
    struct pt_fingerprint expected = pt_model_fingerprint(model);
    pt_model_close(model);
    write_shards(0, "");
    model = open_model(folder.path);
    assert_string_equal(pt_model_fingerprint(model).text, expected.text);
    assert_int_equal(pt_model_parameters(model), PARAMETERS);
    pt_model_close(model);

    write_shards(1, "");
    expect_refusal(PT_BAD_INPUT, "listed in");
    write_shards(0, reference.tensors[3].name);
    expect_refusal(PT_BAD_INPUT, "not listed");
    write_shards(0, "");
    assert_int_equal(unlink(folder_file(&folder, SHARDS[1])), 0);
    expect_refusal(PT_BAD_INPUT, "is missing");
}

static void an_index_may_only_name_files_beside_it(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"weight_map\": {\"a\": \"../model.safetensors\"}}",
        "{\"weight_map\": {\"a\": \"/etc/passwd\"}}",
        "{\"weight_map\": {\"a\": 3}}",
        "{\"weight_map\": {}}",
        "{\"weight_map\": []}",
        "{}",
        "[]",
        "{\"weight_map\": {\"a\": \"\"}}",
    };
    for (size_t i = 0; i < N_OF(bad); i++) {
        folder_write(&folder, "model.safetensors.index.json", bad[i], strlen(bad[i]));
        expect_refusal(PT_BAD_INPUT, "index.json");
    }
}

static void a_tensor_in_the_index_that_no_shard_holds_is_missing(void **state)
{
    (void)state;
    write_all("model.safetensors-1", "");
    json_t *map = json_object();
    for (size_t i = 0; i < reference.n; i++)
        json_object_set_new(map, reference.tensors[i].name, json_string("model.safetensors-1"));
    json_object_set_new(map, "transformer.h.0.extra", json_string("model.safetensors-1"));
    json_t *index = json_pack("{s:o}", "weight_map", map);
    assert_int_equal(json_dump_file(index, folder_file(&folder, "model.safetensors.index.json"), 0), 0);
    json_decref(index);
    expect_refusal(PT_BAD_INPUT, "transformer.h.0.extra");
}

/* The reference's tensors with one more, or with one changed, or without one. */
static void write_changed(const char *without, const char *name, enum pt_dtype dtype, unsigned rank,
                          const uint64_t *shape, const void *data)
{
    struct pt_error err = {0};
    struct pt_tensors set = {0};
    for (size_t i = 0; i < reference.n; i++)
        if (strcmp(reference.tensors[i].name, without))
            add_range(&set, i, i + 1, "");
    if (name)
        assert_int_equal(pt_tensors_add(&set, name, dtype, rank, shape, data, &err), 0);
    folder_write_tensors(&folder, "model.safetensors", &set);
    pt_tensors_free(&set);
}

static void tensors_that_do_not_fit_are_refused_by_name(void **state)
{
    (void)state;
    static const float zeros[200 * 64];
    const char *bias = "transformer.h.1.mlp.dense_4h_to_h.bias",
               *weight = "transformer.h.1.self_attention.dense.weight";
    write_changed(bias, NULL, PT_F32, 0, NULL, NULL);
    expect_refusal(PT_BAD_INPUT, bias);
    write_changed(bias, bias, PT_F32, 1, (uint64_t[]){65}, zeros);
    expect_refusal(PT_MISMATCH, "[65]");
    write_changed(bias, bias, PT_F32, 2, (uint64_t[]){1, 64}, zeros);
    expect_refusal(PT_MISMATCH, bias);
    write_changed(weight, weight, PT_F32, 2, (uint64_t[]){64, 32}, zeros);
    expect_refusal(PT_MISMATCH, "[64, 32]");
    write_changed(bias, bias, PT_I32, 1, (uint64_t[]){64}, zeros);
    expect_refusal(PT_MISMATCH, "I32");
    write_changed(weight, weight, PT_F64, 2, (uint64_t[]){64, 64}, zeros);
    expect_refusal(PT_MISMATCH, "F64");
    write_changed("", "transformer.h.3.mlp.dense_4h_to_h.bias", PT_F32, 1, (uint64_t[]){64}, zeros);
    expect_refusal(PT_MISMATCH, "3 layers");
    write_changed("", "score.weight", PT_F32, 2, (uint64_t[]){2, 64}, zeros);
    expect_refusal(PT_MISMATCH, "score.weight");
    write_changed("", "h.1.mlp.dense_4h_to_h.bias", PT_F32, 1, (uint64_t[]){64}, zeros);
    expect_refusal(PT_BAD_INPUT, "twice");
}

static void buffers_of_old_files_are_left_out(void **state)
{
    (void)state;
    static const uint8_t mask[16];
    write_changed("", "transformer.h.0.self_attention.scale_mask_softmax.causal_mask", PT_BOOL, 2,
                  (uint64_t[]){4, 4}, mask);
    struct pt_model *model = open_model(folder.path), *plain = open_model(BLOOM);
    assert_int_equal(pt_model_parameters(model), PARAMETERS);
    assert_string_equal(pt_model_fingerprint(model).text, pt_model_fingerprint(plain).text);
    pt_model_close(model);
    pt_model_close(plain);
}

static void open_packed(const struct pt_model *model)
{
    struct pt_error err = {0};
    struct pt_math *math;
    struct pt_engine *engine;
    struct pt_engine_options options = {.pack = true};
    assert_int_equal(pt_math_open(&math, "f32:portable", PT_F32, &err), PT_OK);
    assert_int_equal(pt_engine_open(&engine, model, math, NULL, &options, &err), PT_OK);
    pt_engine_close(engine);
    pt_math_close(math);
}

static void a_stored_head_counts_only_where_it_differs(void **state)
{
    (void)state;
    const struct pt_tensor *table = pt_tensors_find(&reference, "transformer.word_embeddings.weight");
    float *head = malloc(table->n_bytes);
    memcpy(head, table->data, table->n_bytes);
    write_changed("", "lm_head.weight", PT_F32, 2, table->shape, head);
    struct pt_model *model = open_model(folder.path), *plain = open_model(BLOOM);
    assert_ptr_equal(pt_model_head(model), pt_model_tensor(model, 0, PT_EMBEDDING));
    assert_string_equal(logged, "");
    assert_int_equal(pt_model_parameters(model), PARAMETERS);
    assert_string_equal(pt_model_fingerprint(model).text, pt_model_fingerprint(plain).text);
    pt_model_close(model);

    head[table->n_elements / 2] += 1;
    write_changed("", "lm_head.weight", PT_F32, 2, table->shape, head);
    model = open_model(folder.path);
    assert_memory_equal(pt_model_head(model)->data, head, table->n_bytes);
    assert_non_null(strstr(logged, "lm_head.weight"));
    n_warnings = 0;
    open_packed(model);
    assert_int_equal(n_warnings, 1);
    pt_model_close(model);
    pt_model_close(plain);
    free(head);
}

static void an_untied_head_must_be_there(void **state)
{
    (void)state;
    static const char config[] = "{\"model_type\": \"bloom\", \"hidden_size\": 64, \"n_layer\": 3, "
                                 "\"n_head\": 4, \"vocab_size\": 1024,"
                                 "\"tie_word_embeddings\": false}";
    folder_write(&folder, "config.json", config, strlen(config));
    write_all("model.safetensors", "");
    expect_refusal(PT_BAD_INPUT, "lm_head.weight");
    const struct pt_tensor *table = pt_tensors_find(&reference, "transformer.word_embeddings.weight");
    write_changed("", "lm_head.weight", PT_F32, 2, table->shape, table->data);
    struct pt_model *model = open_model(folder.path);
    assert_int_equal(pt_model_parameters(model), PARAMETERS + 1024 * 64);
    assert_ptr_not_equal(pt_model_head(model), pt_model_tensor(model, 0, PT_EMBEDDING));
    pt_model_close(model);
}

static void a_folder_without_weights_or_configuration_is_refused(void **state)
{
    (void)state;
    expect_refusal(PT_BAD_INPUT, "model.safetensors");
    static const char cut[] = "{\"model_type\": \"bloom\"";
    folder_write(&folder, "config.json", cut, strlen(cut));
    expect_refusal(PT_BAD_INPUT, "config.json");
    static const char other[] = "{\"model_type\": \"mamba\"}";
    folder_write(&folder, "config.json", other, strlen(other));
    expect_refusal(PT_MISMATCH, "mamba");
}

static void a_pytorch_checkpoint_opens_whole_and_by_its_index(void **state)
{
    (void)state;
    struct pt_model *model = open_model("tests/data/tiny-bloom");
    assert_int_equal(pt_model_config(model)->n_layers, 5);
    assert_int_equal(pt_model_parameters(model), 1024 * 32 + 2 * 32 + 5 * (12 * 32 * 32 + 13 * 32) + 2 * 32);
    struct pt_fingerprint expected = pt_model_fingerprint(model);
    char names[5][PT_ROLES][96];
    for (unsigned layer = 0; layer < 5; layer++)
        for (enum pt_role role = 0; role < PT_ROLES; role++)
            strcpy(names[layer][role], pt_config_has_role(pt_model_config(model), role)
                                           ? pt_model_tensor_name(model, layer, role)
                                           : "");
    float row[32];
    pt_model_embedding(model, 5, row);
    double sum = 0;
    for (size_t i = 0; i < 32; i++)
        sum += fabs(row[i]);
    assert_true(sum > 0.01 && sum < 32);
    pt_model_close(model);
    folder_copy(&folder, "tests/data/tiny-bloom/config.json", "config.json");
    folder_copy(&folder, "tests/data/tiny-bloom/pytorch_model.bin", "pytorch_model-00001-of-00001.bin");
    json_t *map = json_object();
    for (unsigned layer = 0; layer < 5; layer++)
        for (enum pt_role role = layer ? PT_FIRST_LAYER_ROLE : 0; role < PT_ROLES; role++)
            if (*names[layer][role])
                json_object_set_new(map, names[layer][role], json_string("pytorch_model-00001-of-00001.bin"));
    json_t *index = json_pack("{s:o}", "weight_map", map);
    assert_int_equal(json_dump_file(index, folder_file(&folder, "pytorch_model.bin.index.json"), 0), 0);
    json_decref(index);
    struct pt_model *sharded = open_model(folder.path);
    assert_string_equal(pt_model_fingerprint(sharded).text, expected.text);
    pt_model_close(sharded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_reference_model_opens_with_every_tensor, start, finish),
        cmocka_unit_test_setup_teardown(names_without_the_prefix_are_the_same_model, start, finish),
        cmocka_unit_test_setup_teardown(one_changed_value_is_another_fingerprint, start, finish),
        cmocka_unit_test_setup_teardown(shards_are_checked_against_their_index, start, finish),
        cmocka_unit_test_setup_teardown(an_index_may_only_name_files_beside_it, start, finish),
        cmocka_unit_test_setup_teardown(a_tensor_in_the_index_that_no_shard_holds_is_missing, start, finish),
        cmocka_unit_test_setup_teardown(tensors_that_do_not_fit_are_refused_by_name, start, finish),
        cmocka_unit_test_setup_teardown(buffers_of_old_files_are_left_out, start, finish),
        cmocka_unit_test_setup_teardown(a_stored_head_counts_only_where_it_differs, start, finish),
        cmocka_unit_test_setup_teardown(an_untied_head_must_be_there, start, finish),
        cmocka_unit_test_setup_teardown(a_folder_without_weights_or_configuration_is_refused, start, finish),
        cmocka_unit_test_setup_teardown(a_pytorch_checkpoint_opens_whole_and_by_its_index, start, finish),
    };
    return cmocka_run_group_tests(tests, open_reference, close_reference);
}
