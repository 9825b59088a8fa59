/*
 * Evaluation of streams against the reference losses and logits.
 */
#include "prompts.h"

#include "fmt/json.h"
#include "fmt/stream.h"
#include "tune/evaluate.h"
#include "tune/evaluate_logits.h"

#include <math.h>

enum { EXAMPLES = 4 };

static struct pt_tensors cases;

static int open_reference(void **state)
{
    struct pt_error err = {0};
    return pt_safetensors_open(&cases, REFERENCE "/cases.safetensors", &err) || make_scratch(state);
}

static int close_reference(void **state)
{
    pt_tensors_free(&cases);
    return remove_scratch(state);
}

static const void *case_data(const char *name, int i, size_t *n)
{
    char numbered[64];
    snprintf(numbered, sizeof numbered, "%s.%d", name, i);
    const struct pt_tensor *tensor = pt_tensors_find(&cases, numbered);
    assert_non_null(tensor);
    *n = (size_t)tensor->n_elements;
    return tensor->data;
}

/* Example i as stream words; those of the reference, or with ids that the model has not. */
static size_t words_of(int i, uint32_t *words, uint32_t shift)
{
    size_t n;
    const int32_t *ids = case_data("ids", i, &n), *labels = case_data("labels", i, &n);
    for (size_t j = 0; j < n; j++)
        words[j] = ((uint32_t)ids[j] + shift) | (labels[j] == -100 ? 0 : PT_COUNTED);
    return n;
}

/* A stream of the reference's examples, `times` over, in memory. */
static struct pt_sink *write_stream(int times, uint32_t shift)
{
    struct pt_error err = {0};
    struct pt_sink *sink;
    struct pt_stream_writer *writer;
    struct pt_stream_head head = {.kind = PT_STREAM_EXAMPLES, .eos_id = -1};
    uint32_t words[256];
    assert_int_equal(pt_sink_open_memory(&sink, &err), PT_OK);
    assert_int_equal(pt_stream_writer_open(&writer, sink, &head, &err), PT_OK);
    for (int i = 0; i < times * EXAMPLES; i++) {
        size_t n = words_of(i % EXAMPLES, words, shift);
        assert_int_equal(pt_stream_write_example(writer, words, n, &err), PT_OK);
    }
    assert_int_equal(pt_stream_write_end(writer, &err), PT_OK);
    pt_stream_writer_free(writer);
    return sink;
}

static struct pt_tuned_model open_model(bool with_prompt)
{
    struct pt_error err = {0};
    struct pt_tuned_model opened = {0};
    const struct pt_tensor *prompt = pt_tensors_find(&cases, "prompt");
    const char *path = in_scratch("prompt");
    write_tensor(path, "prompt_embeddings", PT_F32, 2, prompt->shape, prompt->data, NULL, false);
    const struct pt_tuned_model_options options = {
        .model = REFERENCE "/model", .prompt = with_prompt ? path : NULL, .math = "f32"};
    if (pt_tuned_model_open(&opened, &options, &err))
        fail_msg("%s", err.message);
    return opened;
}

static int evaluate(const struct pt_tuned_model *model, struct pt_sink *stream, pt_evaluate_each *each,
                    void *context, struct pt_evaluation *sums, struct pt_error *err)
{
    size_t n;
    const void *bytes = pt_sink_memory(stream, &n);
    struct pt_source *source;
    struct pt_stream_reader *reader;
    assert_int_equal(pt_source_open_memory(&source, "stream", bytes, n, err), PT_OK);
    assert_int_equal(pt_stream_reader_open(&reader, source, err), PT_OK);
    int status = pt_evaluate_stream(model, reader, each, context, sums, err);
    pt_stream_reader_free(reader);
    pt_source_close(source);
    return status;
}

static json_t *reference_numbers(void)
{
    struct pt_error err = {0};
    json_t *numbers;
    assert_int_equal(pt_json_load(&numbers, REFERENCE "/cases.json", &err), PT_OK);
    return numbers;
}

struct seen {
    json_t *expected; /* loss of each example of the reference */
    int n;
};

static int compare_loss(void *context, const struct pt_sequence *sequence,
                        const struct pt_sequence_loss *loss, struct pt_error *err)
{
    (void)err;
    struct seen *seen = context;
    uint32_t words[256];
    double expected = json_real_value(json_array_get(seen->expected, (size_t)(seen->n % EXAMPLES)));
    assert_int_equal(sequence->n, words_of(seen->n % EXAMPLES, words, 0));
    assert_memory_equal(sequence->words, words, sequence->n * sizeof *words);
    /* The reference is float64; f32 logits of this model are good to 1e-5. */
    assert_true(fabs(loss->loss / (double)loss->targets - expected) < 1e-5);
    seen->n++;
    return PT_OK;
}

