/*
 * Decoding: tokens a second of sequences that grow together, each step one pass over the weights. With
 * PREFILL a step is a pass over that many tokens a sequence, from empty ones. Prints TSV: tokens a second,
 * bytes of weights that a step reads, operations of a step, the path.
 *
 *     decode MODEL MATH SEQUENCES STEPS [PREFILL]
 *
 * A prompt of 32 tokens, which is not timed, comes first. The fastest of five parts of the steps counts,
 * since a busy machine only ever adds time.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/threads.h"
#include "cli/thread_waiting.h"
#include "model/cache.h"

#include <stdio.h>
#include <stdlib.h>

enum { PROMPT = 32, PARTS = 5, MOST_SEQUENCES = 64, MOST_IDS = 1024 };

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

/* What is timed: how many ids each sequence takes a step. A prefill starts from empty sequences each time. */
struct task {
    size_t n_sequences, n_ids, n_steps;
    bool prefill;
};

static int append(struct pt_cache *cache, size_t n_sequences, const uint32_t *ids, size_t n, float *logits,
                  struct pt_error *err)
{
    struct pt_cache_input inputs[MOST_SEQUENCES];
    for (size_t s = 0; s < n_sequences; s++)
        inputs[s] = (struct pt_cache_input){.sequence = s, .ids = ids, .n = n};
    return pt_cache_append(cache, inputs, n_sequences, logits, err);
}

static int step(struct pt_cache *cache, const struct task *task, size_t i, float *logits,
                struct pt_error *err)
{
    uint32_t ids[MOST_IDS];
    for (uint32_t j = 0; j < task->n_ids; j++)
        ids[j] = 5 + (uint32_t)(i % PROMPT) + j;
    for (size_t s = 0; task->prefill && s < task->n_sequences; s++)
        pt_cache_clear(cache, s);
    return append(cache, task->n_sequences, ids, task->n_ids, logits, err);
}

/* The least seconds that a step took in one of the parts; 0 on failure. */
static double time_steps(struct pt_cache *cache, const struct task *task, float *logits, struct pt_error *err)
{
    uint32_t prompt[PROMPT];
    double best = 0;
    for (uint32_t i = 0; i < PROMPT; i++)
        prompt[i] = 5 + i;
    if (append(cache, task->n_sequences, prompt, PROMPT, logits, err))
        return 0;
    for (size_t part = 0, each = task->n_steps / PARTS; part < PARTS; part++) {
        double start = pt_clock_seconds();
        for (size_t i = 0; i < each; i++)
            if (step(cache, task, i, logits, err))
                return 0;
        double seconds = (pt_clock_seconds() - start) / (double)each;
        best = !part || seconds < best ? seconds : best;
    }
    return best;
}

/* Operations of a step: all of its rows meet the layers, the last of each sequence the head. */
static double operations(const struct pt_model *model, const struct task *task)
{
    const struct pt_config *config = pt_model_config(model);
    double head = (double)config->vocab_size * (double)config->hidden_size, all = matrix_elements(model);
    return 2 * (double)task->n_sequences * ((all - head) * (double)task->n_ids + head);
}

static void print_rate(const struct pt_model *model, const struct pt_math *math, const struct task *task,
                       double seconds)
{
    printf("%.2f\t%.4g\t%.4g\t%s\n", (double)(task->n_sequences * task->n_ids) / seconds,
           matrix_elements(model) * (double)pt_dtype_bytes(pt_model_dtype(model)), operations(model, task),
           pt_math_name(math));
}

static int run(const char *folder, const char *setting, const struct task *task, struct pt_error *err)
{
    struct pt_model *model = NULL;
    struct pt_math *math = NULL;
    struct pt_engine *engine = NULL;
    struct pt_cache *cache = NULL;
    float *logits = NULL;
    if (pt_model_open(&model, folder, err) || pt_math_open(&math, setting, pt_model_dtype(model), err) ||
        pt_engine_open(&engine, model, math, NULL, NULL, err) ||
        pt_cache_open(&cache, engine, task->n_sequences, PROMPT + task->n_ids * task->n_steps, err))
        goto out;
    logits = pt_new_floats(task->n_sequences * pt_model_config(model)->vocab_size, err);
    double seconds = logits ? time_steps(cache, task, logits, err) : 0;
    if (!err->status)
        print_rate(model, math, task, seconds);
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
    uint64_t n_sequences, n_steps, n_ids = 1;
    pt_thread_waiting_start(argv);
    if ((argc != 5 && argc != 6) || !pt_parse_u64(argv[3], 1, MOST_SEQUENCES, &n_sequences) ||
        !pt_parse_u64(argv[4], PARTS, 1 << 20, &n_steps) ||
        (argc == 6 && !pt_parse_u64(argv[5], 1, MOST_IDS, &n_ids))) {
        fprintf(stderr, "usage: decode MODEL MATH SEQUENCES STEPS [PREFILL]\n");
        return PT_USAGE;
    }
    pt_threads_set(0);
    const struct task task = {n_sequences, n_ids, n_steps, .prefill = argc == 6};
    if (run(argv[1], argv[2], &task, &err))
        fprintf(stderr, "decode: %s\n", err.message);
    return (int)err.status;
}
