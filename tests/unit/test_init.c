/*
 * First values against PEFT's.
 *
 * The numbers came from torch 2.13, transformers 5.23 and peft 0.21.2:
 *
 *     base = AutoModelForCausalLM.from_pretrained("tests/data/reference/bloom/model")
 *     torch.manual_seed(SEED)
 *     model = get_peft_model(base, PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=N,
 *                                                     prompt_tuning_init="RANDOM"))      # or "SAMPLE_VOCAB"
 *     p = model.prompt_encoder["default"].embedding.weight.detach()
 *     print(p.flatten()[[0, 1, 7, 8, 63, 64, -17, -16, -1]].tolist())                    # RANDOM
 *     table = base.get_input_embeddings().weight.detach()
 *     print([int((table - row).abs().sum(1).argmin()) for row in p])                     # SAMPLE_VOCAB
 */
#include "prompts.h"

#include "tune/init.h"
#include "tune/method.h"

#include <math.h>

static struct pt_model *model;

static int open_model(void **state)
{
    struct pt_error err = {0};
    return pt_model_open(&model, REFERENCE "/model", &err) || make_scratch(state);
}

static int close_model(void **state)
{
    pt_model_close(model);
    return remove_scratch(state);
}

static struct pt_tuned *init(struct pt_init settings)
{
    struct pt_error err = {0};
    const struct pt_method *method;
    struct pt_tuned *tuned;
    assert_int_equal(pt_method_find(&method, "prompt", &err), PT_OK);
    if (pt_tuned_create(&tuned, method, &settings, model, &err))
        fail_msg("%s", err.message);
    return tuned;
}

static void text_equals_pefts_file(void **state)
{
    (void)state;
    struct pt_tuned *ours =
        init((struct pt_init){.kind = PT_INIT_TEXT, .text = "下面是一段人与机器人的对话。", .n_virtual = 11});
    struct pt_tuned *theirs = open_prompt(REFERENCE "/adapter-text-init");
    assert_int_equal(prompt_of(ours)->n, prompt_of(theirs)->n);
    assert_memory_equal(prompt_of(ours)->value, prompt_of(theirs)->value, prompt_of(ours)->n * sizeof(float));
    assert_int_equal(strlen(pt_tuned_metadata(ours, PT_KEY_TOKENIZER_FINGERPRINT)), 32);
    pt_tuned_free(ours);
    pt_tuned_free(theirs);
}

static void text_is_repeated_or_cut(void **state)
{
    (void)state;
    const char *text = "下面是一段人与机器人的对话。";
    struct pt_tuned *whole = init((struct pt_init){.kind = PT_INIT_TEXT, .text = text});
    struct pt_tuned *cut = init((struct pt_init){.kind = PT_INIT_TEXT, .text = text, .n_virtual = 3});
    size_t n = prompt_of(whole)->n;
    struct pt_tuned *repeated =
        init((struct pt_init){.kind = PT_INIT_TEXT, .text = text, .n_virtual = n / 64 * 2 + 1});
    assert_true(n > 3 * 64);
    assert_int_equal(prompt_of(cut)->n, 3 * 64);
    assert_int_equal(prompt_of(repeated)->n, 2 * n + 64);
    assert_memory_equal(prompt_of(cut)->value, prompt_of(whole)->value, 3 * 64 * sizeof(float));
    for (size_t i = 0; i < prompt_of(repeated)->n; i++)
        assert_true(prompt_of(repeated)->value[i] == prompt_of(whole)->value[i % n]);
    pt_tuned_free(whole);
    pt_tuned_free(cut);
    pt_tuned_free(repeated);
}

static void rows_of_the_vocabulary_are_pefts(void **state)
{
    (void)state;
    static const uint32_t six[] = {36, 159, 1018, 1014, 8, 232}; /* seed 42 */
    static const uint32_t twenty[] = {217, 543, 809, 874, 88,  590, 569, 995, 335, 522,
                                      417, 74,  639, 234, 304, 475, 812, 49,  29,  799}; /* seed 7 */
    for (int i = 0; i < 2; i++) {
        struct pt_tuned *tuned =
            init((struct pt_init){.kind = PT_INIT_VOCAB, .seed = i ? 7 : 42, .n_virtual = i ? 0 : N_OF(six)});
        const struct pt_parameter *prompt = prompt_of(tuned);
        assert_int_equal(prompt->shape[0], i ? N_OF(twenty) : N_OF(six));
        for (size_t j = 0; j < prompt->shape[0]; j++) {
            float row[64];
            pt_model_embedding(model, i ? twenty[j] : six[j], row);
            assert_memory_equal(prompt->value + j * 64, row, sizeof row);
        }
        pt_tuned_free(tuned);
    }
}

static void random_values_are_pefts(void **state)
{
    (void)state;
    static const int places[] = {0, 1, 7, 8, 63, 64, -17, -16, -1};
    static const struct {
        uint64_t n, seed;
        double values[N_OF(places)];
    } cases[] = {
        {6,
         42,
         {1.9269152879714966, 1.4872840642929077, -1.6046669483184814, -0.7521352767944336,
          1.3835493326187134, 1.4451338052749634, 1.8868111371994019, -0.21844321489334106,
          -0.35945725440979004}},
        {20,
         7,
         {-0.8201345205307007, 0.39563116431236267, -0.8936554193496704, 0.9265429973602295,
          0.7541925311088562, 0.13323980569839478, -0.9992974996566772, -1.146154522895813,
          0.07133566588163376}},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct pt_tuned *tuned = init((struct pt_init){
            .kind = PT_INIT_RANDOM, .std = 1, .seed = cases[i].seed, .n_virtual = cases[i].n});
        const struct pt_parameter *prompt = prompt_of(tuned);
        for (size_t j = 0; j < N_OF(places); j++) {
            double value = (double)prompt->value[places[j] < 0 ? (int)prompt->n + places[j] : places[j]];
            assert_true(value == cases[i].values[j]);
        }
        pt_tuned_free(tuned);
    }
}

