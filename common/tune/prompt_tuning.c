/*
 * The parameter is the prompt itself, so the plug points straight at its value and gradient, and nothing has
 * to be carried back.
 */
#include "tune/prompt_tuning.h"

#include "base/number.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <string.h>

static int create(struct pt_tuned *tuned, const struct pt_init *init, const struct pt_model *model,
                  struct pt_error *err)
{
    return pt_init_rows(tuned, PT_PROMPT_EMBEDDINGS, init, model, err);
}

/* A prompt of an encoder-decoder model has a block of rows for each of its two halves. */
static int check_config(const struct pt_tuned *tuned, const json_t *config, struct pt_error *err)
{
    uint64_t submodules = 1;
    bool found;
    if (pt_json_get_u64(config, "num_transformer_submodules", tuned->name, &submodules, &found, err))
        return (int)err->status;
    if (submodules != 1)
        return pt_fail(err, PT_MISMATCH,
                       "%s: num_transformer_submodules is %" PRIu64
                       ", only causal language models are supported",
                       tuned->name, submodules);
    return PT_OK;
}

static int check_tensor(const struct pt_tuned *tuned, const struct pt_tensor *tensor, struct pt_error *err)
{
    char shape[PT_SHAPE_TEXT];
    if (strcmp(tensor->name, PT_PROMPT_EMBEDDINGS))
        return pt_fail(err, PT_MISMATCH, "%s: tensor '%s' does not belong to prompt tuning", tuned->name,
                       tensor->name);
    if (tensor->rank != 2 || !tensor->n_elements)
        return pt_fail(err, PT_MISMATCH, "%s: %s is %s, not a matrix of virtual tokens and hidden size",
                       tuned->name, tensor->name, pt_shape_format(tensor->rank, tensor->shape, shape));
    switch (tensor->dtype) {
    case PT_F32:
    case PT_F64:
    case PT_F16:
    case PT_BF16:
        return PT_OK;
    default:
        return pt_fail(err, PT_MISMATCH, "%s: %s is of type %s, not of floating point", tuned->name,
                       tensor->name, pt_dtype_name(tensor->dtype));
    }
}

/* The shape that adapter_config.json gives, where it does: PEFT refuses to load another one. */
static int check_shape(const struct pt_tuned *tuned, const json_t *config, const struct pt_tensor *tensor,
                       struct pt_error *err)
{
    static const char *const keys[] = {"num_virtual_tokens", "token_dim"};
    for (int i = 0; i < 2; i++) {
        uint64_t n = tensor->shape[i];
        bool found;
        if (pt_json_get_u64(config, keys[i], tuned->name, &n, &found, err))
            return (int)err->status;
        if (n != tensor->shape[i])
            return pt_fail(err, PT_BAD_INPUT, "%s: %s is %" PRIu64 ", but the tensor has %" PRIu64,
                           tuned->name, keys[i], n, tensor->shape[i]);
    }
    return PT_OK;
}

static int load(struct pt_tuned *tuned, const struct pt_tensors *set, const json_t *config,
                struct pt_error *err)
{
    if (config && check_config(tuned, config, err))
        return (int)err->status;
    for (size_t i = 0; i < set->n; i++)
        if (check_tensor(tuned, &set->tensors[i], err))
            return (int)err->status;
    const struct pt_tensor *tensor = pt_tensors_find(set, PT_PROMPT_EMBEDDINGS);
    if (!tensor)
        return pt_fail(err, PT_MISMATCH, "%s: there is no tensor '%s'", tuned->name, PT_PROMPT_EMBEDDINGS);
    if (config && check_shape(tuned, config, tensor, err))
        return (int)err->status;
    struct pt_parameter *prompt =
        pt_parameters_add(&tuned->parameters, PT_PROMPT_EMBEDDINGS, tensor->rank, tensor->shape, true, err);
    if (!prompt)
        return (int)err->status;
    pt_to_f32(prompt->value, tensor->data, tensor->dtype, prompt->n);
    return PT_OK;
}

