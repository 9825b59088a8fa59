/*
 * Tuned objects as files: what is kept, what is refused.
 */
#include "prompts.h"

#include <math.h>

static const uint64_t shape[2] = {2, 4};
static const float values[8] = {0.5F, -1, 2, 3, 4, 5, 6, 7};

static void values_and_metadata_survive_writing(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *tuned =
        open_prompt(write_prompt("a", 2, -3, json_pack("{s:s, s:s}", "method", "prompt", "template", "{}")));
    assert_int_equal(pt_tuned_set_metadata(tuned, PT_KEY_BASE_NAME, "模型", &err), PT_OK);
    assert_int_equal(pt_tuned_set_metadata(tuned, PT_KEY_TEMPLATE, NULL, &err), PT_OK);
    prompt_of(tuned)->value[5] = 0.1F;
    save_prompt(tuned, in_scratch("b"));
    pt_tuned_free(tuned);

    tuned = open_prompt(in_scratch("b"));
    assert_string_equal(pt_tuned_metadata(tuned, PT_KEY_BASE_NAME), "模型");
    assert_null(pt_tuned_metadata(tuned, PT_KEY_TEMPLATE));
    assert_true(prompt_of(tuned)->value[4] == 1 && prompt_of(tuned)->value[5] == 0.1F);
    pt_tuned_free(tuned);
}

static void history_grows_by_streams_and_commands(void **state)
{
    (void)state;
    struct pt_error err = {0};
    json_t *entries = json_pack("[{s:s}, {s:s}]", "tool", "one", "tool", "two"), *history;
    struct pt_tuned *tuned = open_prompt(write_prompt("history", 1, 0, NULL));
    json_t *arguments = json_pack("[s, s]", "--seed", "7");
    assert_int_equal(pt_tuned_add_history(tuned, entries, &err), PT_OK);
    assert_int_equal(pt_tuned_add_history(tuned, NULL, &err), PT_OK);
    assert_int_equal(pt_tuned_add_command(tuned, "pt-x", arguments, &err), PT_OK);
    assert_int_equal(pt_tuned_metadata_json(tuned, PT_KEY_HISTORY, &history, &err), PT_OK);
    assert_int_equal(json_array_size(history), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(history, 1), "tool")), "two");
    assert_int_equal(json_array_size(json_object_get(json_array_get(history, 2), "arguments")), 2);
    json_decref(history);
    json_decref(entries);
    json_decref(arguments);
    assert_int_equal(pt_tuned_set_metadata(tuned, PT_KEY_HISTORY, "{}", &err), PT_OK);
    assert_int_equal(pt_tuned_add_history(tuned, NULL, &err), PT_BAD_INPUT);
    err = (struct pt_error){0};
    assert_int_equal(pt_tuned_set_metadata(tuned, PT_KEY_HISTORY, "[", &err), PT_OK);
    assert_int_equal(pt_tuned_add_history(tuned, NULL, &err), PT_BAD_INPUT);
    pt_tuned_free(tuned);
}

static void every_truncation_and_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    size_t n;
    char *bytes = read_file(
        write_prompt("whole", 2, 1, json_pack("{s:s, s:s}", "format", "pt", "method", "prompt")), &n);
    const char *path = in_scratch("damaged");
    for (size_t i = 0; i < n * 9; i++) {
        bool flip = i < n * 8;
        if (flip)
            bytes[i / 8] ^= (char)(1 << i % 8);
        write_file(path, bytes, flip ? n : i - n * 8);
        struct pt_error err = {0};
        struct pt_tuned *tuned;
        int status = pt_tuned_open(&tuned, path, NULL, false, &err);
        if (status != PT_BAD_INPUT && status != PT_MISMATCH)
            fail_msg("%s %zu: status %d: %s", flip ? "bit" : "length", flip ? i : i - n * 8, status,
                     err.message);
        if (flip)
            bytes[i / 8] ^= (char)(1 << i % 8);
    }
    free(bytes);
}

static void half_precision_prompts_are_widened(void **state)
{
    (void)state;
    const uint16_t bf16[4] = {0x3f80, 0xc000, 0x3e00, 0};
    write_tensor(in_scratch("bf16"), "prompt_embeddings", PT_BF16, 2, (uint64_t[]){1, 4}, bf16, NULL, false);
    struct pt_tuned *tuned = open_prompt(in_scratch("bf16"));
    const float *value = prompt_of(tuned)->value;
    assert_true(value[0] == 1 && value[1] == -2 && value[2] == 0.125F && value[3] == 0);
    pt_tuned_free(tuned);
}

static void values_that_are_not_finite_are_named(void **state)
{
    (void)state;
    float bad[8];
    const char *path = in_scratch("nan");
    memcpy(bad, values, sizeof bad);
    bad[6] = NAN;
    write_tensor(path, "prompt_embeddings", PT_F32, 2, shape, bad, NULL, false);
    refuses(path, NULL, PT_BAD_INPUT, "prompt_embeddings[1, 2] is nan");
    bad[6] = -INFINITY;
    write_tensor(path, "prompt_embeddings", PT_F32, 2, shape, bad, NULL, false);
    refuses(path, NULL, PT_BAD_INPUT, "prompt_embeddings[1, 2] is -inf");
}

