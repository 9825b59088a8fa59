/*
 * How to continue a text: the fields of generation_config.json that we follow, with transformers' defaults
 * (transformers, generation/configuration_utils.py) but for max_length, which is 256.
 */
#ifndef PT_GENERATE_SETTINGS_H
#define PT_GENERATE_SETTINGS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PT_MAX_EOS_IDS = 64 };

struct pt_generation_settings {
    bool greedy; /* take the best score; the warpers are left out, the processors stay; what is read never
                    takes it back */
    /* Processors: greedy or not. */
    double repetition_penalty;           /* 1: off */
    uint64_t no_repeat_ngram_size;       /* 0: off */
    uint64_t min_length, min_new_tokens; /* 0: off; the latter, where it is set, counts alone */
    /* Warpers: sampling only, in this order. */
    double temperature; /* above 0 */
    uint64_t top_k;     /* 0: off */
    double top_p;       /* 1: off */
    double min_p;       /* 0: off */
    double typical_p;   /* 1: off */
    /* Ends. Lengths count real tokens; virtual ones never do. */
    uint64_t max_length;     /* input and new tokens together */
    uint64_t max_new_tokens; /* 0: max_length decides */
    uint32_t eos_ids[PT_MAX_EOS_IDS];
    size_t n_eos_ids;
};

/* The numbers among them. Options are named like the fields of generation_config.json, with "-" for "_". */
enum pt_generation_number {
    PT_REPETITION_PENALTY,
    PT_NO_REPEAT_NGRAM_SIZE,
    PT_MIN_LENGTH,
    PT_MIN_NEW_TOKENS,
    PT_TEMPERATURE,
    PT_TOP_K,
    PT_TOP_P,
    PT_MIN_P,
    PT_TYPICAL_P,
    PT_MAX_LENGTH,
    PT_MAX_NEW_TOKENS,
    PT_GENERATION_NUMBERS
};
extern const struct pt_generation_range {
    const char *name;
    size_t offset; /* of the field, a double or a uint64_t */
    bool real;
    bool warps; /* of no account where the best token is taken */
    double low, high;
} pt_generation_ranges[PT_GENERATION_NUMBERS];

/* The defaults, in which nothing ends a text. */
void pt_generation_defaults(struct pt_generation_settings *settings);
/*
 * What FOLDER/generation_config.json says on top; where there is none, what config.json says of the same
 * fields, as old files do: one of the two alone says what ends a text. A field that asks for what we do not do
 * (beam search, a list of bad words, ...) is PT_MISMATCH and named.
 */
int pt_generation_read(struct pt_generation_settings *settings, const char *folder,
                       struct pt_error *err) PT_MUST_USE;
/* True for an id that ends a text. */
bool pt_generation_ends(const struct pt_generation_settings *settings, uint32_t id);
/* How long a text that begins with n_input tokens may become: input and new tokens. */
uint64_t pt_generation_limit(const struct pt_generation_settings *settings, size_t n_input);

#endif
