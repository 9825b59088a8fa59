/*
 * The loop against transformers' Trainer: the 30 updates of tests/data/reference, in the order in which the
 * Trainer took the rows (50 rows, micro-batches of 2, 3 of them an update and one in the last of an epoch).
 * And what the loop does at its edges.
 */
#include "reference_folders.h"
#include "training_bench.h"

#include "base/log.h"

#include <math.h>

static const float *values_of(struct bench *bench)
{
    return pt_tuned_parameters(bench->model.tuned)->list[0].value;
}

static double real_of(const json_t *line, const char *key)
{
    return json_number_value(json_object_get(line, key));
}

/* The tolerances are those of two f32 implementations that round differently, over 30 updates that build on
 * one another. */
static void check_curve(const char *name)
{
    struct reference reference;
    struct bench bench;
    struct pt_example examples[UPDATES][MICRO_BATCH * ACCUMULATION];
    struct pt_update updates[UPDATES];
    struct pt_training_result result;
    load_reference(&reference, name);
    for (size_t i = 0; i < UPDATES; i++)
        updates[i] = trainer_update(&reference, i, examples[i]);
    open_bench(&bench, &reference, updates, UPDATES);
    succeed(pt_training_run(&bench.training, &result, &err));
    assert_false(result.stopped);
    assert_int_equal(result.position.done.updates, UPDATES);
    assert_int_equal(bench.n_reports, UPDATES);
    const json_t *log = json_object_get(json_object_get(reference.cases, "trainer"), "log_history");
    double worst_loss = 0, worst_value = 0;
    for (size_t i = 0; i < UPDATES; i++) {
        const json_t *line = json_array_get(log, i);
        const struct pt_update_report *report = &bench.reports[i];
        worst_loss = fmax(worst_loss, fabs(report->loss - real_of(line, "loss")));
        assert_true(fabs(report->grad_norm / real_of(line, "grad_norm") - 1) < 1e-3);
        assert_true(report->learning_rate == real_of(line, "learning_rate"));
        assert_true(bench.epochs[i] == real_of(line, "epoch"));
    }
    const struct pt_tensor *final = pt_tensors_find(&reference.tensors, "train.final");
    assert_int_equal(final->n_elements, pt_tuned_parameters(bench.model.tuned)->list[0].n);
    for (size_t i = 0; i < final->n_elements; i++) {
        float expected;
        memcpy(&expected, (const char *) final->data + i * sizeof expected, sizeof expected);
        worst_value = fmax(worst_value, (double)fabsf(values_of(&bench)[i] - expected));
    }
    print_message("# %s: losses deviate by %.1e, the prompt at the end by %.1e\n", name, worst_loss,
                  worst_value);
    assert_true(worst_loss < 1e-4);
    assert_true(worst_value < 1e-4);
    close_bench(&bench);
    free_reference(&reference);
}

static void trainer_curve(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_OF(reference_folders); f++)
        check_curve(reference_folders[f]);
}

/* One update of five examples in micro-batches of 2, 2 and 1, the last of which counts nothing. */
static struct pt_update uneven_update(const struct reference *reference, struct pt_example examples[5],
                                      uint32_t *uncounted)
{
    static const uint64_t sizes[3] = {2, 2, 1};
    for (size_t i = 0; i < 4; i++)
        examples[i] = reference->examples[i];
    examples[4] = reference->examples[4];
    for (size_t i = 0; i < examples[4].n_words; i++)
        uncounted[i] = PT_TOKEN_ID(examples[4].words[i]);
    examples[4].words = uncounted;
    return (struct pt_update){
        .epoch = 1, .n_examples = 5, .n_micro_batches = 3, .examples = examples, .micro_batch_sizes = sizes};
}

static void loss_rules_by_hand(void **state)
{
    (void)state;
    struct reference reference;
    load_reference(&reference, "bloom");
    for (int rule = PT_TOKEN_MEAN; rule <= PT_BATCH_MEAN; rule++) {
        struct bench bench;
        struct pt_example examples[5];
        struct pt_sequence_loss each[5];
        struct pt_sequence sequences[5];
        struct pt_training_result result;
        uint32_t uncounted[256];
        struct pt_update update = uneven_update(&reference, examples, uncounted);
        open_bench(&bench, &reference, &update, 1);
        for (size_t i = 0; i < 5; i++)
            sequences[i] = (struct pt_sequence){examples[i].words, examples[i].n_words, 1};
        succeed(pt_engine_evaluate(bench.model.engine, sequences, 5, each, &err));
        double sum = each[0].loss + each[1].loss + each[2].loss + each[3].loss;
        double n01 = (double)(each[0].targets + each[1].targets),
               n23 = (double)(each[2].targets + each[3].targets);
        double expected =
            rule == PT_TOKEN_MEAN
                ? sum / (n01 + n23)
                : ((each[0].loss + each[1].loss) / n01 + (each[2].loss + each[3].loss) / n23 + 0) / 3;
        bench.training.settings.loss_rule = (enum pt_loss_rule)rule;
        succeed(pt_training_run(&bench.training, &result, &err));
        assert_true(fabs(bench.reports[0].loss - expected) < 1e-6);
        close_bench(&bench);
    }
    free_reference(&reference);
}

static char last_warning[256];

static void keep_warning(void *context, enum pt_log_level level, const char *line)
{
    (void)context;
    if (level == PT_LOG_WARNING)
        snprintf(last_warning, sizeof last_warning, "%s", line);
}

