/*
 * The engine against numbers made by PEFT and transformers in f64: logits, losses, the prompt's gradient; in
 * one slice and in many; with any number of threads.
 */
#include "reference.h"

#include "base/threads.h"

#include <math.h>

static void logits_equal_those_of_the_reference(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct reference r;
        struct pt_error err = {0};
        open_reference(&r, reference_folders[f], "f32");
        struct pt_plugs plugs = prompt_plugs(&r, NULL);
        struct pt_engine *engine = open_engine(&r, &plugs, 0), *bare = open_engine(&r, NULL, 0);
        float *logits = malloc(MOST_ROWS * r.vocab * sizeof *logits);
        for (int e = 0; e < N_EXAMPLES; e++) {
            const struct pt_tensor *expected = case_tensor(&r, "logits", e);
            size_t n = r.sequences[e].n;
            assert_int_equal(pt_engine_logits(engine, r.words[e], n, logits, &err), 0);
            double worst =
                deviation(logits, (const float *)expected->data + N_VIRTUAL * r.vocab, PT_F32, n * r.vocab);
            print_message("# %s: logits.%d deviate by %.1e of the largest\n", reference_folders[f], e, worst);
            assert_true(worst < 1e-5);
        }
        assert_int_equal(pt_engine_logits(bare, r.words[0], r.sequences[0].n, logits, &err), 0);
        const struct pt_tensor *expected = case_tensor(&r, "logits_without_prompt", 0);
        assert_true(deviation(logits, expected->data, PT_F32, expected->n_elements) < 1e-5);
        free(logits);
        pt_engine_close(engine);
        pt_engine_close(bare);
        close_reference(&r);
    }
}

/*
 * What each way of computing may deviate by, of the largest logit or gradient, the modes of tiles through the
 * emulation of their arithmetic. Three terms of bf16 are f32, two leave 2^-17 of an operand, one leaves 2^-8:
 * a few times that after two or three layers.
 */
static const struct {
    const char *math;
    double logits, gradient;
} settings[] = {
    {"f32:portable", 1e-5, 1e-5},  {"f32:avx2", 1e-5, 1e-5},        {"f32:avx512", 1e-5, 1e-5},
    {"f32:openblas", 1e-5, 1e-5},  {"bf16x3:emulated", 1e-5, 1e-5}, {"bf16x2:emulated", 1e-4, 1e-4},
    {"bf16:emulated", 5e-2, 1e-1},
};

/* The folder's deviations under one setting; false where this machine lacks it. */
static bool deviations_under(const char *folder, const char *setting, double *logits_worst,
                             double *gradient_worst)
{
    struct reference r;
    struct pt_error err = {0};
    open_reference(&r, folder, "f32");
    pt_math_close(r.math);
    bool usable = !pt_math_open(&r.math, setting, PT_F32, &err);
    if (usable) {
        const struct pt_tensor *expected = case_tensor(&r, "logits", 0),
                               *slope = case_tensor(&r, "prompt_grad", -1);
        float *gradient = calloc(slope->n_elements, sizeof *gradient);
        float *logits = malloc(MOST_ROWS * r.vocab * sizeof *logits);
        struct pt_plugs plugs = prompt_plugs(&r, gradient);
        struct pt_engine *engine = open_engine(&r, &plugs, 0);
        double loss;
        size_t n = r.sequences[0].n;
        assert_int_equal(pt_engine_logits(engine, r.words[0], n, logits, &err), 0);
        *logits_worst =
            deviation(logits, (const float *)expected->data + N_VIRTUAL * r.vocab, PT_F32, n * r.vocab);
        assert_int_equal(pt_engine_update(engine, r.sequences, N_EXAMPLES, &loss, NULL, &err), 0);
        *gradient_worst = deviation(gradient, slope->data, PT_F64, slope->n_elements);
        free(gradient);
        free(logits);
        pt_engine_close(engine);
    }
    close_reference(&r);
    return usable;
}

static void every_way_of_computing_stays_within_its_bound(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_OF(settings); s++) {
        double logits = 0, gradient = 0, worst_logits = 0, worst_gradient = 0;
        for (size_t f = 0; f < N_OF(reference_folders); f++) {
            if (!deviations_under(reference_folders[f], settings[s].math, &logits, &gradient))
                break;
            if (!(logits < settings[s].logits && gradient < settings[s].gradient))
                fail_msg("%s, %s: logits deviate by %.1e, prompt_grad by %.1e", settings[s].math,
                         reference_folders[f], logits, gradient);
            worst_logits = fmax(worst_logits, logits);
            worst_gradient = fmax(worst_gradient, gradient);
        }
        print_message("# %s: logits deviate by at most %.1e, prompt_grad by %.1e\n", settings[s].math,
                      worst_logits, worst_gradient);
    }
}

