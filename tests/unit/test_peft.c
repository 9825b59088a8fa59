/*
 * PEFT's adapter folders, both ways.
 */
#include "prompts.h"

#include "tune/init.h"
#include "tune/method.h"
#include "tune/peft_writer.h"

#include <sys/stat.h>

static void same_file(const char *ours, const char *theirs)
{
    size_t n_ours, n_theirs;
    char *a = read_file(ours, &n_ours), *b = read_file(theirs, &n_theirs);
    if (n_ours != n_theirs || memcmp(a, b, n_ours))
        fail_msg("%s: %s\n%s: %s", ours, a, theirs, b);
    free(a);
    free(b);
}

static void write_adapter(struct pt_tuned *tuned, const char *path, const char *base_name)
{
    struct pt_error err = {0};
    if (pt_peft_write(tuned, path, base_name, &err))
        fail_msg("%s", err.message);
}

static const char *inside(const char *folder, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void an_initialised_prompt_becomes_the_files_that_peft_writes(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_model *model;
    struct pt_tuned *tuned;
    const struct pt_method *method;
    const struct pt_init init = {
        .kind = PT_INIT_TEXT, .text = "下面是一段人与机器人的对话。", .n_virtual = 11};
    const char *folder = in_scratch("from-text");
    assert_int_equal(pt_model_open(&model, REFERENCE "/model/", &err), PT_OK);
    assert_int_equal(pt_method_find(&method, "prompt", &err), PT_OK);
    assert_int_equal(pt_tuned_create(&tuned, method, &init, model, &err), PT_OK);
    write_adapter(tuned, folder, NULL);
    same_file(inside(folder, "adapter_config.json"), REFERENCE "/adapter-text-init/adapter_config.json");
    same_file(inside(folder, "adapter_model.safetensors"),
              REFERENCE "/adapter-text-init/adapter_model.safetensors");
    pt_tuned_free(tuned);
    pt_model_close(model);
}

static void adapters_go_through_our_file_unchanged(void **state)
{
    (void)state;
    static const char *const names[] = {"adapter-text-init", "adapter-trained"};
    for (size_t i = 0; i < N_OF(names); i++) {
        const char *ours = in_scratch("ours"), *folder = in_scratch(names[i]);
        char original[128], other[256];
        snprintf(original, sizeof original, REFERENCE "/%s", names[i]);
        struct pt_tuned *tuned = open_prompt(original);
        save_prompt(tuned, ours);
        pt_tuned_free(tuned);
        tuned = open_prompt(ours);
        write_adapter(tuned, folder, NULL);
        pt_tuned_free(tuned);
        for (int j = 0; j < 2; j++) {
            const char *name = j ? "adapter_config.json" : "adapter_model.safetensors";
            snprintf(other, sizeof other, "%s/%s", original, name);
            same_file(inside(folder, name), other);
        }
    }
}

static void the_base_gets_the_name_that_is_asked_for(void **state)
{
    (void)state;
    size_t n;
    struct pt_tuned *tuned = open_prompt(REFERENCE "/adapter-text-init");
    const char *folder = in_scratch("named");
    write_adapter(tuned, folder, "someone/\"模\xf0\x9f\x98\x80");
    pt_tuned_free(tuned);
    char *config = read_file(inside(folder, "adapter_config.json"), &n);
    assert_non_null(strstr(config, "\"base_model_name_or_path\": \"someone/\\\"\\u6a21\\ud83d\\ude00\""));
    assert_non_null(strstr(config, "\"tokenizer_name_or_path\": \"someone/\\\"\\u6a21\\ud83d\\ude00\""));
    free(config);
    char *card = read_file(inside(folder, "README.md"), &n);
    assert_non_null(strstr(card, "base_model: \"someone/\\\"模\xf0\x9f\x98\x80\"\n"));
    free(card);
}

static void archives_of_adapters_are_read(void **state)
{
    (void)state;
    struct pt_tuned *tuned = open_prompt(REFERENCE "/adapter-trained");
    const char *archive = in_scratch("adapter.tar");
    write_adapter(tuned, archive, NULL);
    struct pt_tuned *again = open_prompt(archive);
    assert_memory_equal(prompt_of(tuned)->value, prompt_of(again)->value,
                        prompt_of(tuned)->n * sizeof(float));
    assert_string_equal(pt_tuned_metadata(again, PT_KEY_BASE_HEADS), "4");
    pt_tuned_free(tuned);
    pt_tuned_free(again);
}

static void pickled_adapters_hold_the_same_numbers(void **state)
{
    (void)state;
    struct pt_tuned *tuned = open_prompt(REFERENCE "/adapter-trained"),
                    *pickled = open_prompt(REFERENCE "/adapter-pickled");
    assert_memory_equal(prompt_of(tuned)->value, prompt_of(pickled)->value,
                        prompt_of(tuned)->n * sizeof(float));
    assert_string_equal(pt_tuned_metadata(pickled, PT_KEY_BASE_NAME), "model");
    pt_tuned_free(tuned);
    pt_tuned_free(pickled);
}

/* What PEFT's prompts for language models have in common. */
#define PROMPT_TUNING "\"peft_type\": \"PROMPT_TUNING\", \"task_type\": \"CAUSAL_LM\""

/* An adapter folder with this configuration and a good prompt in it. */
static const char *adapter(const char *config)
{
    const char *folder = in_scratch("adapter");
    char path[512];
    mkdir(folder, 0777);
    const float values[4] = {0};
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", folder);
    write_tensor(path, "prompt_embeddings", PT_F32, 2, (uint64_t[]){1, 4}, values, NULL, false);
    write_file(inside(folder, "adapter_config.json"), config, strlen(config));
    return folder;
}

static void configurations_are_read_leniently_but_not_blindly(void **state)
{
    (void)state;
    pt_tuned_free(open_prompt(adapter("{" PROMPT_TUNING "}")));
    pt_tuned_free(open_prompt(adapter("{" PROMPT_TUNING ", \"news\": [1], \"num_layers\": null}")));
    refuses(adapter("{\"peft_type\": \"LORA\"}"), NULL, PT_MISMATCH, "method 'LORA' is not supported");
    refuses(adapter("{\"peft_type\": \"PREFIX_TUNING\"}"), NULL, PT_MISMATCH, "PREFIX_TUNING");
    refuses(adapter("{" PROMPT_TUNING ", \"num_transformer_submodules\": 2}"), NULL, PT_MISMATCH, "causal");
    pt_tuned_free(open_prompt(adapter("{" PROMPT_TUNING ", \"num_virtual_tokens\": 1, \"token_dim\": 4}")));
    refuses(adapter("{" PROMPT_TUNING ", \"num_virtual_tokens\": 7}"), NULL, PT_BAD_INPUT,
            "num_virtual_tokens is 7, but the tensor has 1");
    refuses(adapter("{" PROMPT_TUNING ", \"token_dim\": \"4\"}"), NULL, PT_BAD_INPUT, "token_dim");
    refuses(adapter("{}"), NULL, PT_BAD_INPUT, "peft_type");
    refuses(adapter("[]"), NULL, PT_BAD_INPUT, "object");
    refuses(adapter("{\"peft_type\": 1}"), NULL, PT_BAD_INPUT, "peft_type");
    refuses(adapter("{" PROMPT_TUNING ", \"num_layers\": -1}"), NULL, PT_BAD_INPUT, "num_layers");
    refuses(adapter("{\"peft_type\": "), NULL, PT_BAD_INPUT, "adapter_config.json");
    refuses(adapter(""), NULL, PT_BAD_INPUT, "adapter_config.json");
}

static size_t allocations_left;

static void *allocate(size_t n)
{
    return allocations_left ? allocations_left--, malloc(n) : NULL;
}

/* Wherever memory for JSON runs out, writing fails, and where it does not all of the adapter is there. */
static void no_adapter_lacks_anything_where_memory_runs_out(void **state)
{
    (void)state;
    static const char *const originals[] = {REFERENCE "/adapter-text-init", REFERENCE "/adapter-trained"};
    for (size_t i = 0; i < N_OF(originals); i++) {
        const char *folder = in_scratch(i ? "scarce-trained" : "scarce-text");
        int status = PT_FAILED;
        for (size_t n = 0; status; n++) {
            struct pt_error err = {0};
            struct pt_tuned *tuned = open_prompt(originals[i]);
            allocations_left = n;
            json_set_alloc_funcs(allocate, free);
            status = pt_peft_write(tuned, folder, "model", &err);
            json_set_alloc_funcs(malloc, free);
            assert_true(n < 1000);
            pt_tuned_free(tuned);
        }
        for (int j = 0; j < 2; j++) {
            const char *name = j ? "adapter_config.json" : "adapter_model.safetensors";
            char original[256];
            snprintf(original, sizeof original, "%s/%s", originals[i], name);
            same_file(inside(folder, name), original);
        }
    }
}

/* PEFT loads these and then leaves the prompt out, or hands it to a classifier. */
static void adapters_of_other_tasks_are_refused_by_name(void **state)
{
    (void)state;
    refuses(adapter("{\"peft_type\": \"PROMPT_TUNING\"}"), NULL, PT_MISMATCH, "task_type is null");
    refuses(adapter("{\"peft_type\": \"PROMPT_TUNING\", \"task_type\": null}"), NULL, PT_MISMATCH,
            "adapter_config.json: task_type is null");
    refuses(adapter("{\"peft_type\": \"PROMPT_TUNING\", \"task_type\": \"SEQ_CLS\"}"), NULL, PT_MISMATCH,
            "task_type is SEQ_CLS");
    refuses(adapter("{\"peft_type\": \"PROMPT_TUNING\", \"task_type\": 1}"), NULL, PT_BAD_INPUT, "task_type");
}

static void a_folder_without_tensors_is_malformed(void **state)
{
    (void)state;
    const char *folder = adapter("{" PROMPT_TUNING "}");
    remove(inside(folder, "adapter_model.safetensors"));
    refuses(folder, NULL, PT_BAD_INPUT, "adapter_model.safetensors");
}

static void paths_of_other_machines_are_cut(void **state)
{
    (void)state;
    struct pt_tuned *tuned = open_prompt(
        adapter("{" PROMPT_TUNING ", \"base_model_name_or_path\": \"/home/someone/models/bloom\"}"));
    assert_string_equal(pt_tuned_metadata(tuned, PT_KEY_BASE_NAME), "bloom");
    pt_tuned_free(tuned);
    tuned =
        open_prompt(adapter("{" PROMPT_TUNING ", \"base_model_name_or_path\": \"bigscience/bloom-560m\"}"));
    assert_string_equal(pt_tuned_metadata(tuned, PT_KEY_BASE_NAME), "bigscience/bloom-560m");
    pt_tuned_free(tuned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_initialised_prompt_becomes_the_files_that_peft_writes),
        cmocka_unit_test(adapters_go_through_our_file_unchanged),
        cmocka_unit_test(the_base_gets_the_name_that_is_asked_for),
        cmocka_unit_test(archives_of_adapters_are_read),
        cmocka_unit_test(pickled_adapters_hold_the_same_numbers),
        cmocka_unit_test(configurations_are_read_leniently_but_not_blindly),
        cmocka_unit_test(no_adapter_lacks_anything_where_memory_runs_out),
        cmocka_unit_test(adapters_of_other_tasks_are_refused_by_name),
        cmocka_unit_test(a_folder_without_tensors_is_malformed),
        cmocka_unit_test(paths_of_other_machines_are_cut),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
