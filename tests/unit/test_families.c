/*
 * Every family's folder: counts, and configurations that differ from it in one field.
 */
#include "model_folder.h"
#include "reference.h"

#include "fmt/json.h"

/* As transformers counts them: sum(p.numel() for p in model.parameters()). */
static const struct {
    const char *folder;
    uint64_t parameters;
} counted[] = {
    {"bloom-6heads", 322368}, {"bloom", 215744},        {"falcon-alibi", 137952},  {"falcon-new", 140160},
    {"falcon", 139776},       {"falcon2", 100736},      {"gemma", 121280},         {"gemma2", 121664},
    {"gemma3", 121808},       {"gpt2", 232000},         {"gpt2-gelu", 85440},      {"gpt_neox-fast", 79296},
    {"gpt_neox-seq", 206400}, {"gpt_neox", 244000},     {"llama-dynamic", 113088}, {"llama-linear", 113088},
    {"llama-yarn", 113088},   {"llama", 223680},        {"llama3", 158144},        {"mistral", 223680},
    {"opt-postnorm", 157248}, {"opt", 194976},          {"opt-gelu", 85568},       {"phi3-partial", 102848},
    {"phi3", 113088},         {"qwen2-window", 113472}, {"qwen2", 158528},         {"qwen3", 176720},
    {"starcoder2", 85920},
};

static void parameters_are_counted_as_transformers_counts_them(void **state)
{
    (void)state;
    assert_int_equal(N_OF(counted), N_OF(reference_folders));
    for (size_t i = 0; i < N_OF(counted); i++) {
        struct pt_model *model = open_model(reference_file(counted[i].folder, ""));
        assert_int_equal(pt_model_parameters(model), counted[i].parameters);
        pt_model_close(model);
    }
}

static json_t *config_of(const char *folder)
{
    json_t *object;
    struct pt_error err = {0};
    assert_int_equal(pt_json_load(&object, reference_file(folder, "config.json"), &err), 0);
    return object;
}

/* The folder's configuration with one field set to a JSON text, or, where the text is NULL, without it. */
static json_t *changed(const char *folder, const char *key, const char *value)
{
    json_t *object = config_of(folder), *field = NULL;
    struct pt_error err = {0};
    if (value) {
        assert_int_equal(pt_json_parse(&field, value, strlen(value), key, &err), 0);
        assert_int_equal(json_object_set_new(object, key, field), 0);
    } else {
        assert_int_equal(json_object_del(object, key), 0);
    }
    return object;
}

static enum pt_status parse_changed(const char *folder, const char *key, const char *value,
                                    struct pt_config *config, struct pt_error *err)
{
    json_t *object = changed(folder, key, value);
    *err = (struct pt_error){0};
    int status = pt_config_parse(config, object, "config.json", err);
    json_decref(object);
    assert_int_equal(status, err->status);
    return err->status;
}

/* As transformers and others name them; whichever of the keys a family does not read is not known to it. */
static void other_activations_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const keys[] = {"hidden_act", "hidden_activation", "activation_function",
                                       "activation"},
                             *const values[] = {"\"quick_gelu\"", "\"gelu_10\"", "\"relu2\"", "\"mish\"",
                                                "\"tanh\"",       "\"swiglu\"",  "\"\"",      "3",
                                                "[\"gelu\"]",     "{}"};
    struct pt_config config;
    struct pt_error err;
    for (size_t f = 0; f < N_OF(reference_folders); f++)
        for (size_t k = 0; k < N_OF(keys); k++)
            for (size_t v = 0; v < N_OF(values); v++) {
                assert_int_equal(parse_changed(reference_folders[f], keys[k], values[v], &config, &err),
                                 PT_MISMATCH);
                assert_non_null(strstr(err.message, keys[k]));
            }
}

/* In an otherwise good configuration; the folder holds nothing else, so that a refusal comes before the
 * weights are looked for. */
