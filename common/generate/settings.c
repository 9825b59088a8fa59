/*
 * One table of the numbers that we follow, one of the fields that must be off. Fields that are in
 * neither (ids of special tokens, cache and output options, version stamps) do not change which token comes
 * next.
 */
#include "generate/settings.h"

#include "base/memory.h"
#include "fmt/json.h"

#include <stdlib.h>
#include <unistd.h>

/* Scores are floats: what divides them is neither nothing nor infinite there. */
#define LEAST_DIVISOR 1e-6
#define MOST_DIVISOR 1e6
#define MOST_COUNT 1e9

const struct pt_generation_range pt_generation_ranges[PT_GENERATION_NUMBERS] = {
#define FIELD(name) #name, offsetof(struct pt_generation_settings, name)
    [PT_REPETITION_PENALTY] = {FIELD(repetition_penalty), true, false, LEAST_DIVISOR, MOST_DIVISOR},
    [PT_NO_REPEAT_NGRAM_SIZE] = {FIELD(no_repeat_ngram_size), false, false, 0, MOST_COUNT},
    [PT_MIN_LENGTH] = {FIELD(min_length), false, false, 0, MOST_COUNT},
    [PT_MIN_NEW_TOKENS] = {FIELD(min_new_tokens), false, false, 0, MOST_COUNT},
    [PT_TEMPERATURE] = {FIELD(temperature), true, true, LEAST_DIVISOR, MOST_DIVISOR},
    [PT_TOP_K] = {FIELD(top_k), false, true, 0, MOST_COUNT},
    [PT_TOP_P] = {FIELD(top_p), true, true, 0, 1},
    [PT_MIN_P] = {FIELD(min_p), true, true, 0, 1},
    [PT_TYPICAL_P] = {FIELD(typical_p), true, true, LEAST_DIVISOR, 1},
    [PT_MAX_LENGTH] = {FIELD(max_length), false, false, 1, MOST_COUNT},
    [PT_MAX_NEW_TOKENS] = {FIELD(max_new_tokens), false, false, 1, MOST_COUNT},
#undef FIELD
};

void pt_generation_defaults(struct pt_generation_settings *settings)
{
    *settings = (struct pt_generation_settings){
        .repetition_penalty = 1,
        .temperature = 1,
        .top_k = 50,
        .top_p = 1,
        .typical_p = 1,
        .max_length = 256,
    };
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
        {"num_return_sequences", 1},
        {"max_time", -1},
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
    for (size_t i = 0; i < PT_GENERATION_NUMBERS; i++) {
        const struct pt_generation_range *range = &pt_generation_ranges[i];
        void *field = (char *)settings + range->offset;
        bool found;
        if (range->warps && settings->greedy)
            continue;
        if (range->real ? pt_json_get_double(object, range->name, name, field, &found, err)
                        : pt_json_get_u64(object, range->name, name, field, &found, err))
            return (int)err->status;
        const double value = range->real ? *(double *)field : (double)*(uint64_t *)field;
        if (found && !(value >= range->low && value <= range->high))
            return pt_fail(err, PT_BAD_INPUT, "%s: '%s' is not from %g to %g", name, range->name, range->low,
                           range->high);
    }
    return PT_OK;
}

static int add_eos_id(struct pt_generation_settings *settings, const json_t *value, const char *name,
                      struct pt_error *err)
{
    int64_t id;
    const bool whole = pt_json_is_whole(value, &id);
    if (whole && id == -1) /* none, in old files */
        return PT_OK;
    if (!whole || id < 0 || id > INT32_MAX || settings->n_eos_ids == PT_MAX_EOS_IDS)
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
    if (pt_json_get_bool(object, "do_sample", name, &sample, &found, err))
        return (int)err->status;
    settings->greedy |= !sample;
    if (check_unsupported(object, name, err) || read_numbers(settings, object, name, err))
        return (int)err->status;
    return read_eos(settings, object, name, err);
}

/*
 * Old files have the fields in config.json, where transformers reads them if there is no other. There the two
 * whose defaults differ from ours say nothing where they hold transformers' own.
 */
static void drop_old_defaults(json_t *object)
{
    if (json_is_false(json_object_get(object, "do_sample")))
        json_object_del(object, "do_sample");
    if (json_integer_value(json_object_get(object, "max_length")) == 20)
        json_object_del(object, "max_length");
}

static int read_file(struct pt_generation_settings *settings, const char *path, bool own,
                     struct pt_error *err)
{
    json_t *object = NULL;
    if (access(path, F_OK) || pt_json_load(&object, path, err))
        return (int)err->status;
    if (!own)
        drop_old_defaults(object);
    (void)!read_object(settings, object, path, err);
    json_decref(object);
    return (int)err->status;
}

int pt_generation_read(struct pt_generation_settings *settings, const char *folder, struct pt_error *err)
{
    char *own = pt_new_format(err, "%s/generation_config.json", folder),
         *model = pt_new_format(err, "%s/config.json", folder);
    if (own && model) {
        const bool has_own = !access(own, F_OK);
        (void)!read_file(settings, has_own ? own : model, has_own, err);
    }
    free(own);
    free(model);
    return (int)err->status;
}