/* -log softmax of one row of the expected logits at an id. */
static double expected_loss(const float *row, size_t vocab, uint32_t id)
{
    double largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < vocab; i++)
        largest = fmax(largest, (double)row[i]);
    for (size_t i = 0; i < vocab; i++)
        sum += exp((double)row[i] - largest);
    return largest + log(sum) - (double)row[id];
}

/* The loss of an example by the expected logits, those of the last row in front included. */
static double example_loss(const struct reference *r, int e, uint64_t *correct)
{
    const float *rows = case_tensor(r, "logits", e)->data;
    double sum = 0;
    *correct = 0;
    for (size_t i = 0; i < r->sequences[e].n; i++) {
        const float *row = rows + (N_VIRTUAL - 1 + i) * r->vocab;
        uint32_t id = PT_TOKEN_ID(r->words[e][i]);
        if (!(r->words[e][i] & PT_COUNTED))
            continue;
        sum += expected_loss(row, r->vocab, id);
        bool largest = true;
        for (size_t j = 0; j < r->vocab; j++)
            largest = largest && row[j] <= row[id];
        *correct += largest;
    }
    return sum;
}

static void losses_and_the_gradient_of_the_prompt_equal_the_reference(void **state)
{
    (void)state;
    static const size_t slices[] = {0, 1, 30, 45};
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct reference r;
        struct pt_error err = {0};
        open_reference(&r, reference_folders[f], "f32");
        const struct pt_tensor *expected = case_tensor(&r, "prompt_grad", -1);
        float *gradient = malloc(expected->n_elements * sizeof *gradient);
        struct pt_plugs plugs = prompt_plugs(&r, gradient);
        for (size_t s = 0; s < N_OF(slices); s++) {
            memset(gradient, 0, expected->n_elements * sizeof *gradient);
            struct pt_engine *engine = open_engine(&r, &plugs, slices[s]);
            struct pt_sequence_loss each[N_EXAMPLES];
            double loss, sum = 0;
            assert_int_equal(pt_engine_update(engine, r.sequences, N_EXAMPLES, &loss, each, &err), 0);
            for (int e = 0; e < N_EXAMPLES; e++) {
                uint64_t correct;
                double right = example_loss(&r, e, &correct);
                assert_true(fabs(each[e].loss - right) < 1e-5 * right);
                assert_int_equal(each[e].correct, correct);
                sum += right / (double)r.n_targets;
            }
            double worst = deviation(gradient, expected->data, PT_F64, expected->n_elements);
            print_message("# %s, slices of %zu rows: prompt_grad deviates by %.1e of the largest\n",
                          reference_folders[f], pt_engine_slice_rows(engine), worst);
            assert_true(worst < 1e-5);
            assert_true(fabs(loss - sum) < 1e-6 * sum);
            pt_engine_close(engine);
        }
        free(gradient);
        close_reference(&r);
    }
}

/* The bytes of an update's loss and gradient behind one another. */
static void update_bytes(const struct reference *r, size_t slice_rows, float *gradient, size_t n,
                         double *loss)
{
    struct pt_error err = {0};
    struct pt_plugs plugs = prompt_plugs(r, gradient);
    struct pt_engine *engine = open_engine(r, &plugs, slice_rows);
    memset(gradient, 0, n * sizeof *gradient);
    assert_int_equal(pt_engine_update(engine, r->sequences, N_EXAMPLES, loss, NULL, &err), 0);
    pt_engine_close(engine);
}

static void the_same_bytes_come_out_for_any_number_of_threads(void **state)
{
    (void)state;
    int threads = pt_threads();
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct reference r;
        open_reference(&r, reference_folders[f], "auto");
        size_t n = N_VIRTUAL * r.hidden;
        float *first = malloc(n * sizeof *first), *again = malloc(n * sizeof *again);
        double first_loss, loss;
        pt_threads_set(1);
        update_bytes(&r, 30, first, n, &first_loss);
        for (int t = f ? 3 : 2; t <= (f ? 3 : 5); t++) {
            pt_threads_set(t);
            update_bytes(&r, 30, again, n, &loss);
            assert_memory_equal(first, again, n * sizeof *first);
            assert_memory_equal(&first_loss, &loss, sizeof loss);
        }
        pt_threads_set(threads);
        free(first);
        free(again);
        close_reference(&r);
    }
}