static void the_deviation_scales(void **state)
{
    (void)state;
    struct pt_tuned *one = init((struct pt_init){.kind = PT_INIT_RANDOM, .std = 1, .seed = 42});
    struct pt_tuned *half = init((struct pt_init){.kind = PT_INIT_RANDOM, .std = 0.5, .seed = 42});
    assert_int_equal(prompt_of(one)->n, 20 * 64);
    for (size_t i = 0; i < prompt_of(one)->n; i++)
        assert_true(prompt_of(half)->value[i] == prompt_of(one)->value[i] / 2);
    pt_tuned_free(one);
    pt_tuned_free(half);
}

static void a_file_keeps_what_it_knows_but_its_init(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *first = init((struct pt_init){.kind = PT_INIT_TEXT, .text = "abc"}), *second;
    const char *path = in_scratch("first");
    uint64_t n = prompt_of(first)->shape[0];
    save_prompt(first, path);
    assert_int_equal(pt_init_from(&second, path, n + 1, model, false, &err), PT_MISMATCH);
    err = (struct pt_error){0};
    assert_int_equal(pt_init_from(&second, path, n, model, false, &err), PT_OK);
    assert_memory_equal(prompt_of(first)->value, prompt_of(second)->value,
                        prompt_of(first)->n * sizeof(float));
    assert_string_equal(pt_tuned_metadata(second, PT_KEY_TOKENIZER_FINGERPRINT),
                        pt_tuned_metadata(first, PT_KEY_TOKENIZER_FINGERPRINT));
    assert_string_equal(pt_tuned_metadata(second, PT_KEY_INIT), "{\"kind\":\"from\"}");
    pt_tuned_free(first);
    pt_tuned_free(second);
}

/* A row of the vocabulary that is not finite is no prompt: it is named, not written. */
static void a_row_that_is_not_finite_is_refused(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tensors set;
    const struct pt_method *method;
    const char *folder = in_scratch("broken"), *weights = in_scratch("broken/model.safetensors");
    char command[512];
    snprintf(command, sizeof command, "cp -r '%s' '%s'", REFERENCE "/model", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(pt_safetensors_open(&set, REFERENCE "/model/model.safetensors", &err), PT_OK);
    struct pt_sink *sink;
    for (size_t i = 0; i < set.n; i++)
        if (!strcmp(set.tensors[i].name, "transformer.word_embeddings.weight")) {
            float *changed = malloc(set.tensors[i].n_bytes);
            memcpy(changed, set.tensors[i].data, set.tensors[i].n_bytes);
            changed[159 * 64 + 3] = NAN; /* of six rows that seed 42 draws the second one */
            set.tensors[i].data = changed;
            assert_int_equal(pt_tensors_keep(&set, changed, &err), PT_OK);
        }
    assert_int_equal(pt_sink_open(&sink, weights, &err), PT_OK);
    assert_int_equal(pt_safetensors_write(sink, &set, false, &err), PT_OK);
    assert_int_equal(pt_sink_commit(sink, &err), PT_OK);
    pt_tensors_free(&set);
    struct pt_model *broken;
    struct pt_tuned *tuned;
    const struct pt_init other = {.kind = PT_INIT_VOCAB, .seed = 7},
                         six = {.kind = PT_INIT_VOCAB, .seed = 42, .n_virtual = 6};
    assert_int_equal(pt_model_open(&broken, folder, &err), PT_OK);
    assert_int_equal(pt_method_find(&method, "prompt", &err), PT_OK);
    assert_int_equal(pt_tuned_create(&tuned, method, &other, broken, &err), PT_OK);
    pt_tuned_free(tuned);
    assert_int_equal(pt_tuned_create(&tuned, method, &six, broken, &err), PT_BAD_INPUT);
    assert_non_null(strstr(err.message, "transformer.word_embeddings.weight: row 159 is not finite"));
    pt_model_close(broken);
}

static void methods_that_are_not_there_are_refused_by_name(void **state)
{
    (void)state;
    struct pt_error err = {0};
    const struct pt_method *method;
    assert_int_equal(pt_method_find(&method, "lora", &err), PT_MISMATCH);
    assert_string_equal(err.message, "method 'lora' is not supported");
    assert_string_equal(err.hint, "supported: prompt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_equals_pefts_file),
        cmocka_unit_test(text_is_repeated_or_cut),
        cmocka_unit_test(rows_of_the_vocabulary_are_pefts),
        cmocka_unit_test(random_values_are_pefts),
        cmocka_unit_test(the_deviation_scales),
        cmocka_unit_test(a_file_keeps_what_it_knows_but_its_init),
        cmocka_unit_test(a_row_that_is_not_finite_is_refused),
        cmocka_unit_test(methods_that_are_not_there_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
