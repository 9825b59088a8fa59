/*
 * Opening a tokenizer and asking it for its vocabulary. Which kind it is, the files say.
 */
#include "text/tokenizer_inside.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "fmt/json.h"
#include "io/folder.h"
#include "io/source.h"
#include "text/gpt2_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A tokenizer file beyond this is refused. */
#define LARGEST_FILE (UINT64_C(1) << 30)

static int load_config(json_t **value, const struct pt_folder *folder, const char *name, const char *path,
                       struct pt_error *err)
{
    if (!pt_folder_has(folder, name))
        return PT_OK;
    char *full = pt_new_format(err, "%s/%s", path, name);
    if (full)
        (void)!pt_json_load_object(value, folder, name, full, err);
    free(full);
    return (int)err->status;
}

static int read_one_file(struct pt_tokenizer *tokenizer, const struct pt_folder *folder, const char *name,
                         struct pt_buffer *bytes, struct pt_error *err)
{
    if (!pt_folder_read(folder, name, LARGEST_FILE, bytes, err))
        tokenizer->fingerprint = pt_fingerprint_of(bytes->data, bytes->size);
    return (int)err->status;
}

/* Two files in place of tokenizer.json. */
static int read_gpt2_files(struct pt_tokenizer *tokenizer, const struct pt_folder *folder,
                           struct pt_buffer *bytes, struct pt_error *err)
{
    struct pt_buffer buffers[2] = {{0}};
    const struct pt_gpt2_settings settings = {tokenizer->tokenizer_config, tokenizer->special_tokens_map,
                                              tokenizer->config, pt_folder_has(folder, "added_tokens.json")};
    if (!pt_folder_read(folder, PT_GPT2_VOCABULARY, LARGEST_FILE, &buffers[0], err) &&
        !pt_folder_read(folder, PT_GPT2_MERGES, LARGEST_FILE, &buffers[1], err)) {
        if (pt_gpt2_fingerprint(&tokenizer->fingerprint, buffers[0].data, buffers[0].size, buffers[1].data,
                                buffers[1].size, err) ||
            pt_gpt2_document((struct pt_json_slice){buffers[0].data, buffers[0].size},
                             (struct pt_json_slice){buffers[1].data, buffers[1].size}, &settings, bytes, err))
            pt_error_in(err, "%s", tokenizer->name);
    }
    pt_buffer_free(&buffers[0]);
    pt_buffer_free(&buffers[1]);
    return (int)err->status;
}

static int read_from_folder(struct pt_tokenizer *tokenizer, const char *path, struct pt_buffer *bytes,
                            struct pt_error *err)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.model", PT_GPT2_VOCABULARY};
    struct pt_folder *folder;
    size_t i = 0;
    if (pt_folder_open(&folder, path, err))
        return (int)err->status;
    while (i < 2 && !pt_folder_has(folder, names[i]))
        i++;
    tokenizer->name = pt_new_format(err, "%s/%s", path, names[i]);
    if (i == 2 && !(pt_folder_has(folder, PT_GPT2_VOCABULARY) && pt_folder_has(folder, PT_GPT2_MERGES)))
        pt_fail(err, PT_BAD_INPUT,
                "%s: neither tokenizer.json nor tokenizer.model nor vocab.json with merges.txt is there",
                path);
    else if (tokenizer->name &&
             !load_config(&tokenizer->tokenizer_config, folder, "tokenizer_config.json", path, err) &&
             !load_config(&tokenizer->special_tokens_map, folder, "special_tokens_map.json", path, err) &&
             !load_config(&tokenizer->config, folder, "config.json", path, err))
        (void)!(i == 2 ? read_gpt2_files(tokenizer, folder, bytes, err)
                       : read_one_file(tokenizer, folder, names[i], bytes, err));
    pt_folder_close(folder);
    return (int)err->status;
}

static int read_file(struct pt_tokenizer *tokenizer, const char *path, struct pt_buffer *bytes,
                     struct pt_error *err)
{
    struct pt_source *source;
    const char *slash = strrchr(path, '/');
    if (!strcmp(slash ? slash + 1 : path, PT_GPT2_VOCABULARY))
        return pt_fail(err, PT_MISMATCH, "%s: is half a tokenizer; name its folder, which has %s too", path,
                       PT_GPT2_MERGES);
    tokenizer->name = pt_new_string(path, err);
    if (!tokenizer->name || pt_source_open(&source, path, err))
        return (int)err->status;
    if (!pt_source_read_all(source, LARGEST_FILE, bytes, err))
        tokenizer->fingerprint = pt_fingerprint_of(bytes->data, bytes->size);
    pt_source_close(source);
    return (int)err->status;
}

/* A name that ends so, or would but for the layer of compression. */
static bool has_ending(const char *name, const char *ending)
{
    static const char *const layers[] = {"", ".gz", ".xz", ".zst"};
    const char *at = strstr(name, ending);
    for (size_t i = 0; at && i < sizeof layers / sizeof *layers; i++)
        if (!strcmp(at + strlen(ending), layers[i]))
            return true;
    return false;
}