static void one_field_that_changes_the_numbers_is_refused_before_any_work(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *named;
    } changes[] = {
        {"num_local_experts", "8", NULL},
        {"num_experts", "8", NULL},
        {"n_routed_experts", "64", NULL},
        {"num_experts_per_tok", "2", NULL},
        {"moe_intermediate_size", "64", NULL},
        {"router_aux_loss_coef", "0.01", NULL},
        {"quantization_config", "{\"bits\": 4}", NULL},
        {"quantization_config", "{}", NULL},
        {"compression_config", "{\"format\": \"dense\"}", NULL},
        {"auto_map", "{\"AutoModelForCausalLM\": \"modeling_x.X\"}", NULL},
        {"auto_map", "{\"AutoModelForCausalLM\": 1}", NULL},
        {"auto_map", "{\"AutoConfig\": \"configuration_x.XConfig\"}", NULL},
        {"auto_map", "{\"AutoTokenizer\": [null, \"tokenization_x.XTokenizer\"]}", NULL},
        {"auto_map", "\"modeling_x.X\"", NULL},
        {"is_encoder_decoder", "true", NULL},
        {"is_encoder", "true", NULL},
        {"add_cross_attention", "true", NULL},
        {"pruned_heads", "{\"0\": [1]}", NULL},
        {"a_field_of_tomorrow", "1", NULL},
        {"a_field_of_tomorrow", "false", NULL},
        {"logit_scale", "0.0625", NULL},
        {"embedding_multiplier", "12.0", NULL},
        {"clip_qkv", "8.0", NULL},
        {"vision_config", "{}", NULL},
        {"model_type", "\"mixtral\"", "mixtral"},
        {"model_type", "\"bert\"", "bert"},
        {"architectures", "[\"OtherForCausalLM\"]", "OtherForCausalLM"},
    };
    struct pt_error err;
    struct folder folder;
    folder_make(&folder);
    for (size_t f = 0; f < N_OF(reference_folders); f++)
        for (size_t c = 0; c < N_OF(changes); c++) {
            struct pt_model *model;
            json_t *object = changed(reference_folders[f], changes[c].key, changes[c].value);
            assert_int_equal(json_dump_file(object, folder_file(&folder, "config.json"), 0), 0);
            json_decref(object);
            err = (struct pt_error){0};
            const char *named = changes[c].named ? changes[c].named : changes[c].key;
            if (pt_model_open(&model, folder.path, &err) != PT_MISMATCH || !strstr(err.message, named))
                fail_msg("%s with \"%s\": %s: %d, %s", reference_folders[f], changes[c].key, changes[c].value,
                         (int)err.status, err.message);
        }
    folder_remove(&folder);
}

/* As in checkpoints that people have: they name files that transformers has itself by now. */
static void code_that_transformers_has_itself_is_no_reason_to_refuse(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *key, *value;
    } real[] = {
        {"phi3", "auto_map",
         "{\"AutoConfig\": \"configuration_phi3.Phi3Config\","
         " \"AutoModelForCausalLM\": \"modeling_phi3.Phi3ForCausalLM\"}"},
        {"falcon-new", "auto_map",
         "{\"AutoConfig\": \"tiiuae/falcon-40b--configuration_falcon.FalconConfig\","
         " \"AutoModel\": \"modeling_falcon.FalconModel\","
         " \"AutoModelForCausalLM\": \"tiiuae/falcon-40b--modeling_falcon.FalconForCausalLM\"}"},
        {"gemma3", "auto_map", "{\"AutoConfig\": \"configuration_gemma3.Gemma3TextConfig\"}"},
        {"gpt2", "auto_map", "{\"AutoModelForSequenceClassification\": \"modeling_x.XForSequences\"}"},
        {"gpt2", "auto_map", "null"},
        {"opt-gelu", "learned_embeddings", "true"},
        {"opt-gelu", "scale_embeddings", "false"},
        {"gpt_neox", "custom_pipelines", "{\"text-generation\": {\"impl\": \"pipeline.X\"}}"},
        {"falcon-new", "ff_factor", "4"},
    };
    struct pt_config config;
    struct pt_error err;
    for (size_t i = 0; i < N_OF(real); i++)
        if (parse_changed(real[i].folder, real[i].key, real[i].value, &config, &err))
            fail_msg("%s with \"%s\": %s: %s", real[i].folder, real[i].key, real[i].value, err.message);
    assert_int_equal(parse_changed("falcon-new", "ff_factor", "8", &config, &err), PT_MISMATCH);
}