/* So many that they do not fit into one batch. */
static void losses_are_the_references(void **state)
{
    (void)state;
    enum { TIMES = 60 };
    struct pt_error err = {0};
    struct pt_evaluation sums;
    json_t *numbers = reference_numbers();
    struct seen seen = {.expected = json_object_get(numbers, "loss_each")};
    struct pt_tuned_model model = open_model(true);
    struct pt_sink *stream = write_stream(TIMES, 0);
    if (evaluate(&model, stream, compare_loss, &seen, &sums, &err))
        fail_msg("%s", err.message);
    assert_int_equal(seen.n, TIMES * EXAMPLES);
    assert_int_equal(sums.examples, TIMES * EXAMPLES);
    assert_int_equal(sums.targets, TIMES * json_integer_value(json_object_get(numbers, "n_targets")));
    assert_true(fabs(pt_evaluation_loss(&sums) - json_real_value(json_object_get(numbers, "loss"))) < 1e-5);
    assert_true(sums.correct % TIMES == 0 && pt_evaluation_accuracy(&sums) <= 1);
    pt_sink_discard(stream);
    pt_tuned_model_close(&model);
    json_decref(numbers);
}

static void ids_that_the_model_lacks_are_refused(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_evaluation sums;
    struct pt_tuned_model model = open_model(false);
    struct pt_sink *stream = write_stream(1, 1024);
    assert_int_equal(evaluate(&model, stream, NULL, NULL, &sums, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "example 1: "));
    pt_sink_discard(stream);
    pt_tuned_model_close(&model);
}

/* The largest difference of rows [from, from + n) of the reference's logits, relative to the largest logit.
 */
static double deviation(const float *ours, size_t n, const float *reference)
{
    double largest = 0, difference = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs((double)reference[i]));
        difference = fmax(difference, fabs((double)ours[i] - (double)reference[i]));
    }
    return difference / largest;
}

static void logits_are_those_behind_the_prompt(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned_model model = open_model(true);
    struct pt_logits_file *file;
    struct pt_sink *sink;
    struct pt_tensors set = {0};
    uint32_t words[256];
    const char *path = in_scratch("logits");
    assert_int_equal(pt_logits_open(&file, &err), PT_OK);
    for (int i = 0; i < EXAMPLES; i++)
        assert_int_equal(pt_logits_add(file, &model, words, words_of(i, words, 0), &err), PT_OK);
    assert_int_equal(pt_logits_add(file, &model, NULL, 0, &err), PT_OK);
    assert_int_equal(pt_sink_open(&sink, path, &err), PT_OK);
    assert_int_equal(pt_logits_write(file, sink, &err), PT_OK);
    assert_int_equal(pt_sink_commit(sink, &err), PT_OK);
    pt_logits_close(file);

    assert_int_equal(pt_safetensors_open(&set, path, &err), PT_OK);
    assert_int_equal(set.n, EXAMPLES + 1);
    for (int i = 0; i < EXAMPLES; i++) {
        size_t n;
        char name[32];
        snprintf(name, sizeof name, "logits.%d", i);
        const struct pt_tensor *logits = pt_tensors_find(&set, name);
        const float *reference = case_data("logits", i, &n);
        assert_non_null(logits);
        assert_int_equal(logits->shape[1], 1024);
        assert_int_equal(logits->n_elements, n - 5 * 1024);
        assert_true(deviation(logits->data, n - 5 * 1024, reference + 5 * 1024) < 1e-5);
    }
    pt_tensors_free(&set);
    pt_tuned_model_close(&model);
}

static void streams_of_another_tokenizer_are_refused(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_stream_head head = {.tokenizer = {"00112233445566778899aabbccddeeff"}};
    struct pt_tuned_model opened = open_model(false);
    assert_int_equal(pt_tuned_model_check_stream(&opened, &head, "s", &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, head.tokenizer.text));
    err = (struct pt_error){0};
    opened.ignore_fingerprint = true;
    assert_int_equal(pt_tuned_model_check_stream(&opened, &head, "s", &err), PT_OK);
    opened.ignore_fingerprint = false;
    head.tokenizer.text[0] = 0;
    assert_int_equal(pt_tuned_model_check_stream(&opened, &head, "s", &err), PT_OK);
    pt_tuned_model_close(&opened);
}

/* A stream of the folder's own tokenizer, but a prompt of another. */
static void streams_of_another_tokenizer_than_the_prompts_are_refused(void **state)
{
    (void)state;
    struct pt_error err = {0};
    size_t n;
    char *tokenizer = read_file(REFERENCE "/model/tokenizer.json", &n);
    struct pt_stream_head head = {.tokenizer = pt_fingerprint_of(tokenizer, n)};
    free(tokenizer);
    struct pt_tuned_model opened = open_model(true);
    assert_int_equal(pt_tuned_model_check_stream(&opened, &head, "s", &err), PT_OK);
    assert_int_equal(pt_tuned_set_metadata(opened.tuned, PT_KEY_TOKENIZER_FINGERPRINT, "ff", &err), PT_OK);
    assert_int_equal(pt_tuned_model_check_stream(&opened, &head, "s", &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "made with the tokenizer ff"));
    err = (struct pt_error){0};
    assert_int_equal(pt_tuned_take_stream(opened.tuned, &head, &err), PT_OK);
    assert_int_equal(pt_tuned_model_check_stream(&opened, &head, "s", &err), PT_OK);
    pt_tuned_model_close(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_the_references),
        cmocka_unit_test(ids_that_the_model_lacks_are_refused),
        cmocka_unit_test(logits_are_those_behind_the_prompt),
        cmocka_unit_test(streams_of_another_tokenizer_are_refused),
        cmocka_unit_test(streams_of_another_tokenizer_than_the_prompts_are_refused),
    };
    return cmocka_run_group_tests(tests, open_reference, close_reference);
}