static void other_tensors_are_no_prompt(void **state)
{
    (void)state;
    const char *path = in_scratch("other");
    write_tensor(path, "lora_A.weight", PT_F32, 2, shape, values, NULL, false);
    refuses(path, NULL, PT_MISMATCH, "lora_A.weight");
    write_tensor(path, "prompt_embeddings", PT_F32, 1, (uint64_t[]){8}, values, NULL, false);
    refuses(path, NULL, PT_MISMATCH, "[8]");
    write_tensor(path, "prompt_embeddings", PT_F32, 2, (uint64_t[]){0, 4}, values, NULL, false);
    refuses(path, NULL, PT_MISMATCH, "[0, 4]");
    write_tensor(path, "prompt_embeddings", PT_I32, 2, shape, values, NULL, false);
    refuses(path, NULL, PT_MISMATCH, "I32");
    write_tensor(path, "prompt_embeddings", PT_F32, 2, shape, values, json_pack("{s:s}", "method", "lora"),
                 true);
    refuses(path, NULL, PT_MISMATCH, "method 'lora' is not supported");
    refuses(in_scratch("absent"), NULL, PT_FAILED, "absent");
    refuses(scratch, NULL, PT_MISMATCH, "adapter_config.json");
    write_file(path, "not a tensor file at all", 24);
    refuses(path, NULL, PT_BAD_INPUT, "other");
    write_file(path, "", 0);
    refuses(path, NULL, PT_BAD_INPUT, "other");
}

/* With SGD a state has the tensors of a prompt and no others. */
static void states_are_no_prompts(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *tuned;
    const char *path = write_prompt("a-state", 2, 0, json_pack("{s:s}", "kind", "training-state"));
    refuses(path, NULL, PT_MISMATCH, "a-state: the state of a training run, not a prompt");
    assert_int_equal(pt_tuned_open(&tuned, path, NULL, true, &err), PT_MISMATCH);
    assert_non_null(strstr(err.hint, "--resume"));
    refuses(write_prompt("another", 2, 0, json_pack("{s:s}", "kind", "sketch")), NULL, PT_MISMATCH,
            "of kind 'sketch', not a prompt");
}

static void prompts_and_models_that_do_not_belong_together_are_refused(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_model *model;
    struct pt_tuned *tuned;
    float wide[2 * 64] = {0.5F};
    const char *path = in_scratch("fits"), *other = "00112233445566778899aabbccddeeff";
    assert_int_equal(pt_model_open(&model, REFERENCE "/model", &err), PT_OK);
    refuses(write_prompt("narrow", 2, 0, NULL), model, PT_MISMATCH, "hidden size");
    write_tensor(path, "prompt_embeddings", PT_F32, 2, (uint64_t[]){2, 64}, wide,
                 json_pack("{s:s}", PT_KEY_BASE_FINGERPRINT, other), true);
    refuses(path, model, PT_MISMATCH, other);
    refuses(path, model, PT_MISMATCH, pt_model_fingerprint(model).text);
    assert_int_equal(pt_tuned_open(&tuned, path, model, true, &err), PT_OK);
    assert_string_equal(pt_tuned_metadata(tuned, PT_KEY_BASE_FINGERPRINT), pt_model_fingerprint(model).text);
    assert_string_equal(pt_tuned_metadata(tuned, PT_KEY_BASE_NAME), "model");
    assert_string_equal(pt_tuned_metadata(tuned, PT_KEY_BASE_LAYERS), "3");
    pt_tuned_free(tuned);
    pt_model_close(model);
}

static void the_plug_is_the_parameter(void **state)
{
    (void)state;
    struct pt_error err = {0};
    const struct pt_plugs *plugs;
    struct pt_tuned *tuned = open_prompt(write_prompt("plug", 3, 0, NULL));
    assert_int_equal(pt_tuned_forward(tuned, &plugs, &err), PT_OK);
    assert_int_equal(plugs->rows.n, 3);
    assert_ptr_equal(plugs->rows.values, prompt_of(tuned)->value);
    assert_ptr_equal(plugs->rows.gradient, prompt_of(tuned)->gradient);
    assert_int_equal(plugs->n_keys + plugs->n_deltas + plugs->n_tensors, 0);
    assert_int_equal(pt_tuned_backward(tuned, &err), PT_OK);
    pt_tuned_free(tuned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_metadata_survive_writing),
        cmocka_unit_test(history_grows_by_streams_and_commands),
        cmocka_unit_test(every_truncation_and_every_flipped_bit_is_refused),
        cmocka_unit_test(half_precision_prompts_are_widened),
        cmocka_unit_test(values_that_are_not_finite_are_named),
        cmocka_unit_test(other_tensors_are_no_prompt),
        cmocka_unit_test(states_are_no_prompts),
        cmocka_unit_test(prompts_and_models_that_do_not_belong_together_are_refused),
        cmocka_unit_test(the_plug_is_the_parameter),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