static void evaluation_gives_the_losses_of_an_update_and_goes_between_updates(void **state)
{
    (void)state;
    struct reference r;
    struct pt_error err = {0};
    open_reference(&r, "bloom", "f32");
    size_t n = N_VIRTUAL * r.hidden;
    float *first = calloc(n, sizeof *first), *second = calloc(n, sizeof *second);
    struct pt_plugs plugs = prompt_plugs(&r, first);
    struct pt_engine *engine = open_engine(&r, &plugs, 40);
    struct pt_sequence_loss updated[N_EXAMPLES], evaluated[N_EXAMPLES];
    double loss, again;
    assert_int_equal(pt_engine_evaluate(engine, r.sequences, N_EXAMPLES, evaluated, &err), 0);
    for (size_t i = 0; i < n; i++)
        assert_true(first[i] == 0);
    assert_int_equal(pt_engine_update(engine, r.sequences, N_EXAMPLES, &loss, updated, &err), 0);
    assert_memory_equal(updated, evaluated, sizeof updated);
    memcpy(second, first, n * sizeof *first);
    memset(first, 0, n * sizeof *first);
    float *logits = malloc(MOST_ROWS * r.vocab * sizeof *logits);
    assert_int_equal(pt_engine_logits(engine, r.words[1], r.sequences[1].n, logits, &err), 0);
    assert_int_equal(pt_engine_update(engine, r.sequences, N_EXAMPLES, &again, NULL, &err), 0);
    assert_memory_equal(&loss, &again, sizeof loss);
    assert_memory_equal(first, second, n * sizeof *first);
    pt_engine_close(engine);
    free(logits);
    free(first);
    free(second);
    close_reference(&r);
}

static void gradients_are_added_and_scale_with_the_weights(void **state)
{
    (void)state;
    struct reference r;
    struct pt_error err = {0};
    open_reference(&r, "bloom", "f32");
    size_t n = N_VIRTUAL * r.hidden;
    float *once = calloc(n, sizeof *once), *thrice = calloc(n, sizeof *thrice);
    struct pt_plugs plugs = prompt_plugs(&r, once), other = prompt_plugs(&r, thrice);
    struct pt_engine *engine = open_engine(&r, &plugs, 0), *adder = open_engine(&r, &other, 0);
    double loss, twice;
    assert_int_equal(pt_engine_update(engine, r.sequences, N_EXAMPLES, &loss, NULL, &err), 0);
    assert_int_equal(pt_engine_update(adder, r.sequences, N_EXAMPLES, &twice, NULL, &err), 0);
    for (int e = 0; e < N_EXAMPLES; e++)
        r.sequences[e].weight *= 2;
    assert_int_equal(pt_engine_update(adder, r.sequences, N_EXAMPLES, &twice, NULL, &err), 0);
    assert_true(fabs(twice - 2 * loss) < 1e-12);
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)once[i]));
    for (size_t i = 0; i < n; i++)
        assert_true(fabs((double)thrice[i] - 3 * (double)once[i]) < 1e-6 * largest);
    pt_engine_close(engine);
    pt_engine_close(adder);
    free(once);
    free(thrice);
    close_reference(&r);
}

static void sequences_of_every_length_and_without_counted_tokens_go_through(void **state)
{
    (void)state;
    struct reference r;
    struct pt_error err = {0};
    open_reference(&r, "bloom", "f32");
    size_t n = N_VIRTUAL * r.hidden;
    float *gradient = calloc(n, sizeof *gradient);
    struct pt_plugs plugs = prompt_plugs(&r, gradient);
    struct pt_engine *engine = open_engine(&r, &plugs, 8), *bare = open_engine(&r, NULL, 8);
    uint32_t counted = 17 | PT_COUNTED, plain[3] = {17, 18, 19}, both[2] = {17 | PT_COUNTED, 18 | PT_COUNTED};
    struct pt_sequence odd[] = {{NULL, 0, 1}, {plain, 3, 1}, {&counted, 1, 1}, {both, 2, 1}, {plain, 1, 1}};
    struct pt_sequence_loss each[5];
    double loss;
    assert_int_equal(pt_engine_update(engine, odd, 2, &loss, each, &err), 0);
    assert_true(loss == 0 && each[0].targets == 0 && each[1].targets == 0);
    for (size_t i = 0; i < n; i++)
        assert_true(gradient[i] == 0);
    assert_int_equal(pt_engine_update(engine, odd, 5, &loss, each, &err), 0);
    assert_int_equal(each[2].targets, 1);
    assert_int_equal(each[3].targets, 2);
    assert_true(fabs(loss - each[2].loss - each[3].loss) < 1e-12);
    assert_true(each[3].loss > each[2].loss && each[2].loss > 0);
    /* By the last row in front, from the expected logits. */
    const float *front = (const float *)case_tensor(&r, "logits", 0)->data + (N_VIRTUAL - 1) * r.vocab;
    assert_true(fabs(each[2].loss - expected_loss(front, r.vocab, 17)) < 1e-4);
    /* Without rows in front nothing predicts a first token. */
    assert_int_equal(pt_engine_evaluate(bare, odd, 5, each, &err), 0);
    assert_int_equal(each[2].targets, 0);
    assert_int_equal(each[3].targets, 1);
    assert_int_equal(pt_engine_update(engine, NULL, 0, &loss, NULL, &err), 0);
    assert_true(loss == 0);
    pt_engine_close(engine);
    pt_engine_close(bare);
    free(gradient);
    close_reference(&r);
}

