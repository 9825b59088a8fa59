/*
 * The decoder of a tokenizer.json. Its steps come in the order that decoding.h knows (replacements, bytes,
 * everything joined, the beginning stripped), of which some may be absent; or the only one is ByteLevel.
 */
#include "text/tokenizer_steps.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "fmt/json.h"

#include <string.h>

int pt_step_metaspace(const json_t *step, const char *part, struct pt_metaspace *metaspace,
                      struct pt_error *err)
{
    static const char *const schemes[] = {"never", "first", "always"};
    const char *blank = "", *scheme = "always";
    bool found, has_scheme, add_prefix_space = true;
    if (pt_json_get_string(step, "replacement", part, &blank, &found, err) ||
        pt_json_get_string(step, "prepend_scheme", part, &scheme, &has_scheme, err) ||
        pt_json_get_bool(step, "add_prefix_space", part, &add_prefix_space, &found, err))
        return (int)err->status;
    size_t n = strlen(blank);
    if (!n || pt_utf8_decode(blank, n, NULL) != n)
        return pt_fail(err, PT_BAD_INPUT, "%s: its replacement is not one character", part);
    memcpy(metaspace->blank, blank, n + 1);
    /* Files from before there were schemes have the flag alone. */
    if (!add_prefix_space && !has_scheme)
        scheme = "never";
    for (int i = 0; i < 3; i++)
        if (strcmp(scheme, schemes[i]) == 0) {
            metaspace->prefixing = (enum pt_prefixing)i;
            return add_prefix_space || i == PT_PREFIX_NONE
                       ? PT_OK
                       : pt_fail(err, PT_BAD_INPUT, "%s: add_prefix_space contradicts prepend_scheme", part);
        }
    return pt_fail(err, PT_BAD_INPUT, "%s: unknown prepend_scheme \"%.100s\"", part, scheme);
}

static int add_replacement(struct pt_decoding *decoding, const char *pattern, const char *text,
                           bool vanishes_first, struct pt_error *err)
{
    if (pt_reserve(&decoding->replacements, &decoding->capacity, decoding->n_replacements + 1,
                   sizeof *decoding->replacements, err))
        return (int)err->status;
    struct pt_decoding_replacement *replacement = &decoding->replacements[decoding->n_replacements++];
    *replacement = (struct pt_decoding_replacement){.pattern = pt_new_string(pattern, err),
                                                    .text = pt_new_string(text, err),
                                                    .vanishes_first = vanishes_first};
    return (int)err->status;
}

static int read_replace(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    const char *pattern, *text;
    return pt_step_replace(step, "decoder", &pattern, &text, err)
               ? (int)err->status
               : add_replacement(&tokenizer->decoding, pattern, text, false, err);
}

static int read_metaspace(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    struct pt_metaspace metaspace;
    if (pt_step_metaspace(step, "decoder Metaspace", &metaspace, err))
        return (int)err->status;
    return add_replacement(&tokenizer->decoding, metaspace.blank, " ", metaspace.prefixing != PT_PREFIX_NONE,
                           err);
}

static int read_byte_level(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    (void)step, (void)err;
    tokenizer->decoding.byte_level = true;
    return PT_OK;
}

static int read_byte_fallback(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    (void)step, (void)err;
    tokenizer->decoding.byte_fallback = true;
    return PT_OK;
}

static int read_fuse(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    (void)step, (void)err;
    tokenizer->decoding.is_joined = true;
    return PT_OK;
}

static int read_strip(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err)
{
    struct pt_decoding *decoding = &tokenizer->decoding;
    const char *content = "";
    uint64_t stop = 0;
    bool found;
    if (pt_json_get_string(step, "content", "decoder Strip", &content, &found, err) ||
        pt_json_get_u64(step, "start", "decoder Strip", &decoding->n_stripped, &found, err) ||
        pt_json_get_u64(step, "stop", "decoder Strip", &stop, &found, err))
        return (int)err->status;
    size_t n = strlen(content);
    if (!n || pt_utf8_decode(content, n, NULL) != n)
        return pt_fail(err, PT_BAD_INPUT, "decoder Strip: its content is not one character");
    if (stop)
        return pt_fail(err, PT_MISMATCH, "decoder Strip: \"stop\" is not supported");
    decoding->stripped = pt_new_string(content, err);
    return (int)err->status;
}

/* In the order of decoding.h: a step stands behind those of a lower place. */
enum place { NOTHING, IN_TOKENS, BYTES, JOINED, STRIPPED, BYTE_LEVEL };

static enum place place_reached(const struct pt_decoding *decoding)
{
    return decoding->byte_level       ? BYTE_LEVEL
           : decoding->stripped       ? STRIPPED
           : decoding->is_joined      ? JOINED
           : decoding->byte_fallback  ? BYTES
           : decoding->n_replacements ? IN_TOKENS
                                      : NOTHING;
}

static const struct kind {
    const char *type;
    enum place least, most; /* how far those in front of it may have come */
    int (*read)(struct pt_bpe_tokenizer *tokenizer, const json_t *step, struct pt_error *err);
} kinds[] = {
    {"Replace", NOTHING, IN_TOKENS, read_replace},
    {"Metaspace", NOTHING, IN_TOKENS, read_metaspace},
    {"ByteFallback", NOTHING, IN_TOKENS, read_byte_fallback},
    {"Fuse", NOTHING, BYTES, read_fuse},
    {"Strip", JOINED, JOINED, read_strip},
    {"ByteLevel", NOTHING, NOTHING, read_byte_level},
};

static int read_decoder(struct pt_bpe_tokenizer *tokenizer, const json_t *step, int depth,
                        struct pt_error *err)
{
    const char *type;
    const struct kind *kind = NULL;
    if (pt_step_type(step, "decoder", &type, err))
        return (int)err->status;
    if (strcmp(type, "Sequence") == 0)
        return pt_step_sequence(tokenizer, json_object_get(step, "decoders"), "decoder", depth, read_decoder,
                                err);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, type) == 0)
            kind = &kinds[i];
    if (!kind)
        return pt_step_unsupported("decoder", type, err);
    enum place reached = place_reached(&tokenizer->decoding);
    if (reached < kind->least || reached > kind->most)
        return pt_fail(err, PT_MISMATCH, "decoder %s at this place of a Sequence is not supported", type);
    return kind->read(tokenizer, step, err);
}

int pt_read_decoder(struct pt_bpe_tokenizer *tokenizer, const json_t *decoder, struct pt_error *err)
{
    if (!decoder || json_is_null(decoder))
        return pt_fail(err, PT_MISMATCH, "a tokenizer without a decoder is not supported");
    return read_decoder(tokenizer, decoder, 0, err);
}