/* Sizes that the tensors do not have, up to the largest: no product of them wraps round to what fits. */
static void sizes_that_the_weights_do_not_have_are_refused(void **state)
{
    (void)state;
    static const char *const keys[] = {"vocab_size",
                                       "hidden_size",
                                       "n_embd",
                                       "intermediate_size",
                                       "ffn_dim",
                                       "n_inner",
                                       "ffn_hidden_size",
                                       "num_hidden_layers",
                                       "n_layer",
                                       "head_dim",
                                       "num_key_value_heads"},
                             *const values[] = {
                                 "1",          "1024",       "1048576",    "4194304",
                                 "2147483647", "2147483648", "4294967360", "9223372036854775807"};
    struct folder folder;
    folder_make(&folder);
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        json_t *original = config_of(reference_folders[f]);
        folder_copy(&folder, reference_file(reference_folders[f], "model.safetensors"), "model.safetensors");
        for (size_t k = 0; k < N_OF(keys); k++)
            for (size_t v = 0; json_object_get(original, keys[k]) && v < N_OF(values); v++) {
                struct pt_error err = {0};
                struct pt_model *model;
                json_t *object = changed(reference_folders[f], keys[k], values[v]);
                bool same = json_equal(object, original);
                assert_int_equal(json_dump_file(object, folder_file(&folder, "config.json"), 0), 0);
                json_decref(object);
                int status = pt_model_open(&model, folder.path, &err);
                if (same ? status != PT_OK : status != PT_MISMATCH && status != PT_BAD_INPUT)
                    fail_msg("%s with \"%s\": %s: %d, %s", reference_folders[f], keys[k], values[v], status,
                             err.message);
                pt_model_close(model);
            }
        json_decref(original);
    }
    folder_remove(&folder);
}

struct change {
    const char *folder, *key, *value;
    enum pt_status status;
};

static void check_changes(const struct change *changes, size_t n)
{
    struct pt_config config;
    struct pt_error err;
    for (size_t c = 0; c < n; c++)
        if (parse_changed(changes[c].folder, changes[c].key, changes[c].value, &config, &err) !=
            changes[c].status)
            fail_msg("%s with \"%s\": %s: %d, %s", changes[c].folder, changes[c].key, changes[c].value,
                     err.status, err.message);
}

static void fields_of_a_family_are_refused_where_no_numbers_were_compared(void **state)
{
    (void)state;
    static const struct change changes[] = {
        {"llama", "hidden_act", "\"gelu\"", PT_MISMATCH},
        {"llama", "attention_bias", "true", PT_MISMATCH},
        {"llama", "mlp_bias", "true", PT_MISMATCH},
        {"llama", "num_key_value_heads", "3", PT_BAD_INPUT},
        {"llama", "num_hidden_layers", "1025", PT_BAD_INPUT},
        {"llama", "intermediate_size", "null", PT_BAD_INPUT},
        {"mistral", "sliding_window", "\"wide\"", PT_BAD_INPUT},
        {"qwen2", "hidden_act", "\"relu\"", PT_MISMATCH},
        {"qwen2", "layer_types", "[\"full_attention\"]", PT_BAD_INPUT},
        {"qwen2", "layer_types", "[\"full_attention\", \"full_attention\", \"linear_attention\"]",
         PT_MISMATCH},
        {"qwen2", "layer_types", "[\"full_attention\", \"full_attention\", \"sliding_attention\"]",
         PT_BAD_INPUT},
        {"qwen3", "attention_bias", "true", PT_MISMATCH},
        {"gpt2", "activation_function", "\"relu\"", PT_MISMATCH},
        {"gpt2", "scale_attn_weights", "false", PT_MISMATCH},
        {"gpt2", "scale_attn_by_inverse_layer_idx", "true", PT_MISMATCH},
        {"gpt_neox", "hidden_act", "\"relu\"", PT_MISMATCH},
        {"gpt_neox", "attention_bias", "false", PT_MISMATCH},
        {"opt", "activation_function", "\"gelu_new\"", PT_MISMATCH},
        {"opt", "word_embed_proj_dim", "32", PT_MISMATCH},
        {"opt", "_remove_final_layer_norm", "true", PT_MISMATCH},
        {"opt", "enable_bias", "false", PT_MISMATCH},
        {"opt", "layer_norm_elementwise_affine", "false", PT_MISMATCH},
        {"gemma", "hidden_activation", "\"relu\"", PT_MISMATCH},
        {"gemma2", "use_bidirectional_attention", "true", PT_MISMATCH},
        {"gemma2", "attn_logit_softcapping", "0.0", PT_MISMATCH},
        {"gemma2", "final_logit_softcapping", "0.0", PT_MISMATCH},
        {"gemma3", "final_logit_softcapping", "30.0", PT_MISMATCH},
        {"falcon", "multi_query", "false", PT_MISMATCH},
        {"falcon", "bias", "true", PT_MISMATCH},
        {"falcon", "alibi", "true", PT_MISMATCH},
        {"falcon-new", "num_ln_in_parallel_attn", "3", PT_MISMATCH},
        {"falcon-alibi", "parallel_attn", "true", PT_MISMATCH},
        {"starcoder2", "use_bias", "false", PT_MISMATCH},
        {"starcoder2", "norm_type", "\"rms_norm\"", PT_MISMATCH},
    };
    check_changes(changes, N_OF(changes));
}

