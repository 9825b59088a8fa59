/*
 * The arithmetic follows transformers operation by operation in f32, since an angle is a frequency times a
 * position: a last bit of the frequency is many bits of the angle far out.
 */
#include "model/rope.h"

#include "fmt/json.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    enum pt_rope_kind kind;
} kinds[] = {
    {"default", PT_ROPE_DEFAULT}, {"linear", PT_ROPE_LINEAR}, {"dynamic", PT_ROPE_DYNAMIC},
    {"llama3", PT_ROPE_LLAMA3},   {"yarn", PT_ROPE_YARN},
};

static const struct {
    const char *key;
    size_t offset;
    bool zero_is_none;
} numbers[] = {
    {"rope_theta", offsetof(struct pt_rope, theta), false},
    {"partial_rotary_factor", offsetof(struct pt_rope, fraction), false},
    {"factor", offsetof(struct pt_rope, factor), false},
    {"original_max_position_embeddings", offsetof(struct pt_rope, original_positions), false},
    {"low_freq_factor", offsetof(struct pt_rope, low_factor), false},
    {"high_freq_factor", offsetof(struct pt_rope, high_factor), false},
    {"beta_fast", offsetof(struct pt_rope, beta_fast), true},
    {"beta_slow", offsetof(struct pt_rope, beta_slow), true},
    {"mscale", offsetof(struct pt_rope, mscale), true},
    {"mscale_all_dim", offsetof(struct pt_rope, mscale_all), true},
    {"attention_factor", offsetof(struct pt_rope, attention_factor), false},
};

static int read_kind(struct pt_rope *rope, const json_t *object, const char *where, struct pt_error *err)
{
    const char *name = NULL;
    bool found;
    if (pt_json_get_string(object, "rope_type", where, &name, &found, err) ||
        (!found && pt_json_get_string(object, "type", where, &name, &found, err)))
        return (int)err->status;
    if (!found)
        return PT_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(name, kinds[i].name)) {
            rope->kind = kinds[i].kind;
            return PT_OK;
        }
    return pt_fail(err, PT_MISMATCH, "%s: rotary embeddings of type \"%.100s\" are not supported", where,
                   name);
}

static int read_numbers(struct pt_rope *rope, const json_t *object, const char *where, struct pt_error *err)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double *target = (double *)(void *)((char *)rope + numbers[i].offset);
        bool found;
        if (pt_json_get_double(object, numbers[i].key, where, target, &found, err))
            return (int)err->status;
        if (found && !(*target > 0 && isfinite(*target)) && !(numbers[i].zero_is_none && *target == 0))
            return pt_fail(err, PT_MISMATCH, "%s: \"%s\" is %g, which is not supported", where,
                           numbers[i].key, *target);
    }
    bool truncate = !json_is_null(json_object_get(object, "truncate")), found;
    if (pt_json_get_bool(object, "truncate", where, &truncate, &found, err))
        return (int)err->status;
    rope->no_truncation = !truncate;
    return PT_OK;
}

static int check_keys(const json_t *object, const char *where, struct pt_error *err)
{
    static const char *const others[] = {"rope_type", "type", "truncate"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        bool known = false;
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            known = known || !strcmp(key, numbers[i].key);
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            known = known || !strcmp(key, others[i]);
        if (!known)
            return pt_fail(err, PT_MISMATCH, "%s: \"%.100s\" is not supported", where, key);
    }
    return PT_OK;
}

