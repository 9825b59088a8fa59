/*
 * Decoding: tokens a second of sequences that grow together, each step one pass over the weights. Prints TSV:
 * tokens a second, bytes of weights that a step reads, operations of a step, the path.
 *
 *     decode MODEL MATH SEQUENCES TOKENS
 *
 * The prompt of 32 tokens is not timed. The fastest of five parts of the steps counts, since a busy machine
 * only ever adds time.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/threads.h"
#include "cli/thread_waiting.h"
#include "model/cache.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROMPT = 32, PARTS = 5, MOST_SEQUENCES = 64 };

/* Elements of all matrices but the embedding's, whose rows alone are read, and that of a tied head. */
static double matrix_elements(const struct pt_model *model)
{
    const struct pt_config *config = pt_model_config(model);
    double n = 0;
    for (unsigned layer = 0; layer < config->n_layers; layer++)
        for (enum pt_role role = layer ? PT_FIRST_LAYER_ROLE : PT_HEAD; role < PT_ROLES; role++) {
            const struct pt_tensor *tensor = pt_model_tensor(model, layer, role);
            n += tensor && tensor->rank == 2 ? (double)tensor->n_elements : 0;
        }
    return n;
}

static int append(struct pt_cache *cache, size_t n_sequences, const uint32_t *ids, size_t n, float *logits,
                  struct pt_error *err)
{
    struct pt_cache_input inputs[MOST_SEQUENCES];
    for (size_t s = 0; s < n_sequences; s++)
        inputs[s] = (struct pt_cache_input){.sequence = s, .ids = ids, .n = n};
    return pt_cache_append(cache, inputs, n_sequences, logits, err);
}

/* The least seconds that a step took in one of the parts; 0 on failure. */
static double time_steps(struct pt_cache *cache, size_t n_sequences, size_t n_tokens, float *logits,
                         struct pt_error *err)
{
    uint32_t ids[PROMPT];
    double best = 0;
    for (uint32_t i = 0; i < PROMPT; i++)
        ids[i] = 5 + i;
    if (append(cache, n_sequences, ids, PROMPT, logits, err))
        return 0;
    for (size_t part = 0, each = n_tokens / PARTS; part < PARTS; part++) {
        double start = pt_clock_seconds();
        for (size_t i = 0; i < each; i++)
            if (append(cache, n_sequences, ids + i % PROMPT, 1, logits, err))
                return 0;
        double seconds = (pt_clock_seconds() - start) / (double)each;
        best = !part || seconds < best ? seconds : best;
    }
    return best;
}

static int run(const char *folder, const char *setting, size_t n_sequences, size_t n_tokens,
               struct pt_error *err)
{
    struct pt_model *model = NULL;
    struct pt_math *math = NULL;
    struct pt_engine *engine = NULL;
    struct pt_cache *cache = NULL;
    float *logits = NULL;
    if (pt_model_open(&model, folder, err) || pt_math_open(&math, setting, pt_model_dtype(model), err) ||
        pt_engine_open(&engine, model, math, NULL, NULL, err) ||
        pt_cache_open(&cache, engine, n_sequences, PROMPT + n_tokens, err))
        goto out;
    logits = pt_new_floats(n_sequences * pt_model_config(model)->vocab_size, err);
    double seconds = logits ? time_steps(cache, n_sequences, n_tokens, logits, err) : 0;
    double elements = matrix_elements(model);
    if (!err->status)
        printf("%.2f\t%.4g\t%.4g\t%s\n", (double)n_sequences / seconds,
               elements * (double)pt_dtype_bytes(pt_model_dtype(model)), 2 * elements * (double)n_sequences,
               pt_math_name(math));
out:
    free(logits);
    pt_cache_close(cache);
    pt_engine_close(engine);
    pt_math_close(math);
    pt_model_close(model);
    return (int)err->status;
}

int main(int argc, char **argv)
{
    struct pt_error err = {0};
    uint64_t n_sequences, n_tokens;
    pt_thread_waiting_start(argv);
    if (argc != 5 || !pt_parse_u64(argv[3], 1, MOST_SEQUENCES, &n_sequences) ||
        !pt_parse_u64(argv[4], PARTS, 1 << 20, &n_tokens)) {
        fprintf(stderr, "usage: decode MODEL MATH SEQUENCES TOKENS\n");
        return PT_USAGE;
    }
    pt_threads_set(0);
    if (run(argv[1], argv[2], n_sequences, n_tokens, &err))
        fprintf(stderr, "decode: %s\n", err.message);
    return (int)err.status;
}
