/*
 * Writes a model with random weights as a folder: for measuring, and for tests at real size.
 *
 *     generate-checkpoint [--layers 24] [--hidden 2048] [--heads 16] [--vocab 46145] [--dtype f32|f16|bf16]
 * [--seed 1] FOLDER
 *     generate-checkpoint --config CONFIG.JSON [--dtype f32|f16|bf16] [--seed 1] FOLDER
 *
 * It is a BLOOM, by default of bloom-1b4-zh's shape, or whatever family and shape the configuration says. All
 * matrices are windows of one table of normal numbers, each at a place of its own, so that the largest takes
 * as long as all of them.
 */
#include "base/memory.h"
#include "base/number.h"
#include "base/rng.h"
#include "fmt/json.h"
#include "fmt/safetensors.h"
#include "model/model.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLACES = 1 << 22 }; /* where a window may begin */

static const float DEVIATION = 0.02f;

struct settings {
    uint64_t layers, hidden, heads, vocab, seed;
    enum pt_dtype dtype;
    const char *config; /* a file, or NULL: a BLOOM of these sizes */
    const char *folder;
};

/* Random elements in the checkpoint's dtype: norms' weights lie around 1, everything else around 0. */
struct table {
    void *around_zero; /* [n] */
    void *around_one;  /* [n] */
    struct pt_rng rng;
};

static void store(void *to, enum pt_dtype dtype, size_t i, float value)
{
    if (dtype == PT_F32)
        ((float *)to)[i] = value;
    else
        ((uint16_t *)to)[i] = dtype == PT_F16 ? pt_f16_from_f32(value) : pt_bf16_from_f32(value);
}

static void *random_elements(struct pt_rng *rng, enum pt_dtype dtype, size_t n, float mean,
                             struct pt_error *err)
{
    enum { CHUNK = 1 << 16 };
    static float values[CHUNK];
    void *elements = pt_new_array(n, pt_dtype_bytes(dtype), err);
    for (size_t at = 0; elements && at < n; at += CHUNK) {
        size_t some = n - at < CHUNK ? n - at : CHUNK;
        pt_rng_normal(rng, some, values);
        for (size_t i = 0; i < some; i++)
            store(elements, dtype, at + i, mean + DEVIATION * values[i]);
    }
    return elements;
}

static uint64_t largest_tensor(const struct pt_config *config)
{
    uint64_t largest = 0;
    for (enum pt_role role = 0; role < PT_ROLES; role++) {
        uint64_t shape[2];
        unsigned rank = pt_role_shape(config, role, shape);
        uint64_t n = rank == 2 ? shape[0] * shape[1] : rank ? shape[0] : 0;
        largest = n > largest ? n : largest;
    }
    return largest;
}

static int make_table(struct table *table, const struct settings *settings, const struct pt_config *config,
                      struct pt_error *err)
{
    pt_rng_seed(&table->rng, settings->seed);
    table->around_zero =
        random_elements(&table->rng, settings->dtype, largest_tensor(config) + PLACES, 0, err);
    if (table->around_zero)
        table->around_one = random_elements(&table->rng, settings->dtype,
                                            config->hidden_size + config->head_dim + PLACES, 1, err);
    return (int)err->status;
}

/* A vector that is no bias. */
static bool is_norm_weight(const struct pt_config *config, enum pt_role role)
{
    const char *name = config->family->names[role], *end = strrchr(name, '.');
    return pt_role_is_vector(role) && end && !strcmp(end, ".weight") && !config->family->norm_adds_one;
}

static int add_tensor(struct pt_tensors *set, struct table *table, const struct pt_config *config,
                      enum pt_dtype dtype, unsigned layer, enum pt_role role, struct pt_error *err)
{
    char name[128];
    uint64_t shape[2];
    unsigned rank = pt_role_shape(config, role, shape);
    const char *pattern = config->family->names[role], *place = strstr(pattern, "%u"),
               *prefix = role == PT_HEAD ? "" : config->family->prefixes[0];
    if (place)
        snprintf(name, sizeof name, "%s%.*s%u%s", prefix, (int)(place - pattern), pattern, layer, place + 2);
    else
        snprintf(name, sizeof name, "%s%s", prefix, pattern);
    const char *elements = is_norm_weight(config, role) ? table->around_one : table->around_zero;
    size_t at = pt_rng_below(&table->rng, PLACES);
    return pt_tensors_add(set, name, dtype, rank, shape, elements + at * pt_dtype_bytes(dtype), err);
}

