/*
 * What a config.json must say, may say, and must not say.
 */
#include "support.h"

#include "fmt/json.h"
#include "model/config.h"
#include "model/family.h"

#include <string.h>

#define HEAD "{\"model_type\": \"bloom\", \"architectures\": [\"BloomForCausalLM\"], "
#define SHAPE "\"n_embed\": 2048, \"n_layer\": 24, \"num_attention_heads\": 16, \"vocab_size\": 46145"

static enum pt_status parse(struct pt_config *config, const char *text, struct pt_error *err)
{
    json_t *object = NULL;
    *err = (struct pt_error){0};
    assert_int_equal(pt_json_parse(&object, text, strlen(text), "config.json", err), 0);
    int status = pt_config_parse(config, object, "config.json", err);
    json_decref(object);
    assert_int_equal(status, err->status);
    return err->status;
}

static void a_real_configuration_is_read_with_its_aliases(void **state)
{
    (void)state;
    struct pt_config config;
    struct pt_error err;
    const char *text = HEAD SHAPE
        ", \"layer_norm_epsilon\": 1e-5, \"hidden_dropout\": 0.1, \"pretraining_tp\": 2, \"n_inner\": null,"
        "\"slow_but_exact\": false, \"bos_token_id\": 1, \"eos_token_id\": [2, 5], \"torch_dtype\": "
        "\"float16\"}";
    assert_int_equal(parse(&config, text, &err), PT_OK);
    assert_string_equal(config.model_type, "bloom");
    assert_ptr_equal(config.family, pt_family_find("bloom"));
    assert_int_equal(config.hidden_size, 2048);
    assert_int_equal(config.n_layers, 24);
    assert_int_equal(config.n_heads, 16);
    assert_int_equal(config.n_kv_heads, 16);
    assert_int_equal(config.head_dim, 128);
    assert_int_equal(config.intermediate_size, 8192);
    assert_int_equal(config.vocab_size, 46145);
    assert_true(config.norm_epsilon == 1e-5);
    assert_true(config.tied_head);
    assert_false(config.residual_after_norm);
    assert_int_equal(config.bos_id, 1);
    assert_int_equal(config.eos_id, 2);
    assert_int_equal(config.pad_id, -1);
}

static void every_switch_is_read(void **state)
{
    (void)state;
    struct pt_config config;
    struct pt_error err;
    const char *text = "{\"model_type\": \"bloom\", \"hidden_size\": 12, \"num_hidden_layers\": 1, "
                       "\"n_head\": 3, \"vocab_size\": 7,"
                       "\"tie_word_embeddings\": false, \"apply_residual_connection_post_layernorm\": true,"
                       "\"layer_norm_epsilon\": 1e-6, \"n_inner\": 48, \"hidden_act\": \"gelu\"}";
    assert_int_equal(parse(&config, text, &err), PT_OK);
    assert_int_equal(config.head_dim, 4);
    assert_false(config.tied_head);
    assert_true(config.residual_after_norm);
    assert_true(config.norm_epsilon == 1e-6);
}

