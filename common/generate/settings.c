/*
 * One table of the numeric fields that we follow, one of the fields that must be off. Fields that are in
 * neither (ids of special tokens, cache and output options, version stamps) do not change which token comes
 * next.
 */
#include "generate/settings.h"

#include "base/memory.h"
#include "fmt/json.h"

#include <float.h>
#include <stdlib.h>
#include <unistd.h>

void pt_generation_defaults(struct pt_generation_settings *settings, const struct pt_config *config)
{
    *settings = (struct pt_generation_settings){
        .repetition_penalty = 1,
        .temperature = 1,
        .top_k = 50,
        .top_p = 1,
        .typical_p = 1,
        .max_length = 256,
    };
    if (config->eos_id >= 0)
        settings->eos_ids[settings->n_eos_ids++] = (uint32_t)config->eos_id;
}

bool pt_generation_ends(const struct pt_generation_settings *settings, uint32_t id)
{
    for (size_t i = 0; i < settings->n_eos_ids; i++)
        if (settings->eos_ids[i] == id)
            return true;
    return false;
}

uint64_t pt_generation_limit(const struct pt_generation_settings *settings, size_t n_input)
{
    if (!settings->max_new_tokens)
        return settings->max_length;
    return settings->max_new_tokens > UINT64_MAX - n_input ? UINT64_MAX : n_input + settings->max_new_tokens;
}

/* Whether a field that we do not follow is set to something that changes the result. */
static bool is_active(const json_t *value, double neutral)
{
    if (!value || json_is_null(value) || json_is_false(value))
        return false;
    if (json_is_number(value))
        return json_number_value(value) != neutral;
    if (json_is_array(value) || json_is_object(value))
        return json_array_size(value) + json_object_size(value) > 0;
    return true;
}

static int check_unsupported(const json_t *object, const char *name, struct pt_error *err)
{
    static const struct {
        const char *key;
        double neutral;
    } fields[] = {
        {"num_beams", 1},
        {"num_beam_groups", 1},
        {"diversity_penalty", 0},
        {"penalty_alpha", 0},
        {"dola_layers", 0},
        {"constraints", 0},
        {"force_words_ids", 0},
        {"bad_words_ids", 0},
        {"sequence_bias", 0},
        {"guidance_scale", 1},
        {"encoder_repetition_penalty", 1},
        {"encoder_no_repeat_ngram_size", 0},
        {"forced_bos_token_id", -1},
        {"forced_eos_token_id", -1},
        {"remove_invalid_values", 0},
        {"exponential_decay_length_penalty", 0},
        {"suppress_tokens", 0},
        {"begin_suppress_tokens", 0},
        {"top_h", 0},
        {"epsilon_cutoff", 0},
        {"eta_cutoff", 0},
        {"renormalize_logits", 0},
        {"watermarking_config", 0},
        {"token_healing", 0},
        {"stop_strings", 0},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (is_active(json_object_get(object, fields[i].key), fields[i].neutral))
            return pt_fail(err, PT_MISMATCH, "%s: '%s' is not supported", name, fields[i].key);
    return PT_OK;
}

static int read_numbers(struct pt_generation_settings *settings, const json_t *object, const char *name,
                        struct pt_error *err)
{
    const struct {
        const char *key;
        double *value;
        double low, high;
    } reals[] = {
        {"repetition_penalty", &settings->repetition_penalty, DBL_MIN, DBL_MAX},
        {"temperature", &settings->temperature, DBL_MIN, DBL_MAX},
        {"top_p", &settings->top_p, 0, 1},
        {"min_p", &settings->min_p, 0, 1},
        {"typical_p", &settings->typical_p, DBL_MIN, 1},
    };
    const struct {
        const char *key;
        uint64_t *value;
    } counts[] = {
        {"no_repeat_ngram_size", &settings->no_repeat_ngram_size},
        {"top_k", &settings->top_k},
        {"min_length", &settings->min_length},
        {"min_new_tokens", &settings->min_new_tokens},
        {"max_length", &settings->max_length},
        {"max_new_tokens", &settings->max_new_tokens},
    };
    bool found;
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        if (pt_json_get_double(object, reals[i].key, name, reals[i].value, &found, err))
            return (int)err->status;
        if (found && !(*reals[i].value >= reals[i].low && *reals[i].value <= reals[i].high))
            return pt_fail(err, PT_BAD_INPUT, "%s: '%s' is out of range", name, reals[i].key);
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (pt_json_get_u64(object, counts[i].key, name, counts[i].value, &found, err))
            return (int)err->status;
    return PT_OK;
}

static int add_eos_id(struct pt_generation_settings *settings, const json_t *value, const char *name,
                      struct pt_error *err)
{
    json_int_t id = json_integer_value(value);
    if (!json_is_integer(value) || id < 0 || id > INT32_MAX || settings->n_eos_ids == PT_MAX_EOS_IDS)
        return pt_fail(err, PT_BAD_INPUT, "%s: 'eos_token_id' is not an id or a short list of ids", name);
    settings->eos_ids[settings->n_eos_ids++] = (uint32_t)id;
    return PT_OK;
}

static int read_eos(struct pt_generation_settings *settings, const json_t *object, const char *name,
                    struct pt_error *err)
{
    const json_t *value = json_object_get(object, "eos_token_id");
    if (!value || json_is_null(value))
        return PT_OK;
    settings->n_eos_ids = 0;
    if (!json_is_array(value))
        return add_eos_id(settings, value, name, err);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (add_eos_id(settings, json_array_get(value, i), name, err))
            return (int)err->status;
    return PT_OK;
}

static int read_object(struct pt_generation_settings *settings, const json_t *object, const char *name,
                       struct pt_error *err)
{
    if (!json_is_object(object))
        return pt_fail(err, PT_BAD_INPUT, "%s: not a JSON object", name);
    bool sample = true, found;
    if (check_unsupported(object, name, err) || read_numbers(settings, object, name, err) ||
        read_eos(settings, object, name, err) ||
        pt_json_get_bool(object, "do_sample", name, &sample, &found, err))
        return (int)err->status;
    settings->greedy = !sample;
    return PT_OK;
}

int pt_generation_read(struct pt_generation_settings *settings, const char *folder, struct pt_error *err)
{
    char *path = pt_new_format(err, "%s/generation_config.json", folder);
    if (!path)
        return (int)err->status;
    json_t *object = NULL;
    int status = PT_OK;
    if (access(path, F_OK) == 0) {
        status = pt_json_load(&object, path, err);
        if (!status)
            status = read_object(settings, object, path, err);
    }
    json_decref(object);
    free(path);
    return status;
}
