/*
 * The fields that all families have, then those of the family's table, then what follows from them.
 * Everything that would change the numbers and is not computed here is refused, and so is a field that no
 * table knows, so that a model never runs as something that it is not.
 */
#include "model/config.h"

#include "fmt/json.h"
#include "model/config_parts.h"
#include "model/family.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LARGEST_ID = INT32_MAX, LARGEST_HIDDEN = 1 << 20 };

/* What any configuration may say. Those of generation are read by pt-sample. */
static const struct pt_config_field common_fields[] = {
    PT_CONFIG_OTHER("architectures", PT_CONFIG_READ),
    PT_CONFIG_OTHER("model_type", PT_CONFIG_READ),
    PT_CONFIG_FIELD("vocab_size", PT_CONFIG_SIZE, vocab_size),
    PT_CONFIG_FIELD("tie_word_embeddings", PT_CONFIG_SWITCH, tied_head),
    PT_CONFIG_OTHER("bos_token_id", PT_CONFIG_READ),
    PT_CONFIG_OTHER("eos_token_id", PT_CONFIG_READ),
    PT_CONFIG_OTHER("pad_token_id", PT_CONFIG_READ),
    PT_CONFIG_ONE_OF("quantization_config", ""),
    PT_CONFIG_ONE_OF("compression_config", ""),
    PT_CONFIG_OTHER("auto_map", PT_CONFIG_READ),
    PT_CONFIG_ONE_OF("is_encoder_decoder", "false"),
    PT_CONFIG_ONE_OF("add_cross_attention", "false"),
    PT_CONFIG_ONE_OF("cross_attention_hidden_size", ""),
    PT_CONFIG_ONE_OF("chunk_size_feed_forward", "0"),
    PT_CONFIG_ONE_OF("pruned_heads", "{}"),
    PT_CONFIG_OTHER("_attn_implementation_autoset", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("_commit_hash", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("_name_or_path", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("_num_labels", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("attention_dropout", PT_CONFIG_DROPOUT),
    PT_CONFIG_OTHER("bad_words_ids", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("begin_suppress_tokens", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("custom_pipelines", PT_CONFIG_HARMLESS), /* code around the model */
    PT_CONFIG_OTHER("decoder_start_token_id", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("diversity_penalty", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("do_sample", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("dtype", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("early_stopping", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("encoder_no_repeat_ngram_size", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("exponential_decay_length_penalty", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("finetuning_task", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("forced_bos_token_id", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("forced_eos_token_id", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("gradient_checkpointing", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("hidden_dropout", PT_CONFIG_DROPOUT),
    PT_CONFIG_OTHER("id2label", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("initializer_range", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("is_decoder", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("label2id", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("length_penalty", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("max_length", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("min_length", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("no_repeat_ngram_size", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("num_beam_groups", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("num_beams", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("num_return_sequences", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("output_attentions", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("output_hidden_states", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("output_past", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("output_scores", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("prefix", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("pretraining_tp", PT_CONFIG_HARMLESS), /* the same products in slices */
    PT_CONFIG_OTHER("problem_type", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("remove_invalid_values", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("repetition_penalty", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("return_dict", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("return_dict_in_generate", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("sep_token_id", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("suppress_tokens", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("task_specific_params", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("temperature", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("tf_legacy_loss", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("tie_encoder_decoder", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("tokenizer_class", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("top_k", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("top_p", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("torch_dtype", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("torchscript", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("transformers.js_config", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("transformers_version", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("typical_p", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("unk_token_id", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("unsloth_fixed", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("unsloth_version", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("use_bfloat16", PT_CONFIG_HARMLESS),
    PT_CONFIG_OTHER("use_cache", PT_CONFIG_HARMLESS),
    {0},
};

uint64_t pt_config_q_size(const struct pt_config *config)
{
    return config->n_heads * config->head_dim;
}

uint64_t pt_config_kv_size(const struct pt_config *config)
{
    return config->n_kv_heads * config->head_dim;
}

uint64_t pt_config_qkv_size(const struct pt_config *config)
{
    return pt_config_q_size(config) + 2 * pt_config_kv_size(config);
}

bool pt_config_is_gated(const struct pt_config *config)
{
    return config->family->gate_in_up || config->family->names[PT_MLP_GATE_WEIGHT];
}

uint64_t pt_config_up_size(const struct pt_config *config)
{
    return (pt_config_is_gated(config) ? 2 : 1) * config->intermediate_size;
}

/* A special token's id: a number, null, or a list of numbers of which the first is taken. */
static int read_id(const json_t *object, const char *key, const char *name, int64_t *id, struct pt_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_array(value))
        value = json_array_get(value, 0);
    *id = -1;
    if (!value || json_is_null(value))
        return PT_OK;
    if (!pt_json_is_whole(value, id) || *id < -1 || *id > LARGEST_ID)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"%s\" is not a token id", name, key);
    return PT_OK;
}

static int check_architecture(const struct pt_family *family, const json_t *object, const char *name,
                              struct pt_error *err)
{
    const json_t *list = json_object_get(object, "architectures");
    if (!list || json_is_null(list))
        return PT_OK;
    const char *first = json_string_value(json_array_get(list, 0));
    if (!first)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"architectures\" is not a list of names", name);
    for (size_t i = 0; i < sizeof family->architectures / sizeof *family->architectures; i++)
        if (!strcmp(first, family->architectures[i]))
            return PT_OK;
    return pt_fail(err, PT_MISMATCH, "%s: architecture %.100s is not supported, only %s", name, first,
                   family->architectures[0]);
}

static int refuse_type(const char *type, const char *name, struct pt_error *err)
{
    char known[512] = "";
    for (size_t i = 0, n = 0; pt_family_at(i) && n < sizeof known; i++)
        n +=
            (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", pt_family_at(i)->model_type);
    return pt_fail(err, PT_MISMATCH, "%s: model type \"%.100s\" is not supported, only %s", name, type,
                   known);
}

static int find_family(struct pt_config *config, const json_t *object, const char *name, struct pt_error *err)
{
    const char *type = NULL;
    bool found;
    if (!json_is_object(object))
        return pt_fail(err, PT_BAD_INPUT, "%s: not a JSON object", name);
    if (pt_json_get_string(object, "model_type", name, &type, &found, err))
        return (int)err->status;
    if (!found)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"model_type\" is missing", name);
    const struct pt_family *family = pt_family_find(type);
    if (!family)
        return refuse_type(type, name, err);
    *config = family->defaults;
    config->family = family;
    snprintf(config->model_type, sizeof config->model_type, "%s", type);
    return check_architecture(family, object, name, err);
}

/* A field may be null whoever writes it: then it says nothing. */
static int refuse_unknown(const struct pt_config *config, const json_t *object, const char *name,
                          struct pt_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        if (!json_is_null(value) && !pt_config_fields_know(common_fields, key) &&
            !pt_config_fields_know(config->family->fields, key))
            return pt_fail(err, PT_MISMATCH,
                           "%s: \"%.100s\" is not known for %s and might change the numbers", name, key,
                           config->model_type);
    }
    return PT_OK;
}

/* What the file does not say follows from what it says. */
static int derive(struct pt_config *config, const char *name, struct pt_error *err)
{
    if (!config->n_kv_heads)
        config->n_kv_heads = config->n_heads;
    if (!config->head_dim && config->hidden_size % config->n_heads)
        return pt_fail(err, PT_BAD_INPUT,
                       "%s: hidden size %" PRIu64 " is not a multiple of %" PRIu64 " heads", name,
                       config->hidden_size, config->n_heads);
    if (!config->head_dim)
        config->head_dim = config->hidden_size / config->n_heads;
    if (!config->intermediate_size)
        config->intermediate_size = config->family->mlp_factor * config->hidden_size;
    if (config->family->scales_embedding)
        config->embedding_scale = sqrt((double)config->hidden_size);
    return PT_OK;
}

static int check_sizes(const struct pt_config *config, const char *name, struct pt_error *err)
{
    if (config->n_layers > PT_MOST_LAYERS)
        return pt_fail(err, PT_BAD_INPUT, "%s: %" PRIu64 " layers, at most %d are supported", name,
                       config->n_layers, PT_MOST_LAYERS);
    if (config->hidden_size > LARGEST_HIDDEN || config->n_heads > LARGEST_HIDDEN ||
        config->head_dim > LARGEST_HIDDEN || config->intermediate_size > LARGEST_HIDDEN * UINT64_C(4))
        return pt_fail(err, PT_BAD_INPUT,
                       "%s: %" PRIu64 " heads of %" PRIu64 ", hidden size %" PRIu64
                       ", intermediate size %" PRIu64 ": too large",
                       name, config->n_heads, config->head_dim, config->hidden_size,
                       config->intermediate_size);
    if (config->n_heads % config->n_kv_heads)
        return pt_fail(err, PT_BAD_INPUT,
                       "%s: %" PRIu64 " heads are no multiple of %" PRIu64 " heads of keys and values", name,
                       config->n_heads, config->n_kv_heads);
    if (!(config->norm_epsilon >= 0 && config->norm_epsilon < 1))
        return pt_fail(err, PT_BAD_INPUT, "%s: the norm's epsilon is %g", name, config->norm_epsilon);
    return PT_OK;
}

/* Whether the entry, of the form "[repository--]file.Class", is there and names another class. */
static bool names_other_class(const json_t *map, const char *entry, const char *class)
{
    const json_t *value = json_object_get(map, entry);
    const char *path = json_string_value(value), *dot = path ? strrchr(path, '.') : NULL;
    return value && !(dot && !strcmp(dot + 1, class));
}

/*
 * The model's own code could compute anything. Checkpoints that were there before transformers knew their
 * family go on naming the files that its code grew out of, with classes of the same names; transformers runs
 * its own for them, unless it is told otherwise (dynamic_module_utils.py, resolve_trust_remote_code).
 */
static int refuse_own_code(const struct pt_family *family, const json_t *object, const char *name,
                           struct pt_error *err)
{
    const json_t *map = json_object_get(object, "auto_map");
    const char *bare = family->architectures[1];
    char config_class[64];
    snprintf(config_class, sizeof config_class, "%.*sConfig", (int)(strlen(bare) - strlen("Model")), bare);
    if (!map || json_is_null(map) ||
        (json_is_object(map) && !json_object_get(map, "AutoTokenizer") &&
         !names_other_class(map, "AutoConfig", config_class) &&
         !names_other_class(map, "AutoModelForCausalLM", family->architectures[0])))
        return PT_OK;
    pt_fail(err, PT_MISMATCH, "%s: \"auto_map\": code of the model's own is not supported", name);
    return pt_error_hint(err,
                         "without that field it is run as transformers' own code for \"model_type\" would");
}

static int require_sizes(const struct pt_config *config, const char *name, struct pt_error *err)
{
    static const size_t sizes[] = {offsetof(struct pt_config, hidden_size),
                                   offsetof(struct pt_config, n_layers), offsetof(struct pt_config, n_heads),
                                   offsetof(struct pt_config, intermediate_size),
                                   offsetof(struct pt_config, n_positions)};
    const struct pt_family *family = config->family;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bool optional =
            (sizes[i] == offsetof(struct pt_config, intermediate_size) && family->mlp_factor) ||
            (sizes[i] == offsetof(struct pt_config, n_positions) && config->positions == PT_ALIBI);
        if (!optional && pt_config_fields_require(config, family->fields, sizes[i], name, err))
            return (int)err->status;
    }
    return pt_config_fields_require(config, common_fields, offsetof(struct pt_config, vocab_size), name, err);
}

int pt_config_parse(struct pt_config *config, const json_t *object, const char *name, struct pt_error *err)
{
    if (find_family(config, object, name, err))
        return (int)err->status;
    const struct pt_family *family = config->family;
    if (refuse_own_code(family, object, name, err) ||
        pt_config_fields_read(config, common_fields, object, name, err) ||
        pt_config_fields_read(config, family->fields, object, name, err) ||
        refuse_unknown(config, object, name, err) || require_sizes(config, name, err) ||
        read_id(object, "bos_token_id", name, &config->bos_id, err) ||
        read_id(object, "eos_token_id", name, &config->eos_id, err) ||
        read_id(object, "pad_token_id", name, &config->pad_id, err) || derive(config, name, err))
        return (int)err->status;
    if ((family->finish && family->finish(config, object, name, err)) || check_sizes(config, name, err))
        return (int)err->status;
    if (config->positions == PT_ROTARY && pt_config_read_rope(config, object, name, err))
        return (int)err->status;
    return pt_config_read_layers(config, object, name, err);
}
