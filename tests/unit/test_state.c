/*
 * States of runs: what was written comes back to the last bit, another run's is refused by name, damage is
 * refused. And the log that is gone on with.
 */
#include "files.h"

#include "fmt/safetensors.h"
#include "tune/run_log.h"
#include "tune/state.h"

static const char *path;

static const struct pt_position position = {
    .done = {7, 41, 900, UINT64_C(9007199254740993)},
    .chain = UINT64_C(0xfedcba9876543210),
    .epoch = 0.1 + 0.2,
    .loss_sum = 1.0 / 3,
    .window_loss_sum = 5e-324,
    .window_updates = 2,
    .evaluated = true,
    .eval_updates = 5,
    .eval_loss = 4.9814,
};

static int start(void **state)
{
    int failed = make_scratch(state);
    path = in_scratch("state");
    return failed;
}

/* Two parameters with an optimiser that has taken some steps. */
struct fixture {
    struct pt_parameters parameters;
    struct pt_optimizer *optimizer;
};

static void set_up(struct fixture *fixture, enum pt_optimizer_kind kind, int steps)
{
    struct pt_error err = {0};
    struct pt_optimizer_settings settings = {kind, 0};
    *fixture = (struct fixture){0};
    assert_non_null(pt_parameters_add(&fixture->parameters, "prompt_embeddings", 2, (const uint64_t[]){3, 4},
                                      true, &err));
    assert_non_null(pt_parameters_add(&fixture->parameters, "bias", 1, (const uint64_t[]){5}, false, &err));
    assert_int_equal(pt_optimizer_new(&fixture->optimizer, &settings, &fixture->parameters, &err), PT_OK);
    for (int step = 0; step < steps; step++) {
        for (size_t i = 0; i < 2; i++)
            for (size_t j = 0; j < fixture->parameters.list[i].n; j++)
                fixture->parameters.list[i].gradient[j] = (float)(i + 1) / (float)(j + 3 + (size_t)step);
        pt_optimizer_step(fixture->optimizer, 0.01);
    }
}

static void tear_down(struct fixture *fixture)
{
    pt_optimizer_free(fixture->optimizer);
    pt_parameters_free(&fixture->parameters);
}

static json_t *identity_with_rate(const char *rate)
{
    json_t *identity = json_pack("{ssss}", "math", "f32:portable", "learning rate", rate);
    assert_non_null(identity);
    return identity;
}

static void write_state(const struct fixture *fixture)
{
    struct pt_error err = {0};
    json_t *identity = identity_with_rate("0.01");
    assert_int_equal(
        pt_state_write(path, &position, identity, &fixture->parameters, fixture->optimizer, &err), PT_OK);
    json_decref(identity);
}

static struct pt_state *open_state(void)
{
    struct pt_error err = {0};
    struct pt_state *state = NULL;
    assert_int_equal(pt_state_open(&state, path, &err), PT_OK);
    return state;
}

/* AdamW's step depends on the number of updates. */
static void steps_are_equal(struct fixture *one, struct fixture *other)
{
    for (size_t i = 0; i < 2; i++)
        memcpy(other->parameters.list[i].gradient, one->parameters.list[i].gradient,
               one->parameters.list[i].n * sizeof(float));
    pt_optimizer_step(one->optimizer, 0.01);
    pt_optimizer_step(other->optimizer, 0.01);
    for (size_t i = 0; i < 2; i++)
        assert_memory_equal(other->parameters.list[i].value, one->parameters.list[i].value,
                            one->parameters.list[i].n * sizeof(float));
}

static void everything_comes_back(void **unused)
{
    (void)unused;
    struct pt_error err = {0};
    struct fixture written, read;
    set_up(&written, PT_ADAMW, 4);
    set_up(&read, PT_ADAMW, 0);
    write_state(&written);
    struct pt_state *state = open_state();
    assert_memory_equal(&pt_state_position(state)->done, &position.done, sizeof position.done);
    assert_true(pt_state_position(state)->chain == position.chain);
    assert_true(pt_state_position(state)->epoch == position.epoch);
    assert_true(pt_state_position(state)->loss_sum == position.loss_sum);
    assert_true(pt_state_position(state)->window_loss_sum == position.window_loss_sum);
    assert_true(pt_state_position(state)->window_updates == position.window_updates);
    assert_true(pt_state_position(state)->evaluated &&
                pt_state_position(state)->eval_updates == position.eval_updates);
    assert_true(pt_state_position(state)->eval_loss == position.eval_loss);
    assert_string_equal(pt_state_identity(state, "math"), "f32:portable");
    assert_int_equal(pt_state_restore(state, &read.parameters, read.optimizer, &err), PT_OK);
    for (size_t i = 0; i < 2; i++) {
        size_t bytes = written.parameters.list[i].n * sizeof(float);
        assert_memory_equal(read.parameters.list[i].value, written.parameters.list[i].value, bytes);
        for (size_t which = 0; which < 2; which++)
            assert_memory_equal(pt_optimizer_moment(read.optimizer, i, which),
                                pt_optimizer_moment(written.optimizer, i, which), bytes);
    }
    pt_optimizer_set_updates(written.optimizer, position.done.updates);
    steps_are_equal(&written, &read);
    pt_state_close(state);
    tear_down(&written);
    tear_down(&read);
}

