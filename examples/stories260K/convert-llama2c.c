/*
 * Writes a checkpoint in llama2.c's layout as a folder in Hugging Face's.
 *
 *     convert-llama2c MODEL.bin TOKENIZER.bin FOLDER
 *
 * MODEL.bin (its version 0): seven int32 numbers (hidden size, size inside the MLP, layers, heads, key and
 * value heads, vocabulary (negative where the head is not the embedding), longest sequence), then f32
 * tensors one after the other, each for all layers. TOKENIZER.bin: an int32, then for each token its score
 * (f32), its length (int32) and its bytes.
 *
 * llama2.c turns neighbouring elements of a head together, Hugging Face's Llama element i with element i +
 * half of the head, so the rows of q and k change places. The tokenizer becomes a sentencepiece model, which
 * is a protocol buffer (sentencepiece_model.proto in its sources).
 */
#include "base/memory.h"
#include "fmt/json.h"
#include "fmt/safetensors.h"
#include "io/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HEADER_NUMBERS = 7, UNKNOWN = 0, BOS = 1, EOS = 2, FIRST_BYTE = 3, FIRST_PIECE = FIRST_BYTE + 256 };

struct shape {
    uint64_t hidden, inner, layers, heads, kv_heads, vocab, longest;
    bool tied;
};

/* What is still to be read of a mapped file. */
struct rest {
    const char *name;
    const uint8_t *bytes;
    size_t n;
};

static int take(struct rest *rest, uint64_t n, const void **bytes, struct pt_error *err)
{
    *bytes = rest->bytes;
    if (n > rest->n)
        return pt_fail(err, PT_BAD_INPUT, "%s: ends too early", rest->name);
    rest->bytes += n;
    rest->n -= n;
    return PT_OK;
}

static int read_shape(struct rest *rest, struct shape *shape, struct pt_error *err)
{
    int32_t numbers[HEADER_NUMBERS];
    const void *bytes;
    if (take(rest, sizeof numbers, &bytes, err))
        return (int)err->status;
    memcpy(numbers, bytes, sizeof numbers);
    bool tied = numbers[5] > 0;
    numbers[5] = numbers[5] < 0 ? -numbers[5] : numbers[5];
    for (size_t i = 0; i < HEADER_NUMBERS; i++)
        if (numbers[i] < 1 || numbers[i] > 1 << 20)
            return pt_fail(err, PT_BAD_INPUT, "%s: number %zu of its header is %d", rest->name, i + 1,
                           (int)numbers[i]);
    *shape =
        (struct shape){(uint64_t)numbers[0], (uint64_t)numbers[1], (uint64_t)numbers[2], (uint64_t)numbers[3],
                       (uint64_t)numbers[4], (uint64_t)numbers[5], (uint64_t)numbers[6], tied};
    if (shape->hidden % shape->heads || shape->hidden / shape->heads % 2 || shape->heads % shape->kv_heads)
        return pt_fail(err, PT_BAD_INPUT, "%s: its heads do not divide its hidden size", rest->name);
    return PT_OK;
}

/* ------------------------------------------------------------------------------------------ tensors */

/* One tensor of each layer: NAME has %u for the layer. `pairs_of` is the head dimension where rows change
 * places, else 0. */
struct kind {
    const char *name;
    uint64_t rows, columns; /* rows 0: a vector */
    uint64_t pairs_of;
};

/* Rows 0, 1, 2, 3, ... of each head become 0, 2, ... and then 1, 3, ... */
static float *split_pairs(const float *from, const struct kind *kind, struct pt_error *err)
{
    uint64_t half = kind->pairs_of / 2, columns = kind->columns;
    float *to = pt_new_floats((size_t)(kind->rows * columns), err);
    for (uint64_t row = 0; to && row < kind->rows; row++) {
        uint64_t head = row / kind->pairs_of * kind->pairs_of, i = row - head;
        uint64_t source = head + (i < half ? 2 * i : 2 * (i - half) + 1);
        memcpy(to + row * columns, (const char *)from + source * columns * sizeof *to, columns * sizeof *to);
    }
    return to;
}

static int add_tensor(struct pt_tensors *set, struct rest *rest, const struct kind *kind, unsigned layer,
                      struct pt_error *err)
{
    char name[96];
    const void *bytes;
    uint64_t rows = kind->rows ? kind->rows : 1;
    const uint64_t shape[2] = {kind->rows ? kind->rows : kind->columns, kind->columns};
    snprintf(name, sizeof name, kind->name, layer);
    if (take(rest, rows * kind->columns * sizeof(float), &bytes, err))
        return (int)err->status;
    if (kind->pairs_of) {
        float *split = split_pairs(bytes, kind, err);
        if (!split || pt_tensors_keep(set, split, err))
            return (int)err->status;
        bytes = split;
    }
    return pt_tensors_add(set, name, PT_F32, kind->rows ? 2 : 1, shape, bytes, err);
}