/* JSON, or a SentencePiece model: neither an archive nor anything compressed begins so. */
static bool begins_like_tokenizer(const char *path)
{
    FILE *file = fopen(path, "re");
    const int first = file ? getc(file) : EOF;
    if (file)
        fclose(file);
    return first == '{' || first == 0xef || first == '\n';
}

/* A folder may be an archive: what neither is a folder nor looks like a tokenizer file is tried as one. */
static bool is_tokenizer_file(const char *path)
{
    struct stat status;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode))
        return false;
    return has_ending(name, ".json") || has_ending(name, ".model") ||
           (exists && S_ISREG(status.st_mode) && begins_like_tokenizer(path));
}

static bool looks_like_json(const struct pt_buffer *bytes)
{
    size_t at = bytes->size >= 3 && memcmp(bytes->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < bytes->size && pt_is_json_blank(bytes->data[at]))
        at++;
    return at < bytes->size && bytes->data[at] == '{';
}

/* Begin- and end-of-sequence as tokenizer_config.json says, and without it as Llama's tokenizer does: only
 * the former. */
static int set_sentencepiece_specials(struct pt_tokenizer *tokenizer, struct pt_error *err)
{
    int64_t bos = pt_sentencepiece_bos(tokenizer->sentencepiece),
            eos = pt_sentencepiece_eos(tokenizer->sentencepiece);
    bool add_bos = true, add_eos = false, found;
    const json_t *config = tokenizer->tokenizer_config;
    if (config &&
        (pt_json_get_bool(config, "add_bos_token", "tokenizer_config.json", &add_bos, &found, err) ||
         pt_json_get_bool(config, "add_eos_token", "tokenizer_config.json", &add_eos, &found, err)))
        return (int)err->status;
    if (add_bos && bos >= 0 && pt_words_push(&tokenizer->front, (uint32_t)bos, err))
        return (int)err->status;
    if (add_eos && eos >= 0 && pt_words_push(&tokenizer->behind, (uint32_t)eos, err))
        return (int)err->status;
    return PT_OK;
}

static bool read_varint(const struct pt_buffer *bytes, size_t *at, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; *at < bytes->size && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)bytes->data[(*at)++];
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* A file that was cut between two fields is a sound model of fewer pieces, or one without its normalizer: the
 * library takes it. The trainer writes the normalizer (sentencepiece_model.proto, ModelProto) behind both. */
static bool has_normalizer(const struct pt_buffer *bytes)
{
    enum { NORMALIZER_SPEC = 3, LENGTH_DELIMITED = 2 };
    uint64_t tag, n;
    for (size_t at = 0; read_varint(bytes, &at, &tag) && (tag & 7) == LENGTH_DELIMITED &&
                        read_varint(bytes, &at, &n) && n <= bytes->size - at;
         at += n)
        if (tag >> 3 == NORMALIZER_SPEC)
            return true;
    return false;
}

static int open_sentencepiece(struct pt_tokenizer *tokenizer, const struct pt_buffer *bytes,
                              struct pt_error *err)
{
    char reason[300];
    if (pt_is_lfs_pointer(bytes->data, bytes->size))
        return pt_refuse_lfs_pointer(tokenizer->name, err);
    tokenizer->sentencepiece = pt_sentencepiece_new(bytes->data, bytes->size, reason, sizeof reason);
    if (!tokenizer->sentencepiece)
        return pt_fail(err, PT_BAD_INPUT, "%s: not a SentencePiece model: %s", tokenizer->name, reason);
    if (!has_normalizer(bytes))
        return pt_fail(err, PT_BAD_INPUT, "%s: the SentencePiece model is cut short: it has no normalizer",
                       tokenizer->name);
    return set_sentencepiece_specials(tokenizer, err);
}

static bool puts_blank_in_front(const struct pt_bpe_tokenizer *bpe)
{
    for (size_t i = 0; i < bpe->normalizer.n; i++)
        if (bpe->normalizer.steps[i].kind == PT_NORMALIZE_PREPEND)
            return true;
    for (size_t i = 0; i < bpe->n_pre_steps; i++)
        if (bpe->pre_steps[i].prefixing != PT_PREFIX_NONE)
            return true;
    return false;
}

/* Of the reference's classes these build the tokenizer anew and go by "add_prefix_space" beside it (a Llama's
 * where the folder is one of that model, and not one of bytes); the others take tokenizer.json as it is. */
static bool builds_prefix_anew(const struct pt_tokenizer *tokenizer)
{
    static const char *const classes[] = {"GPT2Tokenizer", "GPTNeoXTokenizer", "Qwen2Tokenizer"};
    const char *model_type = json_string_value(json_object_get(tokenizer->config, "model_type"));
    const char *class = json_string_value(json_object_get(tokenizer->tokenizer_config, "tokenizer_class"));
    if (!class)
        class = model_type && strcmp(model_type, "gpt2") == 0 ? classes[0] : "";
    size_t n = strlen(class), n_fast = n >= 4 && strcmp(class + n - 4, "Fast") == 0 ? n - 4 : n;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i]) == n_fast && memcmp(classes[i], class, n_fast) == 0)
            return true;
    return n_fast == strlen("LlamaTokenizer") && memcmp(class, "LlamaTokenizer", n_fast) == 0 &&
           !tokenizer->bpe->is_byte_level && (!model_type || strcmp(model_type, "llama") == 0);
}