static void another_run_is_refused(void **unused)
{
    (void)unused;
    struct pt_error err = {0};
    struct fixture fixture;
    set_up(&fixture, PT_ADAMW, 1);
    write_state(&fixture);
    struct pt_state *state = open_state();
    json_t *same = identity_with_rate("0.01"), *other = identity_with_rate("0.02");
    assert_int_equal(pt_state_check(state, same, false, &err), PT_OK);
    assert_int_equal(pt_state_check(state, other, true, &err), PT_OK);
    assert_int_equal(pt_state_check(state, other, false, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "learning rate was 0.01 and is 0.02"));
    assert_null(strstr(err.message, "math"));
    json_decref(same);
    json_decref(other);
    pt_state_close(state);
    tear_down(&fixture);
}

static void another_optimiser_lacks_its_moments(void **unused)
{
    (void)unused;
    struct pt_error err = {0};
    struct fixture sgd, adamw;
    set_up(&sgd, PT_SGD, 1);
    set_up(&adamw, PT_ADAMW, 0);
    write_state(&sgd);
    struct pt_state *state = open_state();
    assert_int_equal(pt_state_restore(state, &sgd.parameters, sgd.optimizer, &err), PT_OK);
    assert_int_equal(pt_state_restore(state, &adamw.parameters, adamw.optimizer, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "prompt_embeddings.exp_avg"));
    pt_state_close(state);
    tear_down(&sgd);
    tear_down(&adamw);
}

static void damage_is_refused(void **unused)
{
    (void)unused;
    struct fixture fixture;
    set_up(&fixture, PT_ADAMW, 1);
    write_state(&fixture);
    size_t n;
    char *bytes = read_file(path, &n);
    assert_true(n > 100);
    for (size_t i = 0; i < n; i += 3) {
        struct pt_error err = {0};
        struct pt_state *state = NULL;
        bytes[i] ^= 16;
        write_file(path, bytes, n);
        assert_int_not_equal(pt_state_open(&state, path, &err), PT_OK);
        assert_in_range(err.status, PT_BAD_INPUT, PT_MISMATCH);
        bytes[i] ^= 16;
    }
    for (size_t length = 0; length < n; length += 7) {
        struct pt_error err = {0};
        struct pt_state *state = NULL;
        write_file(path, bytes, length);
        assert_int_equal(pt_state_open(&state, path, &err), PT_BAD_INPUT);
    }
    free(bytes);
    tear_down(&fixture);
}

static void a_prompt_is_no_state(void **unused)
{
    (void)unused;
    struct pt_error err = {0};
    struct pt_tensors set = {0};
    struct pt_sink *sink;
    struct pt_state *state = NULL;
    const float value = 1;
    assert_int_equal(pt_tensors_add(&set, "prompt_embeddings", PT_F32, 0, NULL, &value, &err), PT_OK);
    assert_int_equal(pt_sink_open(&sink, path, &err), PT_OK);
    assert_int_equal(pt_safetensors_write(sink, &set, false, &err), PT_OK);
    assert_int_equal(pt_sink_commit(sink, &err), PT_OK);
    assert_int_equal(pt_state_open(&state, path, &err), PT_MISMATCH);
    pt_tensors_free(&set);
}

static void log_lines(uint64_t from, uint64_t to, const struct pt_position *resumed)
{
    struct pt_error err = {0};
    struct pt_run_log *log = NULL;
    assert_int_equal(pt_run_log_open(&log, path, resumed, &err), PT_OK);
    for (uint64_t step = from; step <= to; step++) {
        struct pt_position at = {
            .done = {.updates = step}, .epoch = 0.1 * (double)step, .eval_loss = 1.0 / (double)step};
        assert_int_equal(pt_run_log_updates(log, &at, 5.25, 0.1, 0.01, &err), PT_OK);
        assert_int_equal(pt_run_log_evaluation(log, &at, 12, &err), PT_OK);
    }
    assert_int_equal(pt_run_log_close(log, &err), PT_OK);
}

