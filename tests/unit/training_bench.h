/*
 * Runs of the training loop for unit tests: the rows and the Trainer's run in one folder of the reference
 * numbers (tests/data/reference), and a run on some of them, opened.
 */
#ifndef PT_TESTS_UNIT_TRAINING_BENCH_H
#define PT_TESTS_UNIT_TRAINING_BENCH_H

#include "files.h"

#include "fmt/json.h"
#include "fmt/safetensors.h"
#include "tune/run_identity.h"

enum {
    ROWS = 50,
    UPDATES = 30,
    MICRO_BATCH = 2,
    ACCUMULATION = 3,
    MICRO_BATCHES_AN_EPOCH = ROWS / MICRO_BATCH
};

/* The rows and the Trainer's run in one folder of the reference numbers. */
struct reference {
    char model[64];
    json_t *cases, *rows;
    struct pt_tensors tensors;
    uint32_t *words[ROWS];
    struct pt_example examples[ROWS];
};

/* Everything a run needs, opened. */
struct bench {
    struct pt_sink *stream_bytes;
    struct pt_source *source;
    struct pt_stream_reader *stream;
    struct pt_tuned_model model;
    struct pt_training training;
    struct pt_update_report reports[UPDATES];
    double epochs[UPDATES];
    size_t n_reports, stop_behind;
};

static struct pt_error err;

/* A failure that a test expects is forgotten when the next one loads its reference. */
static inline void succeed(int status)
{
    if (status)
        fail_msg("status %d: %s", status, err.message);
}

static inline void load_rows(struct reference *reference)
{
    for (size_t i = 0; i < ROWS; i++) {
        const json_t *ids = json_object_get(json_array_get(reference->rows, i), "input_ids");
        const json_t *labels = json_object_get(json_array_get(reference->rows, i), "labels");
        size_t n = json_array_size(ids);
        uint32_t *words = calloc(n, sizeof *words);
        assert_non_null(words);
        for (size_t j = 0; j < n; j++)
            words[j] = (uint32_t)json_integer_value(json_array_get(ids, j)) |
                       (json_integer_value(json_array_get(labels, j)) >= 0 ? PT_COUNTED : 0);
        reference->words[i] = words;
        reference->examples[i] = (struct pt_example){words, n};
    }
}

static inline void load_reference(struct reference *reference, const char *name)
{
    char path[128];
    err = (struct pt_error){0};
    *reference = (struct reference){0};
    snprintf(reference->model, sizeof reference->model, "tests/data/reference/%s/model", name);
    snprintf(path, sizeof path, "tests/data/reference/%s/cases.json", name);
    succeed(pt_json_load(&reference->cases, path, &err));
    snprintf(path, sizeof path, "tests/data/reference/%s/train.json", name);
    succeed(pt_json_load(&reference->rows, path, &err));
    snprintf(path, sizeof path, "tests/data/reference/%s/cases.safetensors", name);
    succeed(pt_safetensors_open(&reference->tensors, path, &err));
    assert_int_equal(json_array_size(reference->rows), ROWS);
    load_rows(reference);
}

static inline void free_reference(struct reference *reference)
{
    for (size_t i = 0; i < ROWS; i++)
        free(reference->words[i]);
    json_decref(reference->cases);
    json_decref(reference->rows);
    pt_tensors_free(&reference->tensors);
}

/* One update of the Trainer's run: the examples are put into `examples`. */
static inline struct pt_update trainer_update(const struct reference *reference, size_t number,
                                              struct pt_example *examples)
{
    static const uint64_t sizes[ACCUMULATION] = {MICRO_BATCH, MICRO_BATCH, MICRO_BATCH};
    const json_t *order = json_object_get(json_object_get(reference->cases, "trainer"), "order");
    const size_t updates_an_epoch = (MICRO_BATCHES_AN_EPOCH + ACCUMULATION - 1) / ACCUMULATION;
    size_t epoch = number / updates_an_epoch, first = number % updates_an_epoch * ACCUMULATION;
    size_t n = first + ACCUMULATION > MICRO_BATCHES_AN_EPOCH ? MICRO_BATCHES_AN_EPOCH - first : ACCUMULATION;
    size_t start = (epoch * MICRO_BATCHES_AN_EPOCH + first) * MICRO_BATCH;
    for (size_t i = 0; i < n * MICRO_BATCH; i++)
        examples[i] = reference->examples[json_integer_value(json_array_get(order, start + i))];
    return (struct pt_update){
        .epoch = (double)epoch + (double)(first + n) / MICRO_BATCHES_AN_EPOCH,
        .n_examples = n * MICRO_BATCH,
        .n_micro_batches = n,
        .examples = examples,
        .micro_batch_sizes = sizes,
    };
}