static int check_prefix_space(const struct pt_tokenizer *tokenizer, struct pt_error *err)
{
    const json_t *stated = json_object_get(tokenizer->tokenizer_config, "add_prefix_space");
    if (!json_is_boolean(stated) || json_is_true(stated) == puts_blank_in_front(tokenizer->bpe) ||
        !builds_prefix_anew(tokenizer))
        return PT_OK;
    pt_fail(err, PT_MISMATCH, "%s: tokenizer_config.json contradicts it: \"add_prefix_space\" is %s",
            tokenizer->name, json_is_true(stated) ? "true" : "false");
    return pt_error_hint(err, "AutoTokenizer.from_pretrained and save_pretrained write a tokenizer.json that "
                              "has what transformers does");
}

static int open_bpe(struct pt_tokenizer *tokenizer, const struct pt_buffer *bytes, struct pt_error *err)
{
    if (pt_bpe_tokenizer_new(&tokenizer->bpe, bytes->data, bytes->size, tokenizer->name, err))
        return (int)err->status;
    return check_prefix_space(tokenizer, err);
}

int pt_tokenizer_open(struct pt_tokenizer **out, const char *path, struct pt_error *err)
{
    struct pt_buffer bytes = {0};
    struct pt_tokenizer *tokenizer = pt_new_array(1, sizeof *tokenizer, err);
    if (!tokenizer)
        return (int)err->status;
    int status = is_tokenizer_file(path) ? read_file(tokenizer, path, &bytes, err)
                                         : read_from_folder(tokenizer, path, &bytes, err);
    if (!status && bytes.size == 0)
        status = pt_fail(err, PT_BAD_INPUT, "%s: the file is empty", tokenizer->name);
    if (!status) {
        const char *slash = strrchr(tokenizer->name, '/');
        bool json = strstr(slash ? slash : tokenizer->name, ".json") || looks_like_json(&bytes);
        status = json ? open_bpe(tokenizer, &bytes, err) : open_sentencepiece(tokenizer, &bytes, err);
    }
    pt_buffer_free(&bytes);
    if (status) {
        pt_tokenizer_close(tokenizer);
        return (int)err->status;
    }
    *out = tokenizer;
    return PT_OK;
}

void pt_tokenizer_close(struct pt_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    free(tokenizer->name);
    pt_bpe_tokenizer_free(tokenizer->bpe);
    if (tokenizer->sentencepiece)
        pt_sentencepiece_free(tokenizer->sentencepiece);
    pt_words_free(&tokenizer->front);
    pt_words_free(&tokenizer->behind);
    json_decref(tokenizer->tokenizer_config);
    json_decref(tokenizer->special_tokens_map);
    json_decref(tokenizer->config);
    free(tokenizer);
}

struct pt_fingerprint pt_tokenizer_fingerprint(const struct pt_tokenizer *tokenizer)
{
    return tokenizer->fingerprint;
}

int pt_tokenizer_match(const char *name, const char *fingerprint, const char *other,
                       const char *other_fingerprint, struct pt_error *err)
{
    bool known = fingerprint && *fingerprint && other_fingerprint && *other_fingerprint;
    if (!known || !strcmp(fingerprint, other_fingerprint))
        return PT_OK;
    pt_fail(err, PT_MISMATCH, "%s: made with the tokenizer %s, but %s has %s", name, fingerprint, other,
            other_fingerprint);
    return pt_error_hint(err, "--ignore-fingerprint goes on");
}

uint32_t pt_tokenizer_vocab_size(const struct pt_tokenizer *tokenizer)
{
    return tokenizer->bpe ? (uint32_t)tokenizer->bpe->vocabulary.n_ids
                          : pt_sentencepiece_size(tokenizer->sentencepiece);
}

const char *pt_tokenizer_kind(const struct pt_tokenizer *tokenizer)
{
    if (!tokenizer->bpe)
        return "SentencePiece";
    return tokenizer->bpe->is_byte_level ? "byte-level BPE" : "BPE";
}

bool pt_tokenizer_id(const struct pt_tokenizer *tokenizer, const char *token, uint32_t *id)
{
    return tokenizer->bpe ? pt_vocabulary_find(&tokenizer->bpe->vocabulary, token, strlen(token), id)
                          : pt_sentencepiece_find(tokenizer->sentencepiece, token, id);
}

const char *pt_tokenizer_token(const struct pt_tokenizer *tokenizer, uint32_t id)
{
    if (tokenizer->bpe)
        return pt_vocabulary_token(&tokenizer->bpe->vocabulary, id, NULL);
    return id < pt_sentencepiece_size(tokenizer->sentencepiece)
               ? pt_sentencepiece_piece(tokenizer->sentencepiece, id)
               : NULL;
}