static void log_goes_on_behind_the_state(void **unused)
{
    (void)unused;
    size_t n;
    struct pt_position at = {.done = {.updates = 3}, .evaluated = true, .eval_updates = 3};
    log_lines(1, 6, NULL);
    char *whole = read_file(path, &n);
    log_lines(1, 5, NULL);
    FILE *file = fopen(path, "ab"); /* killed while it wrote a line */
    assert_non_null(file);
    fputs("{\"loss\": 5.2", file);
    fclose(file);
    log_lines(4, 6, &at);
    char *resumed = read_file(path, &n);
    assert_string_equal(resumed, whole);
    const char *first =
        "{\"loss\": 5.25, \"grad_norm\": 0.1, \"learning_rate\": 0.01, \"epoch\": 0.1, \"step\": 1}\n";
    assert_memory_equal(whole, first, strlen(first));
    free(whole);
    free(resumed);
}

/* One that was measured after the state was saved, or since the saved run ended there. */
static void log_drops_an_evaluation_that_the_state_does_not_know(void **unused)
{
    (void)unused;
    size_t n;
    struct pt_error err = {0};
    struct pt_run_log *log = NULL;
    const struct pt_position known[] = {{.done = {.updates = 3}},
                                        {.done = {.updates = 3}, .evaluated = true, .eval_updates = 2}};
    for (size_t i = 0; i < N_OF(known); i++) {
        log_lines(1, 3, NULL);
        char *whole = read_file(path, &n);
        assert_int_equal(pt_run_log_open(&log, path, &known[i], &err), PT_OK);
        assert_int_equal(pt_run_log_close(log, &err), PT_OK);
        char *cut = read_file(path, &n);
        char *last = strstr(strstr(whole, "\"step\": 3}\n"), "\n") + 1;
        assert_non_null(strstr(last, "eval_loss"));
        assert_int_equal(n, last - whole);
        assert_memory_equal(cut, whole, n);
        free(whole);
        free(cut);
    }
}

static void log_drops_the_totals(void **unused)
{
    (void)unused;
    size_t n;
    struct pt_error err = {0};
    struct pt_run_log *log = NULL;
    struct pt_position at = {.done = {.updates = 3, .examples = 24}, .loss_sum = 6};
    assert_int_equal(pt_run_log_open(&log, path, NULL, &err), PT_OK);
    assert_int_equal(pt_run_log_totals(log, &at, 24, 3, 2, &err), PT_OK);
    assert_int_equal(pt_run_log_close(log, &err), PT_OK);
    char *text = read_file(path, &n);
    assert_non_null(strstr(text, "\"train_loss\": 2.0"));
    assert_non_null(strstr(text, "\"train_samples_per_second\": 12.0"));
    free(text);
    assert_int_equal(pt_run_log_open(&log, path, &at, &err), PT_OK);
    assert_int_equal(pt_run_log_close(log, &err), PT_OK);
    free(read_file(path, &n));
    assert_int_equal(n, 0);
}

static void a_file_of_others_is_not_cut(void **unused)
{
    (void)unused;
    size_t n;
    const char *others = "dear diary\nnothing happened\n";
    struct pt_error err = {0};
    struct pt_run_log *log = NULL;
    struct pt_position at = {.done = {.updates = 3}};
    write_file(path, others, strlen(others));
    assert_int_equal(pt_run_log_open(&log, path, &at, &err), PT_BAD_INPUT);
    char *text = read_file(path, &n);
    assert_string_equal(text, others);
    free(text);
}

static void full_disk_shows(void **unused)
{
    (void)unused;
    struct pt_error err = {0};
    struct pt_run_log *log = NULL;
    assert_int_equal(pt_run_log_open(&log, "/dev/full", NULL, &err), PT_OK);
    assert_int_equal(pt_run_log_totals(log, &position, 1, 1, 1, &err), PT_FAILED);
    assert_int_equal(pt_run_log_close(log, &err), PT_FAILED);
    assert_non_null(strstr(err.message, "/dev/full"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(another_run_is_refused),
        cmocka_unit_test(another_optimiser_lacks_its_moments),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(a_prompt_is_no_state),
        cmocka_unit_test(log_goes_on_behind_the_state),
        cmocka_unit_test(log_drops_an_evaluation_that_the_state_does_not_know),
        cmocka_unit_test(log_drops_the_totals),
        cmocka_unit_test(a_file_of_others_is_not_cut),
        cmocka_unit_test(full_disk_shows),
    };
    return cmocka_run_group_tests(tests, start, remove_scratch);
}