static void unknown_ids_and_infinite_losses_are_refused(void **state)
{
    (void)state;
    struct reference r;
    struct pt_error err = {0};
    open_reference(&r, "bloom", "f32");
    float *prompt = calloc(N_VIRTUAL * r.hidden, sizeof *prompt),
          *gradient = calloc(N_VIRTUAL * r.hidden, sizeof *gradient);
    struct pt_plugs plugs = {.rows = {N_VIRTUAL, prompt, gradient}};
    struct pt_engine *engine = open_engine(&r, &plugs, 0);
    double loss;
    uint32_t bad[3] = {4, 1024, 5 | PT_COUNTED};
    struct pt_sequence sequences[2] = {r.sequences[0], {bad, 3, 1}};
    assert_int_equal(pt_engine_update(engine, sequences, 2, &loss, NULL, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "1024"));
    assert_non_null(strstr(err.message, "example 2"));
    err = (struct pt_error){0};
    prompt[3] = NAN;
    assert_int_equal(pt_engine_update(engine, r.sequences, N_EXAMPLES, &loss, NULL, &err), PT_NUMERIC);
    assert_non_null(strstr(err.message, "not finite"));
    pt_engine_close(engine);
    free(prompt);
    free(gradient);
    close_reference(&r);
}

static void memory_bounds_the_slices_and_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct reference r;
    struct pt_error err = {0};
    open_reference(&r, "bloom", "f32");
    float *gradient = calloc(N_VIRTUAL * r.hidden, sizeof *gradient);
    struct pt_plugs plugs = prompt_plugs(&r, gradient);
    struct pt_engine_options options = {.memory = UINT64_C(1) << 40};
    struct pt_engine *engine;
    assert_int_equal(pt_engine_open(&engine, r.model, r.math, &plugs, &options, &err), 0);
    assert_true(pt_engine_slice_rows(engine) >= 512);
    pt_engine_close(engine);
    options.memory = 600 * 1000;
    assert_int_equal(pt_engine_open(&engine, r.model, r.math, &plugs, &options, &err), 0);
    size_t slice_rows = pt_engine_slice_rows(engine);
    assert_true(slice_rows > 3 && slice_rows < 512);
    double loss;
    uint32_t words[200];
    for (size_t i = 0; i < N_OF(words); i++)
        words[i] = (uint32_t)(4 + i) | PT_COUNTED;
    struct pt_sequence fits = {words, slice_rows, 1}, too_long = {words, N_OF(words), 1};
    assert_int_equal(pt_engine_update(engine, &fits, 1, &loss, NULL, &err), 0);
    assert_int_equal(pt_engine_update(engine, &too_long, 1, &loss, NULL, &err), PT_FAILED);
    assert_non_null(strstr(err.hint, "--memory"));
    pt_engine_close(engine);
    free(gradient);
    close_reference(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_equal_those_of_the_reference),
        cmocka_unit_test(every_way_of_computing_stays_within_its_bound),
        cmocka_unit_test(losses_and_the_gradient_of_the_prompt_equal_the_reference),
        cmocka_unit_test(the_same_bytes_come_out_for_any_number_of_threads),
        cmocka_unit_test(evaluation_gives_the_losses_of_an_update_and_goes_between_updates),
        cmocka_unit_test(gradients_are_added_and_scale_with_the_weights),
        cmocka_unit_test(sequences_of_every_length_and_without_counted_tokens_go_through),
        cmocka_unit_test(unknown_ids_and_infinite_losses_are_refused),
        cmocka_unit_test(memory_bounds_the_slices_and_what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, use_one_thread, NULL);
}