static inline void count_update(struct pt_stream_head *head, const struct pt_update *update)
{
    head->n_updates++;
    head->n_examples += update->n_examples;
    for (size_t i = 0; i < update->n_examples; i++) {
        head->n_tokens += update->examples[i].n_words;
        head->n_targets += pt_stream_targets(update->examples[i].words, update->examples[i].n_words);
    }
}

/* The updates as a stream in memory. */
static inline void write_stream(struct bench *bench, const struct pt_update *updates, size_t n)
{
    struct pt_stream_head head = {
        .kind = PT_STREAM_UPDATES, .eos_id = -1, .n_dataset_examples = ROWS, .n_epochs = 1};
    for (size_t i = 0; i < n; i++)
        count_update(&head, &updates[i]);
    head.schedule_updates = n;
    struct pt_stream_writer *writer;
    succeed(pt_sink_open_memory(&bench->stream_bytes, &err));
    succeed(pt_stream_writer_open(&writer, bench->stream_bytes, &head, &err));
    for (size_t i = 0; i < n; i++)
        succeed(pt_stream_write_update(writer, &updates[i], &err));
    succeed(pt_stream_write_end(writer, &err));
    succeed(pt_sink_flush(bench->stream_bytes, &err));
    pt_stream_writer_free(writer);
}

/* The prompt that the Trainer began with, as a file. */
static inline const char *write_first_prompt(const struct reference *reference)
{
    const struct pt_tensor *init = pt_tensors_find(&reference->tensors, "train.init");
    const char *path = in_scratch("init.safetensors");
    struct pt_tensors set = {0};
    struct pt_sink *sink;
    assert_non_null(init);
    succeed(
        pt_tensors_add(&set, "prompt_embeddings", init->dtype, init->rank, init->shape, init->data, &err));
    succeed(pt_sink_open(&sink, path, &err));
    succeed(pt_safetensors_write(sink, &set, false, &err));
    succeed(pt_sink_commit(sink, &err));
    pt_tensors_free(&set);
    return path;
}

static inline void note_update(void *context, const struct pt_update_report *report)
{
    struct bench *bench = context;
    assert_true(bench->n_reports < UPDATES);
    bench->epochs[bench->n_reports] = report->position->epoch;
    bench->reports[bench->n_reports++] = *report;
}

static inline bool asked_to_stop(void *context)
{
    const struct bench *bench = context;
    return bench->stop_behind && bench->n_reports >= bench->stop_behind;
}

static inline void open_stream(struct bench *bench)
{
    size_t n;
    const void *bytes = pt_sink_memory(bench->stream_bytes, &n);
    succeed(pt_source_open_memory(&bench->source, "stream", bytes, n, &err));
    succeed(pt_stream_reader_open(&bench->stream, bench->source, &err));
}

/* A run of the updates on bench->model, which is open. */
static inline void open_run(struct bench *bench, const struct pt_update *updates, size_t n)
{
    write_stream(bench, updates, n);
    open_stream(bench);
    bench->training = (struct pt_training){
        .stream = bench->stream,
        .model = &bench->model,
        .settings = {.schedule = {.learning_rate = 0.01, .n_updates = n}, .max_grad_norm = 1},
        .max_updates = UINT64_MAX,
        .log_every = 1,
        .events = {.context = bench, .updated = note_update, .should_stop = asked_to_stop},
    };
}

static inline void open_bench(struct bench *bench, const struct reference *reference,
                              const struct pt_update *updates, size_t n)
{
    const struct pt_tuned_model_options options = {
        .model = reference->model, .prompt = write_first_prompt(reference), .math = "f32"};
    *bench = (struct bench){0};
    succeed(pt_tuned_model_open(&bench->model, &options, &err));
    open_run(bench, updates, n);
}

static inline void close_bench(struct bench *bench)
{
    pt_tuned_model_close(&bench->model);
    pt_stream_reader_free(bench->stream);
    pt_source_close(bench->source);
    pt_sink_discard(bench->stream_bytes);
}

#endif