/* Also what transformers ignores or reads in another way than it looks. */
static void rotary_settings_are_refused_where_no_numbers_were_compared(void **state)
{
    (void)state;
    static const struct change changes[] = {
        {"llama", "rope_scaling", "{\"type\": \"longrope\", \"factor\": 2.0}", PT_MISMATCH},
        {"llama", "rope_scaling", "{\"type\": \"linear\", \"factor\": 2.0, \"mrope_section\": [1]}",
         PT_MISMATCH},
        {"llama", "rope_scaling", "{\"type\": \"linear\"}", PT_BAD_INPUT},
        {"llama", "rope_scaling", "{\"type\": \"linear\", \"factor\": -2.0}", PT_MISMATCH},
        {"llama", "rope_scaling", "{\"type\": \"default\", \"partial_rotary_factor\": 0.5}", PT_MISMATCH},
        {"llama", "rope_parameters", "{\"full_attention\": {\"rope_theta\": 50.0}}", PT_MISMATCH},
        {"llama3", "rope_scaling",
         "{\"type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 4, \"high_freq_factor\": 4}",
         PT_MISMATCH},
        {"llama", "rope_scaling", "[]", PT_BAD_INPUT},
        {"gpt_neox", "rope_scaling", "{\"type\": \"linear\", \"factor\": 2.0}", PT_MISMATCH},
        {"gpt_neox", "rope_theta", "500.0", PT_MISMATCH},
        {"gpt_neox", "partial_rotary_factor", "0.75", PT_MISMATCH},
        {"phi3", "rope_scaling", "{\"type\": \"longrope\", \"short_factor\": [1], \"long_factor\": [1]}",
         PT_MISMATCH},
        {"phi3", "rope_scaling", "{\"type\": \"yarn\", \"factor\": 2.0}", PT_MISMATCH},
        {"gemma2", "rope_parameters", "{\"sliding_attention\": {\"rope_type\": \"linear\", \"factor\": 4.0}}",
         PT_MISMATCH},
        {"gemma3", "rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 5000.0}", PT_MISMATCH},
        {"gemma3", "rope_scaling", "{\"rope_type\": \"linear\", \"factor\": 8.0}", PT_MISMATCH},
        {"gemma3", "rope_parameters", "{\"full_attention\": {\"rope_type\": \"yarn\", \"factor\": 8.0}}",
         PT_MISMATCH},
    };
    check_changes(changes, N_OF(changes));
}

static void drop_outs_and_settings_of_generation_are_no_reason_to_refuse(void **state)
{
    (void)state;
    struct pt_config config;
    struct pt_error err;
    assert_int_equal(parse_changed("gpt2", "attn_pdrop", "0.1", &config, &err), PT_OK);
    assert_int_equal(parse_changed("opt", "dropout", "0.1", &config, &err), PT_OK);
    assert_int_equal(parse_changed("opt", "layerdrop", "0.1", &config, &err), PT_OK);
    assert_int_equal(parse_changed("llama", "attention_dropout", "0.1", &config, &err), PT_OK);
    assert_int_equal(parse_changed("llama", "temperature", "0.7", &config, &err), PT_OK);
    /* What every configuration may say of any of its uses, and transformers' causal models do not look at. */
    assert_int_equal(parse_changed("llama", "is_decoder", "false", &config, &err), PT_OK);
    assert_int_equal(parse_changed("llama", "is_decoder", "true", &config, &err), PT_OK);
    assert_int_equal(parse_changed("llama", "a_field_of_tomorrow", "null", &config, &err), PT_OK);
}