static int add_tensors(struct pt_tensors *set, struct rest *rest, const struct shape *shape,
                       struct pt_error *err)
{
#define LAYER "model.layers.%u."
    const uint64_t hidden = shape->hidden, head = hidden / shape->heads, kv = head * shape->kv_heads;
    const struct kind embedding = {"model.embed_tokens.weight", shape->vocab, hidden, 0};
    const struct kind in_layers[] = {
        {LAYER "input_layernorm.weight", 0, hidden, 0},
        {LAYER "self_attn.q_proj.weight", hidden, hidden, head},
        {LAYER "self_attn.k_proj.weight", kv, hidden, head},
        {LAYER "self_attn.v_proj.weight", kv, hidden, 0},
        {LAYER "self_attn.o_proj.weight", hidden, hidden, 0},
        {LAYER "post_attention_layernorm.weight", 0, hidden, 0},
        {LAYER "mlp.gate_proj.weight", shape->inner, hidden, 0},
        {LAYER "mlp.down_proj.weight", hidden, shape->inner, 0},
        {LAYER "mlp.up_proj.weight", shape->inner, hidden, 0},
    };
    const struct kind final_norm = {"model.norm.weight", 0, hidden, 0};
    const struct kind output = {"lm_head.weight", shape->vocab, hidden, 0};
    const void *angles;
    if (add_tensor(set, rest, &embedding, 0, err))
        return (int)err->status;
    for (size_t i = 0; i < sizeof in_layers / sizeof in_layers[0]; i++)
        for (unsigned layer = 0; layer < shape->layers; layer++)
            if (add_tensor(set, rest, &in_layers[i], layer, err))
                return (int)err->status;
    /* Sines and cosines of all positions follow, which nobody needs. */
    if (add_tensor(set, rest, &final_norm, 0, err) ||
        take(rest, shape->longest * head * sizeof(float), &angles, err))
        return (int)err->status;
    if (!shape->tied && add_tensor(set, rest, &output, 0, err))
        return (int)err->status;
    return rest->n ? pt_fail(err, PT_BAD_INPUT, "%s: %zu bytes too long", rest->name, rest->n) : PT_OK;
}

/* ---------------------------------------------------------------------------------------- tokenizer */

static int add_number(struct pt_buffer *to, uint64_t number, struct pt_error *err)
{
    do {
        unsigned char byte = (unsigned char)((number & 127) | (number > 127 ? 128 : 0));
        if (pt_buffer_append(to, &byte, 1, err))
            return (int)err->status;
    } while (number >>= 7);
    return PT_OK;
}

static int add_number_field(struct pt_buffer *to, unsigned field, uint64_t number, struct pt_error *err)
{
    return add_number(to, field << 3, err) || add_number(to, number, err) ? (int)err->status : PT_OK;
}

static int add_bytes_field(struct pt_buffer *to, unsigned field, const void *bytes, size_t n,
                           struct pt_error *err)
{
    return add_number(to, field << 3 | 2, err) || add_number(to, n, err) ||
                   pt_buffer_append(to, bytes, n, err)
               ? (int)err->status
               : PT_OK;
}

/* Spaces are written as U+2581. */
static int add_text(struct pt_buffer *to, const char *bytes, size_t n, struct pt_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] == ' ' ? pt_buffer_append(to, "\xE2\x96\x81", 3, err)
                            : pt_buffer_append(to, bytes + i, 1, err))
            return (int)err->status;
    return PT_OK;
}

static int add_piece(struct pt_buffer *model, uint64_t id, const char *bytes, size_t n, const void *score,
                     struct pt_error *err)
{
    enum { NORMAL = 1, UNKNOWN_TYPE = 2, CONTROL = 3, BYTE = 6 };
    static const char *const controls[] = {[BOS] = "<s>", [EOS] = "</s>"};
    uint64_t type = id == UNKNOWN      ? UNKNOWN_TYPE
                    : id < FIRST_BYTE  ? CONTROL
                    : id < FIRST_PIECE ? BYTE
                                       : NORMAL;
    struct pt_buffer text = {0}, piece = {0};
    const unsigned char score_key = 2 << 3 | 5;
    int status = type == CONTROL ? pt_buffer_append(&text, controls[id], strlen(controls[id]), err)
                                 : add_text(&text, bytes, n, err);
    if (!status && !add_bytes_field(&piece, 1, text.data, text.size, err) &&
        !pt_buffer_append(&piece, &score_key, 1, err) &&
        !pt_buffer_append(&piece, score, sizeof(float), err) && !add_number_field(&piece, 3, type, err))
        (void)!add_bytes_field(model, 1, piece.data, piece.size, err);
    pt_buffer_free(&text);
    pt_buffer_free(&piece);
    return (int)err->status;
}

/* Byte pair encoding with bytes for what has no piece, nothing normalised, a space in front of each text. */
static int add_settings(struct pt_buffer *model, struct pt_error *err)
{
    struct pt_buffer trainer = {0}, normalizer = {0};
    if (!add_number_field(&trainer, 3, 2, err) && !add_number_field(&trainer, 35, 1, err) &&
        !add_bytes_field(&normalizer, 1, "identity", 8, err) && !add_number_field(&normalizer, 3, 1, err) &&
        !add_number_field(&normalizer, 4, 0, err) && !add_number_field(&normalizer, 5, 1, err) &&
        !add_bytes_field(model, 2, trainer.data, trainer.size, err))
        (void)!add_bytes_field(model, 3, normalizer.data, normalizer.size, err);
    pt_buffer_free(&trainer);
    pt_buffer_free(&normalizer);
    return (int)err->status;
}

