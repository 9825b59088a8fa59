/*
 * Which token ends a text. The files beside the tokenizer are asked in the order in which the reference's own
 * classes do it.
 */
#include "text/tokenizer_inside.h"

#include "base/memory.h"
#include "fmt/json.h"

#include <string.h>

/* A token is written as a string or as an object with its "content". */
static const char *token_text(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
}

/* config.json has an id, or a list of them, of which the first counts. */
static bool id_of_config(const struct pt_tokenizer *tokenizer, uint32_t *id)
{
    const json_t *value = json_object_get(tokenizer->config, "eos_token_id");
    if (json_is_array(value))
        value = json_array_get(value, 0);
    int64_t number;
    if (!pt_json_is_whole(value, &number) || number < 0 || number > UINT32_MAX ||
        !pt_tokenizer_token(tokenizer, (uint32_t)number))
        return false;
    *id = (uint32_t)number;
    return true;
}

int pt_tokenizer_eos(const struct pt_tokenizer *tokenizer, const char *requested, uint32_t *id,
                     struct pt_error *err)
{
    if (requested)
        return pt_tokenizer_id(tokenizer, requested, id)
                   ? PT_OK
                   : pt_fail(err, PT_MISMATCH, "%s: the vocabulary has no token \"%.100s\"", tokenizer->name,
                             requested);
    const json_t *files[] = {tokenizer->tokenizer_config, tokenizer->special_tokens_map};
    for (int i = 0; i < 2; i++) {
        const char *token = token_text(files[i], "eos_token");
        if (token && pt_tokenizer_id(tokenizer, token, id))
            return PT_OK;
    }
    if (id_of_config(tokenizer, id) || pt_tokenizer_id(tokenizer, "</s>", id) ||
        pt_tokenizer_id(tokenizer, "<|endoftext|>", id))
        return PT_OK;
    pt_fail(err, PT_MISMATCH, "%s: no end-of-sequence token is known", tokenizer->name);
    return pt_error_hint(err, "name one with --eos");
}

int pt_tokenizer_check_appended(const struct pt_tokenizer *tokenizer, uint32_t id, struct pt_error *err)
{
    const struct pt_bpe_tokenizer *bpe = tokenizer->bpe;
    for (size_t i = 0; bpe && i < bpe->n_added; i++) {
        const struct pt_added_token *token = &bpe->added[i];
        if (token->id != id || (!token->lstrip && !token->single_word))
            continue;
        pt_fail(err, PT_MISMATCH, "%s: \"%.100s\" behind a text is not supported: it is \"%s\"",
                tokenizer->name, token->content, token->lstrip ? "lstrip" : "single_word");
        return pt_error_hint(err, "name another end-of-sequence token with --eos");
    }
    return PT_OK;
}