int pt_rope_read(struct pt_rope *rope, const json_t *object, uint64_t positions, const char *where,
                 struct pt_error *err)
{
    if (!json_is_object(object))
        return pt_fail(err, PT_BAD_INPUT, "%s: the rotary embedding's settings are no object", where);
    if (read_kind(rope, object, where, err) || read_numbers(rope, object, where, err) ||
        check_keys(object, where, err))
        return (int)err->status;
    if (!rope->original_positions)
        rope->original_positions = (double)positions;
    if (rope->kind == PT_ROPE_YARN && !rope->factor && rope->original_positions > 0)
        rope->factor = (double)positions / rope->original_positions;
    if (rope->kind != PT_ROPE_DEFAULT && !rope->factor)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"factor\" is missing", where);
    if (rope->kind == PT_ROPE_LLAMA3 && !(rope->low_factor > 0 && rope->high_factor > rope->low_factor))
        return pt_fail(err, PT_MISMATCH, "%s: \"low_freq_factor\" is not below \"high_freq_factor\"", where);
    if ((rope->kind == PT_ROPE_YARN || rope->kind == PT_ROPE_LLAMA3) && !rope->original_positions)
        return pt_fail(err, PT_BAD_INPUT, "%s: \"original_max_position_embeddings\" is missing", where);
    return PT_OK;
}

size_t pt_rope_dimension(const struct pt_rope *rope, uint64_t head_dim)
{
    return (size_t)((double)head_dim * rope->fraction);
}

static void stretch_llama3(const struct pt_rope *rope, size_t n, float *frequencies)
{
    const double low_length = rope->original_positions / rope->low_factor,
                 high_length = rope->original_positions / rope->high_factor;
    for (size_t i = 0; i < n; i++) {
        float frequency = frequencies[i], length = (float)(2 * M_PI) / frequency,
              stretched = (double)length > low_length ? frequency / (float)rope->factor : frequency;
        if ((double)length >= high_length && (double)length <= low_length) {
            float smooth = ((float)rope->original_positions / length - (float)rope->low_factor) /
                           (float)(rope->high_factor - rope->low_factor);
            stretched = (1 - smooth) * stretched / (float)rope->factor + smooth * stretched;
        }
        frequencies[i] = stretched;
    }
}

/* The pair of elements that turns so often within the original positions. */
static double yarn_place(const struct pt_rope *rope, size_t dimension, double rotations)
{
    return (double)dimension * log(rope->original_positions / (rotations * 2 * M_PI)) /
           (2 * log(rope->theta));
}

static void stretch_yarn(const struct pt_rope *rope, size_t dimension, float *frequencies)
{
    double low = yarn_place(rope, dimension, rope->beta_fast ? rope->beta_fast : 32),
           high = yarn_place(rope, dimension, rope->beta_slow ? rope->beta_slow : 1);
    if (!rope->no_truncation) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, (double)dimension - 1);
    if (low == high)
        high += 0.001;
    for (size_t i = 0; i < dimension / 2; i++) {
        float ramp = ((float)i - (float)low) / (float)(high - low);
        float kept = 1 - fminf(fmaxf(ramp, 0), 1);
        float stretched = 1 / ((float)rope->factor * (1 / frequencies[i]));
        frequencies[i] = stretched * (1 - kept) + frequencies[i] * kept;
    }
}

static double yarn_scale(double factor, double mscale)
{
    return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1;
}

static float yarn_attention_factor(const struct pt_rope *rope)
{
    if (rope->attention_factor)
        return (float)rope->attention_factor;
    if (rope->mscale && rope->mscale_all)
        return (float)(yarn_scale(rope->factor, rope->mscale) / yarn_scale(rope->factor, rope->mscale_all));
    return (float)yarn_scale(rope->factor, 1);
}

float pt_rope_frequencies(const struct pt_rope *rope, size_t dimension, float *frequencies)
{
    size_t n = dimension / 2;
    for (size_t i = 0; i < n; i++) {
        float exponent = (float)(2 * i) / (float)dimension;
        frequencies[i] = 1 / (float)pow(rope->theta, (double)exponent);
    }
    switch (rope->kind) {
    case PT_ROPE_DEFAULT:
    case PT_ROPE_DYNAMIC:
        break;
    case PT_ROPE_LINEAR:
        for (size_t i = 0; i < n; i++)
            frequencies[i] /= (float)rope->factor;
        break;
    case PT_ROPE_LLAMA3:
        stretch_llama3(rope, n, frequencies);
        break;
    case PT_ROPE_YARN:
        stretch_yarn(rope, dimension, frequencies);
        return yarn_attention_factor(rope);
    }
    return 1;
}