static int add_pieces(struct pt_buffer *model, struct rest *rest, uint64_t vocab, struct pt_error *err)
{
    const void *longest, *score, *length, *bytes;
    if (take(rest, sizeof(int32_t), &longest, err))
        return (int)err->status;
    for (uint64_t id = 0; id < vocab; id++) {
        int32_t n;
        if (take(rest, sizeof(float), &score, err) || take(rest, sizeof n, &length, err))
            return (int)err->status;
        memcpy(&n, length, sizeof n);
        if (n < 0)
            return pt_fail(err, PT_BAD_INPUT, "%s: token %llu is %d bytes long", rest->name,
                           (unsigned long long)id, (int)n);
        if (take(rest, (uint64_t)n, &bytes, err) || add_piece(model, id, bytes, (size_t)n, score, err))
            return (int)err->status;
    }
    return PT_OK;
}

/* -------------------------------------------------------------------------------------------- files */

static int write_bytes(const char *folder, const char *name, const void *bytes, size_t n,
                       struct pt_error *err)
{
    struct pt_sink *sink;
    char *path = pt_new_format(err, "%s/%s", folder, name);
    if (path && !pt_sink_open(&sink, path, err)) {
        if (pt_sink_write(sink, bytes, n, err))
            pt_sink_discard(sink);
        else
            (void)!pt_sink_commit(sink, err);
    }
    free(path);
    return (int)err->status;
}

static int write_config(const char *folder, const struct shape *shape, struct pt_error *err)
{
    struct pt_buffer text = {0};
    if (!pt_buffer_append_format(
            &text, err,
            "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"hidden_size\": %llu, "
            "\"intermediate_size\": %llu, \"num_hidden_layers\": %llu, \"num_attention_heads\": %llu, "
            "\"num_key_value_heads\": %llu, \"vocab_size\": %llu, \"max_position_embeddings\": %llu, "
            "\"hidden_act\": \"silu\", \"rms_norm_eps\": 1e-05, \"rope_theta\": 10000.0, "
            "\"tie_word_embeddings\": %s, \"bos_token_id\": %d, \"eos_token_id\": %d}\n",
            (unsigned long long)shape->hidden, (unsigned long long)shape->inner,
            (unsigned long long)shape->layers, (unsigned long long)shape->heads,
            (unsigned long long)shape->kv_heads, (unsigned long long)shape->vocab,
            (unsigned long long)shape->longest, shape->tied ? "true" : "false", BOS, EOS))
        (void)!write_bytes(folder, "config.json", text.data, text.size, err);
    pt_buffer_free(&text);
    return (int)err->status;
}

static int write_tensors(const char *folder, const struct pt_tensors *set, struct pt_error *err)
{
    struct pt_sink *sink;
    char *path = pt_new_format(err, "%s/model.safetensors", folder);
    if (path && !pt_sink_open(&sink, path, err)) {
        if (pt_safetensors_write(sink, set, false, err))
            pt_sink_discard(sink);
        else
            (void)!pt_sink_commit(sink, err);
    }
    free(path);
    return (int)err->status;
}

static int convert_model(const char *path, const char *folder, uint64_t *vocab, struct pt_error *err)
{
    struct pt_map map;
    struct shape shape = {0};
    struct pt_tensors set = {0};
    if (pt_map_open(&map, path, err))
        return (int)err->status;
    struct rest rest = {path, map.data, map.size};
    if (!read_shape(&rest, &shape, err) && !add_tensors(&set, &rest, &shape, err) &&
        !write_tensors(folder, &set, err) && !write_config(folder, &shape, err))
        *vocab = shape.vocab;
    pt_tensors_free(&set);
    pt_map_close(&map);
    return (int)err->status;
}

static int convert_tokenizer(const char *path, const char *folder, uint64_t vocab, struct pt_error *err)
{
    struct pt_map map;
    struct pt_buffer model = {0};
    if (pt_map_open(&map, path, err))
        return (int)err->status;
    struct rest rest = {path, map.data, map.size};
    if (!add_pieces(&model, &rest, vocab, err) && !add_settings(&model, err))
        (void)!write_bytes(folder, "tokenizer.model", model.data, model.size, err);
    pt_buffer_free(&model);
    pt_map_close(&map);
    return (int)err->status;
}

int main(int argc, char **argv)
{
    struct pt_error err = {0};
    uint64_t vocab = 0;
    if (argc != 4) {
        fprintf(stderr, "usage: convert-llama2c MODEL.bin TOKENIZER.bin FOLDER\n");
        return PT_USAGE;
    }
    mkdir(argv[3], 0777);
    if (convert_model(argv[1], argv[3], &vocab, &err) || convert_tokenizer(argv[2], argv[3], vocab, &err))
        fprintf(stderr, "convert-llama2c: %s\n", err.message);
    return (int)err.status;
}