static void nothing_counted_moves_nothing(void **state)
{
    (void)state;
    struct reference reference;
    struct bench bench;
    struct pt_training_result result;
    uint32_t words[3] = {5, 6, 7};
    float before;
    const struct pt_update update = {1, 1, 1, &(struct pt_example){words, 3}, (const uint64_t[]){1}};
    load_reference(&reference, "bloom");
    open_bench(&bench, &reference, &update, 1);
    before = values_of(&bench)[7];
    pt_log_set_sink(keep_warning, NULL);
    succeed(pt_training_run(&bench.training, &result, &err));
    pt_log_set_sink(NULL, NULL);
    assert_true(bench.reports[0].loss == 0 && bench.reports[0].grad_norm == 0);
    assert_true(values_of(&bench)[7] == before);
    assert_non_null(strstr(last_warning, "update 1"));
    close_bench(&bench);
    free_reference(&reference);
}

static void what_is_not_finite_is_named(void **state)
{
    (void)state;
    struct reference reference;
    struct bench bench;
    struct pt_example examples[2][MICRO_BATCH * ACCUMULATION];
    struct pt_training_result result;
    load_reference(&reference, "bloom");
    struct pt_update updates[2] = {trainer_update(&reference, 0, examples[0]),
                                   trainer_update(&reference, 1, examples[1])};
    open_bench(&bench, &reference, updates, 2);
    bench.training.settings.schedule.learning_rate = 1e38;
    bench.training.settings.schedule.kind = PT_CONSTANT;
    assert_int_equal(pt_training_run(&bench.training, &result, &err), PT_NUMERIC);
    assert_non_null(strstr(err.message, "update "));
    assert_non_null(strstr(err.message, "examples "));
    close_bench(&bench);
    free_reference(&reference);
}

static void an_id_beyond_the_vocabulary(void **state)
{
    (void)state;
    struct reference reference;
    struct bench bench;
    struct pt_training_result result;
    uint32_t words[3] = {5, 6 | PT_COUNTED, 0x7ffffff0};
    const struct pt_update update = {1, 1, 1, &(struct pt_example){words, 3}, (const uint64_t[]){1}};
    load_reference(&reference, "bloom");
    open_bench(&bench, &reference, &update, 1);
    assert_int_equal(pt_training_run(&bench.training, &result, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "2147483632"));
    close_bench(&bench);
    free_reference(&reference);
}

/* Runs `reference`'s first six updates in one go, or stopped behind `stop` of them and gone on with; values
 * [n] of the result. */
static void run_six(const struct reference *reference, size_t stop, float *values, size_t n)
{
    struct bench bench;
    struct pt_example examples[6][MICRO_BATCH * ACCUMULATION];
    struct pt_update updates[6];
    struct pt_training_result result;
    struct pt_state *saved = NULL;
    const char *path = in_scratch("state");
    for (size_t i = 0; i < 6; i++)
        updates[i] = trainer_update(reference, i, examples[i]);
    open_bench(&bench, reference, updates, 6);
    if (stop) {
        json_t *identity = pt_run_identity(&bench.training, &err);
        bench.stop_behind = stop;
        bench.training.save = path;
        bench.training.identity = identity;
        succeed(pt_training_run(&bench.training, &result, &err));
        assert_true(result.stopped);
        json_decref(identity);
        close_bench(&bench);
        open_bench(&bench, reference, updates, 6);
        succeed(pt_state_open(&saved, path, &err));
        bench.training.resumed = saved;
    }
    succeed(pt_training_run(&bench.training, &result, &err));
    assert_false(result.stopped);
    assert_int_equal(bench.n_reports, 6 - stop);
    memcpy(values, values_of(&bench), n * sizeof *values);
    pt_state_close(saved);
    close_bench(&bench);
}

static void stopped_anywhere_and_gone_on_with(void **state)
{
    (void)state;
    struct reference reference;
    load_reference(&reference, "bloom");
    size_t n = pt_tensors_find(&reference.tensors, "train.init")->n_elements;
    float *whole = calloc(n, sizeof *whole), *resumed = calloc(n, sizeof *resumed);
    run_six(&reference, 0, whole, n);
    for (size_t stop = 1; stop <= 6; stop++) {
        memset(resumed, 0, n * sizeof *resumed);
        run_six(&reference, stop, resumed, n);
        assert_memory_equal(resumed, whole, n * sizeof *whole);
    }
    free(whole);
    free(resumed);
    free_reference(&reference);
}

static void another_stream_is_refused(void **state)
{
    (void)state;
    struct reference reference;
    struct bench bench;
    struct pt_example examples[3][MICRO_BATCH * ACCUMULATION];
    struct pt_training_result result;
    struct pt_state *saved = NULL;
    load_reference(&reference, "bloom");
    struct pt_update updates[3];
    for (size_t i = 0; i < 3; i++)
        updates[i] = trainer_update(&reference, i, examples[i]);
    open_bench(&bench, &reference, updates, 3);
    json_t *identity = pt_run_identity(&bench.training, &err);
    bench.training.identity = identity;
    bench.training.save = in_scratch("state");
    bench.training.max_updates = 2;
    succeed(pt_training_run(&bench.training, &result, &err));
    json_decref(identity);
    close_bench(&bench);
    struct pt_update swapped[3] = {updates[1], updates[0], updates[2]};
    open_bench(&bench, &reference, swapped, 3);
    succeed(pt_state_open(&saved, in_scratch("state"), &err));
    bench.training.resumed = saved;
    assert_int_equal(pt_training_run(&bench.training, &result, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "another stream"));
    pt_state_close(saved);
    close_bench(&bench);
    free_reference(&reference);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(trainer_curve, use_one_thread),
        cmocka_unit_test(loss_rules_by_hand),
        cmocka_unit_test(nothing_counted_moves_nothing),
        cmocka_unit_test(what_is_not_finite_is_named),
        cmocka_unit_test(an_id_beyond_the_vocabulary),
        cmocka_unit_test(stopped_anywhere_and_gone_on_with),
        cmocka_unit_test(another_stream_is_refused),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