static void what_is_wrong_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum pt_status status;
        const char *named;
    } cases[] = {
        {"[]", PT_BAD_INPUT, "object"},
        {"{}", PT_BAD_INPUT, "model_type"},
        {"{\"model_type\": 3}", PT_BAD_INPUT, "model_type"},
        {"{\"model_type\": \"mamba\"}", PT_MISMATCH, "mamba"},
        {"{\"model_type\": \"bloom\", \"architectures\": [\"BloomForSequenceClassification\"], " SHAPE "}",
         PT_MISMATCH, "BloomForSequenceClassification"},
        {"{\"model_type\": \"bloom\", \"architectures\": \"BloomForCausalLM\", " SHAPE "}", PT_BAD_INPUT,
         "architectures"},
        {HEAD "\"n_layer\": 24, \"n_head\": 16, \"vocab_size\": 46145}", PT_BAD_INPUT, "n_embed"},
        {HEAD "\"n_embed\": 64, \"n_head\": 16, \"vocab_size\": 46145}", PT_BAD_INPUT, "n_layer"},
        {HEAD "\"n_embed\": 64, \"n_layer\": 2, \"vocab_size\": 46145}", PT_BAD_INPUT, "n_head"},
        {HEAD "\"n_embed\": 64, \"n_layer\": 2, \"n_head\": 16}", PT_BAD_INPUT, "vocab_size"},
        {HEAD "\"n_embed\": 0, \"n_layer\": 2, \"n_head\": 16, \"vocab_size\": 9}", PT_BAD_INPUT, "n_embed"},
        {HEAD "\"n_embed\": -64, \"n_layer\": 2, \"n_head\": 16, \"vocab_size\": 9}", PT_BAD_INPUT,
         "n_embed"},
        {HEAD "\"n_embed\": 64.5, \"n_layer\": 2, \"n_head\": 16, \"vocab_size\": 9}", PT_BAD_INPUT,
         "n_embed"},
        {HEAD "\"n_embed\": 99999999999, \"n_layer\": 2, \"n_head\": 16, \"vocab_size\": 9}", PT_BAD_INPUT,
         "n_embed"},
        {HEAD "\"n_embed\": 64, \"n_layer\": 2, \"n_head\": 5, \"vocab_size\": 9}", PT_BAD_INPUT, "heads"},
        {HEAD SHAPE ", \"layer_norm_epsilon\": -1}", PT_BAD_INPUT, "layer_norm_epsilon"},
        {HEAD SHAPE ", \"layer_norm_epsilon\": \"small\"}", PT_BAD_INPUT, "layer_norm_epsilon"},
        {HEAD SHAPE ", \"eos_token_id\": \"</s>\"}", PT_BAD_INPUT, "eos_token_id"},
        {HEAD SHAPE ", \"n_inner\": 1000}", PT_MISMATCH, "n_inner"},
        {HEAD SHAPE ", \"slow_but_exact\": true, \"pretraining_tp\": 2}", PT_MISMATCH, "slow_but_exact"},
        {HEAD SHAPE ", \"hidden_act\": \"relu\"}", PT_MISMATCH, "hidden_act"},
        {HEAD SHAPE ", \"quantization_config\": {\"bits\": 4}}", PT_MISMATCH, "quantization_config"},
    };
    struct pt_config config;
    struct pt_error err;
    for (size_t i = 0; i < N_OF(cases); i++) {
        assert_int_equal(parse(&config, cases[i].text, &err), cases[i].status);
        if (!strstr(err.message, cases[i].named))
            fail_msg("\"%s\" does not name %s", err.message, cases[i].named);
    }
}

/* A configuration of the family, with more fields. */
static struct pt_config small(const char *model_type, const char *fields)
{
    char text[512];
    struct pt_config config;
    struct pt_error err;
    snprintf(
        text, sizeof text,
        "{\"model_type\": \"%s\", \"hidden_size\": 64, \"num_hidden_layers\": 2, \"num_attention_heads\": 32,"
        "\"intermediate_size\": 8, \"vocab_size\": 7%s}",
        model_type, fields);
    if (parse(&config, text, &err))
        fail_msg("%s: %s", text, err.message);
    return config;
}

static void absent_and_null_are_what_transformers_makes_of_them(void **state)
{
    (void)state;
    static const struct {
        const char *model_type;
        uint64_t n_kv_heads;
    } families[] = {{"llama", 32}, {"mistral", 8},     {"qwen2", 32},     {"qwen3", 32}, {"phi3", 32},
                    {"gemma2", 4}, {"gemma3_text", 4}, {"starcoder2", 2}, {"gemma", 16}};
    for (size_t i = 0; i < N_OF(families); i++)
        assert_int_equal(small(families[i].model_type, "").n_kv_heads, families[i].n_kv_heads);
    assert_int_equal(small("mistral", ", \"num_key_value_heads\": null").n_kv_heads, 32);
    assert_true(small("qwen2", ", \"use_sliding_window\": true, \"max_window_layers\": 0").local[0]);
    assert_false(small("qwen2", ", \"use_sliding_window\": null, \"max_window_layers\": 0").local[0]);
#define YARN ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 2, \"mscale\": 0"
    assert_false(small("llama", YARN "}").rope.no_truncation);
    assert_true(small("llama", YARN ", \"truncate\": null}").rope.no_truncation);
#undef YARN
}

static void a_family_names_every_role_once(void **state)
{
    (void)state;
    assert_null(pt_family_find("blooms"));
    for (size_t i = 0; pt_family_at(i); i++) {
        const struct pt_family *family = pt_family_at(i);
        assert_ptr_equal(family, pt_family_find(family->model_type));
        for (enum pt_role a = 0; a < PT_ROLES; a++) {
            if (!family->names[a])
                continue;
            assert_int_equal(strstr(family->names[a], "%u") != NULL, a >= PT_FIRST_LAYER_ROLE);
            for (enum pt_role b = 0; b < a; b++)
                assert_true(!family->names[b] || strcmp(family->names[a], family->names[b]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_real_configuration_is_read_with_its_aliases),
        cmocka_unit_test(every_switch_is_read),
        cmocka_unit_test(what_is_wrong_is_refused_by_name),
        cmocka_unit_test(absent_and_null_are_what_transformers_makes_of_them),
        cmocka_unit_test(a_family_names_every_role_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
