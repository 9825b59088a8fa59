/*
 * vocab.json, merges.txt and tokenizer_config.json, which zero bytes part: whatever is made of them is a
 * tokenizer.json that is read or refused.
 */
#include "fmt/json.h"
#include "text/bpe_tokenizer.h"
#include "text/gpt2_files.h"

#include <string.h>

static struct pt_json_slice cut(const char **text, const char *end)
{
    const char *stop = memchr(*text, 0, (size_t)(end - *text));
    if (!stop)
        stop = end;
    const struct pt_json_slice part = {*text, (size_t)(stop - *text)};
    *text = stop < end ? stop + 1 : end;
    return part;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *text = (const char *)bytes, *end = text + n;
    const struct pt_json_slice vocabulary = cut(&text, end), merges = cut(&text, end),
                               config = cut(&text, end);
    struct pt_error err = {0};
    struct pt_buffer document = {0};
    json_t *settings = NULL;
    if (!pt_json_parse(&settings, config.text, config.n, "tokenizer_config.json", &err) &&
        !pt_gpt2_document(vocabulary, merges, &(struct pt_gpt2_settings){.tokenizer_config = settings},
                          &document, &err)) {
        struct pt_bpe_tokenizer *tokenizer = NULL;
        if (!pt_bpe_tokenizer_new(&tokenizer, document.data, document.size, "vocab.json", &err))
            pt_bpe_tokenizer_free(tokenizer);
    }
    if (err.status && !err.message[0])
        __builtin_trap();
    json_decref(settings);
    pt_buffer_free(&document);
    return 0;
}