static const struct pt_parameter *prompt_of(const struct pt_tuned *tuned)
{
    return pt_parameters_find(&tuned->parameters, PT_PROMPT_EMBEDDINGS);
}

static int check(const struct pt_tuned *tuned, const struct pt_model *model, struct pt_error *err)
{
    const struct pt_parameter *prompt = prompt_of(tuned);
    uint64_t hidden = pt_model_config(model)->hidden_size;
    char shape[PT_SHAPE_TEXT];
    if (prompt->shape[1] == hidden)
        return PT_OK;
    return pt_fail(err, PT_MISMATCH, "%s: %s is %s, but the hidden size of %s is %" PRIu64, tuned->name,
                   prompt->name, pt_shape_format(prompt->rank, prompt->shape, shape), pt_model_name(model),
                   hidden);
}

static int forward(struct pt_tuned *tuned, struct pt_error *err)
{
    (void)err;
    const struct pt_parameter *prompt = prompt_of(tuned);
    tuned->plugs.rows = (struct pt_plug_rows){
        .n = (size_t)prompt->shape[0], .values = prompt->value, .gradient = prompt->gradient};
    return PT_OK;
}

/* A count from the metadata, or null where it is not known: PEFT then takes it from the model. */
static int set_count(const struct pt_tuned *tuned, json_t *config, const char *key, struct pt_error *err)
{
    const char *text = pt_tuned_metadata(tuned, key);
    uint64_t count;
    if (text && !pt_parse_u64(text, 1, INT32_MAX, &count))
        return pt_fail(err, PT_BAD_INPUT, "%s: metadata: %s is '%s', not a count", tuned->name, key, text);
    return pt_json_set(config, key, text ? json_integer((json_int_t)count) : json_null(), err);
}

/* PEFT's name for how the prompt began; what it has no word for is RANDOM, its default. */
static int set_init(const struct pt_tuned *tuned, json_t *config, struct pt_error *err)
{
    json_t *init;
    if (pt_tuned_metadata_json(tuned, PT_KEY_INIT, &init, err))
        return (int)err->status;
    const char *kind = json_string_value(json_object_get(init, "kind"));
    json_t *text = json_object_get(init, "text");
    json_t *tokenizer = json_object_get(init, "tokenizer");
    bool from_text = kind && !strcmp(kind, "text") && json_is_string(text) && json_is_string(tokenizer);
    bool from_vocab = kind && !strcmp(kind, "vocab");
    const char *name = from_text ? "TEXT" : from_vocab ? "SAMPLE_VOCAB" : "RANDOM";
    if (!pt_json_set(config, "prompt_tuning_init", json_string(name), err) &&
        !pt_json_set(config, "prompt_tuning_init_text", from_text ? json_incref(text) : json_null(), err) &&
        !pt_json_set(config, "tokenizer_name_or_path", from_text ? json_incref(tokenizer) : json_null(), err))
        (void)!pt_json_set(config, "tokenizer_kwargs", json_null(), err);
    json_decref(init);
    return (int)err->status;
}

static int export_peft(const struct pt_tuned *tuned, struct pt_tensors *set, json_t *config,
                       struct pt_error *err)
{
    const struct pt_parameter *prompt = prompt_of(tuned);
    if (pt_tensors_add(set, prompt->name, PT_F32, prompt->rank, prompt->shape, prompt->value, err) ||
        set_count(tuned, config, PT_KEY_BASE_LAYERS, err) ||
        set_count(tuned, config, PT_KEY_BASE_HEADS, err) || set_init(tuned, config, err) ||
        pt_json_set(config, "num_transformer_submodules", json_integer(1), err) ||
        pt_json_set(config, "num_virtual_tokens", json_integer((json_int_t)prompt->shape[0]), err))
        return (int)err->status;
    return pt_json_set(config, "token_dim", json_integer((json_int_t)prompt->shape[1]), err);
}

const struct pt_method pt_prompt_tuning = {
    .name = "prompt",
    .peft_type = "PROMPT_TUNING",
    .rows_are_tokens = true,
    .create = create,
    .load = load,
    .check = check,
    .forward = forward,
    .export_peft = export_peft,
};
