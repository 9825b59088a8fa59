/*
 * tokenizer.json, and encoding and decoding with whatever it describes.
 */
#include "input_file.h"
#include "text/tokenizer.h"

static void encode_and_decode(const struct pt_tokenizer *tokenizer)
{
    static const char text[] = "Human: 周末去重庆怎么玩?\n\nAssistant: </s> 12";
    struct pt_error err = {0};
    struct pt_encoder *encoder = NULL;
    struct pt_decoder *decoder = NULL;
    struct pt_words ids = {0};
    struct pt_buffer decoded = {0};
    int status = pt_encoder_new(&encoder, tokenizer, &err);
    if (!status)
        status = pt_encode(encoder, text, sizeof text - 1, true, &ids, &err);
    if (!status)
        status = pt_decoder_new(&decoder, tokenizer, false, &err);
    for (size_t i = 0; !status && i < ids.n; i++)
        status = pt_decoder_push(decoder, ids.data[i], &decoded, &err);
    if (!status)
        status = pt_decoder_finish(decoder, &decoded, &err);
    if (status && !err.message[0])
        __builtin_trap();
    pt_decoder_free(decoder);
    pt_encoder_free(encoder);
    pt_words_free(&ids);
    pt_buffer_free(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct pt_error err = {0};
    struct pt_tokenizer *tokenizer = NULL;
    if (pt_tokenizer_open(&tokenizer, input_file(bytes, n, "tokenizer.json"), &err))
        return 0;
    encode_and_decode(tokenizer);
    pt_tokenizer_close(tokenizer);
    return 0;
}