static int write_tensors(const struct settings *settings, const struct pt_config *config,
                         struct pt_error *err)
{
    struct table table = {0};
    struct pt_tensors set = {0};
    struct pt_sink *sink = NULL;
    char *path = pt_new_format(err, "%s/model.safetensors", settings->folder);
    if (path)
        (void)!make_table(&table, settings, config, err); /* the failure is in err */
    for (unsigned layer = 0; layer < config->n_layers; layer++)
        for (enum pt_role role = layer ? PT_FIRST_LAYER_ROLE : 0; !err->status && role < PT_ROLES; role++)
            if (pt_config_has_role(config, role) && !(role == PT_HEAD && config->tied_head))
                (void)!add_tensor(&set, &table, config, settings->dtype, layer, role, err);
    if (!err->status && !pt_sink_open(&sink, path, err)) {
        if (pt_safetensors_write(sink, &set, false, err))
            pt_sink_discard(sink);
        else
            (void)!pt_sink_commit(sink, err);
    }
    pt_tensors_free(&set);
    free(table.around_zero);
    free(table.around_one);
    free(path);
    return (int)err->status;
}

static json_t *make_config(const struct settings *settings)
{
    return json_pack("{s:s, s:[s], s:I, s:I, s:I, s:I, s:f, s:b, s:f, s:f, s:i, s:i, s:i, s:i, s:b}",
                     "model_type", "bloom", "architectures", "BloomForCausalLM", "hidden_size",
                     (json_int_t)settings->hidden, "n_layer", (json_int_t)settings->layers, "n_head",
                     (json_int_t)settings->heads, "vocab_size", (json_int_t)settings->vocab,
                     "layer_norm_epsilon", 1e-5, "apply_residual_connection_post_layernorm", 0,
                     "hidden_dropout", 0.0, "attention_dropout", 0.0, "unk_token_id", 0, "bos_token_id", 1,
                     "eos_token_id", 2, "pad_token_id", 3, "tie_word_embeddings", 1);
}

static int generate(const struct settings *settings, struct pt_error *err)
{
    struct pt_config config;
    json_t *object = NULL;
    if (!settings->config)
        object = make_config(settings);
    else if (pt_json_load(&object, settings->config, err))
        return (int)err->status;
    char *path = pt_new_format(err, "%s/config.json", settings->folder);
    if (mkdir(settings->folder, 0777) && access(settings->folder, W_OK))
        pt_fail_errno(err, "%s", settings->folder);
    if (!err->status && !pt_config_parse(&config, object, "the given shape", err) &&
        !write_tensors(settings, &config, err) && json_dump_file(object, path, JSON_INDENT(2)))
        pt_fail_errno(err, "%s", path);
    json_decref(object);
    free(path);
    return (int)err->status;
}

static bool read_dtype(const char *text, enum pt_dtype *dtype)
{
    *dtype = !strcmp(text, "f32")    ? PT_F32
             : !strcmp(text, "f16")  ? PT_F16
             : !strcmp(text, "bf16") ? PT_BF16
                                     : PT_DTYPE_UNKNOWN;
    return *dtype != PT_DTYPE_UNKNOWN;
}

static bool read_options(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {
        {"layers", 1, 0, 'l'}, {"hidden", 1, 0, 'h'}, {"heads", 1, 0, 'n'},  {"vocab", 1, 0, 'v'},
        {"seed", 1, 0, 's'},   {"dtype", 1, 0, 'd'},  {"config", 1, 0, 'c'}, {0}};
    for (int key; (key = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        uint64_t *number = key == 'l'   ? &settings->layers
                           : key == 'h' ? &settings->hidden
                           : key == 'n' ? &settings->heads
                           : key == 'v' ? &settings->vocab
                                        : &settings->seed;
        if (key == 'c')
            settings->config = optarg;
        else if (key == '?' || (key == 'd' ? !read_dtype(optarg, &settings->dtype)
                                           : !pt_parse_u64(optarg, 1, UINT32_MAX, number)))
            return false;
    }
    settings->folder = argv[optind];
    return optind + 1 == argc;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .layers = 24, .hidden = 2048, .heads = 16, .vocab = 46145, .seed = 1, .dtype = PT_F32};
    struct pt_error err = {0};
    if (!read_options(&settings, argc, argv)) {
        fprintf(
            stderr,
            "usage: generate-checkpoint [--config FILE] [--layers N] [--hidden N] [--heads N] [--vocab N] "
            "[--dtype f32|f16|bf16] "
            "[--seed N] FOLDER\n");
        return PT_USAGE;
    }
    if (generate(&settings, &err))
        fprintf(stderr, "generate-checkpoint: %s\n", err.message);
    return (int)err.status;
}