/* transformers 4 wrote the same things elsewhere. */
static void old_spellings_of_fields_mean_the_same(void **state)
{
    (void)state;
    struct pt_config config;
    struct pt_error err;
    assert_int_equal(parse_changed("llama", "rope_parameters", "null", &config, &err), PT_OK);
    assert_true(config.rope.theta == 10000 && config.rope.kind == PT_ROPE_DEFAULT);
    assert_int_equal(parse_changed("llama", "rope_theta", "500000", &config, &err), PT_OK);
    assert_true(config.rope.theta == 10000); /* rope_parameters is the newer */
    assert_int_equal(
        parse_changed("llama", "rope_scaling", "{\"type\": \"linear\", \"factor\": 4}", &config, &err),
        PT_OK);
    assert_true(config.rope.kind == PT_ROPE_LINEAR && config.rope.factor == 4 &&
                config.local_rope.factor == 4);
    assert_int_equal(parse_changed("mistral", "sliding_window", "null", &config, &err), PT_OK);
    assert_false(config.local[0]);
    assert_int_equal(parse_changed("mistral", "sliding_window", NULL, &config, &err), PT_OK);
    assert_true(config.window == 4096 && config.local[2]);
    assert_int_equal(parse_changed("qwen2-window", "layer_types", NULL, &config, &err), PT_OK);
    assert_true(!config.local[0] && config.local[1] && config.local[2]);
    assert_int_equal(parse_changed("gemma2", "layer_types", NULL, &config, &err), PT_OK);
    assert_true(config.local[0] && !config.local[1] && config.local[2]);
    assert_int_equal(parse_changed("gemma3", "rope_parameters", NULL, &config, &err), PT_OK);
    assert_true(config.rope.theta == 1000000 && config.local_rope.theta == 10000);
    assert_int_equal(parse_changed("gpt_neox", "rope_parameters", NULL, &config, &err), PT_OK);
    assert_true(config.rope.fraction == 0.25);
    assert_int_equal(parse_changed("gpt_neox", "rotary_pct", "1.0", &config, &err), PT_OK);
    assert_true(config.rope.fraction == 0.25);
    assert_int_equal(parse_changed("gemma", "hidden_act", "\"gelu\"", &config, &err), PT_OK);
    assert_int_equal(config.activation, PT_GELU_TANH);
}

/* Where positions end, so do sequences: rows in front count. */
static void sequences_beyond_the_positions_are_refused(void **state)
{
    (void)state;
    static const char *const bounded[] = {"gpt2", "opt", "llama-dynamic"};
    for (size_t f = 0; f < N_OF(bounded); f++) {
        struct reference r;
        struct pt_error err = {0};
        open_reference(&r, bounded[f], "f32");
        struct pt_plugs plugs = {.rows = {N_VIRTUAL, case_tensor(&r, "prompt", -1)->data, NULL}};
        struct pt_engine *engine = open_engine(&r, &plugs, 0);
        uint32_t words[252];
        float *logits = malloc(N_OF(words) * r.vocab * sizeof *logits);
        for (size_t i = 0; i < N_OF(words); i++)
            words[i] = (uint32_t)(4 + i % 100);
        assert_int_equal(pt_engine_logits(engine, words, 251, logits, &err), PT_OK);
        assert_int_equal(pt_engine_logits(engine, words, 252, logits, &err), PT_MISMATCH);
        assert_non_null(strstr(err.message, "256"));
        free(logits);
        pt_engine_close(engine);
        close_reference(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_counted_as_transformers_counts_them),
        cmocka_unit_test(other_activations_are_refused_by_name),
        cmocka_unit_test(one_field_that_changes_the_numbers_is_refused_before_any_work),
        cmocka_unit_test(code_that_transformers_has_itself_is_no_reason_to_refuse),
        cmocka_unit_test(sizes_that_the_weights_do_not_have_are_refused),
        cmocka_unit_test(fields_of_a_family_are_refused_where_no_numbers_were_compared),
        cmocka_unit_test(rotary_settings_are_refused_where_no_numbers_were_compared),
        cmocka_unit_test(drop_outs_and_settings_of_generation_are_no_reason_to_refuse),
        cmocka_unit_test(old_spellings_of_fields_mean_the_same),
        cmocka_unit_test(sequences_beyond_the_positions_are_refused),
    };
    return cmocka_run_group_tests(tests, use_one_thread, NULL);
}
