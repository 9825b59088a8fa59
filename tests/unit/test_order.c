/*
 * The order of rows, the windows and the epochs against a run of transformers' Trainer
 * (tests/data/reference/bloom: 50 rows, micro-batches of 2, accumulation 3, 30 updates), and its rules for
 * counts.
 */
#include "support.h"

#include "fmt/json.h"
#include "tune/order.h"

static struct pt_order *opened(const struct pt_order_settings *settings)
{
    struct pt_error err = {0};
    struct pt_order *order;
    if (pt_order_open(&order, settings, &err))
        fail_msg("%s", err.message);
    return order;
}

static void a_run_equals_the_trainers(void **state)
{
    (void)state;
    struct pt_error err = {0};
    json_t *cases;
    assert_int_equal(pt_json_load(&cases, "tests/data/reference/bloom/cases.json", &err), 0);
    const json_t *trainer = json_object_get(cases, "trainer"), *rows = json_object_get(trainer, "order");
    const json_t *log = json_object_get(trainer, "log_history");
    struct pt_order_settings settings = {
        .n_examples = (uint64_t)json_integer_value(json_object_get(trainer, "rows")),
        .batch_size = (uint64_t)json_integer_value(json_object_get(trainer, "per_device_train_batch_size")),
        .gradient_accumulation =
            (uint64_t)json_integer_value(json_object_get(trainer, "gradient_accumulation_steps")),
        .epochs = 1,
        .max_steps = (uint64_t)json_integer_value(json_object_get(trainer, "max_steps")),
        .seed = (uint64_t)json_integer_value(json_object_get(trainer, "seed")),
        .shuffle = true,
    };
    struct pt_order *order = opened(&settings);
    assert_int_equal(pt_order_updates(order), 30);
    assert_int_equal(pt_order_updates_per_epoch(order), 9);
    struct pt_window window;
    size_t visited = 0, update = 0;
    for (; pt_order_next(order, &window); update++) {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < window.n_micro_batches; i++)
            sum += window.micro_batch_sizes[i];
        assert_int_equal(sum, window.n_examples);
        assert_int_equal(window.n_examples, update % 9 == 8 ? 2 : 6);
        for (uint64_t i = 0; i < window.n_examples; i++)
            assert_int_equal(window.examples[i], json_integer_value(json_array_get(rows, visited++)));
        double epoch = json_number_value(json_object_get(json_array_get(log, update), "epoch"));
        assert_true(window.epoch == epoch);
    }
    assert_int_equal(update, 30);
    assert_int_equal(visited, 3 * 50 + 3 * 6);
    pt_order_close(order);
    json_decref(cases);
}

static void counts_follow_the_trainers_rules(void **state)
{
    (void)state;
    static const struct {
        uint64_t rows, batch, accumulation;
        double epochs;
        uint64_t max_steps, per_epoch, updates;
    } rows[] = {
        {48818, 1, 8, 1, 0, 6103, 6103},
        {48818, 1, 8, 3, 0, 6103, 18309},
        {48818, 1, 8, 0.1, 0, 6103, 611},
        {48818, 1, 8, 1, 7000, 6103, 7000},
        {3, 1, 8, 1, 0, 1, 1},
        {3, 1, 8, 2.5, 0, 1, 3},
        {1, 1, 1, 1, 0, 1, 1},
        {50, 2, 3, 0.01, 0, 9, 1},
        {50, 7, UINT64_C(1) << 53, 2, 0, 1, 2},
        {50, UINT64_C(1) << 53, UINT64_C(1) << 53, 2, 0, 1, 2},
    };
    for (size_t row = 0; row < N_OF(rows); row++) {
        struct pt_order_settings settings = {rows[row].rows,
                                             rows[row].batch,
                                             rows[row].accumulation,
                                             rows[row].epochs,
                                             rows[row].max_steps,
                                             42,
                                             true};
        struct pt_order *order = opened(&settings);
        assert_int_equal(pt_order_updates_per_epoch(order), rows[row].per_epoch);
        assert_int_equal(pt_order_updates(order), rows[row].updates);
        struct pt_window window;
        uint64_t n = 0;
        while (pt_order_next(order, &window))
            n++;
        assert_int_equal(n, rows[row].updates);
        pt_order_close(order);
    }
}

/* Whatever the sizes, a full epoch visits every row once, and windows keep their micro-batches. */
static void an_epoch_visits_every_row_once(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 20; n++)
        for (uint64_t batch = 1; batch <= 5; batch++)
            for (uint64_t accumulation = 1; accumulation <= 4; accumulation++) {
                struct pt_order_settings settings = {n, batch, accumulation, 2, 0, 7, true};
                struct pt_order *order = opened(&settings);
                struct pt_window window;
                int seen[20] = {0};
                double last = 0;
                while (pt_order_next(order, &window)) {
                    for (uint64_t i = 0; i < window.n_examples; i++)
                        seen[window.examples[i]]++;
                    for (uint64_t i = 0; i + 1 < window.n_micro_batches; i++)
                        assert_int_equal(window.micro_batch_sizes[i], batch);
                    assert_true(window.n_micro_batches <= accumulation);
                    assert_true(window.epoch > last);
                    last = window.epoch;
                }
                assert_true(last == 2);
                for (uint64_t i = 0; i < n; i++)
                    assert_int_equal(seen[i], 2);
                pt_order_close(order);
            }
}

static void an_epoch_can_be_started_anywhere(void **state)
{
    (void)state;
    struct pt_order_settings settings = {10, 1, 4, 3, 0, 42, true};
    struct pt_order *order = opened(&settings);
    struct pt_window window;
    uint64_t third[10];
    for (int update = 0; pt_order_next(order, &window); update++)
        for (uint64_t i = 0; update >= 6 && i < window.n_examples; i++)
            third[4 * (update - 6) + (int)i] = window.examples[i];
    pt_order_start_epoch(order, 2);
    assert_true(pt_order_next(order, &window));
    assert_memory_equal(window.examples, third, 4 * sizeof *third);
    pt_order_start_epoch(order, 3);
    assert_false(pt_order_next(order, &window));
    pt_order_close(order);
}

static void without_shuffling_rows_keep_their_order(void **state)
{
    (void)state;
    struct pt_order_settings settings = {5, 1, 2, 2, 0, 42, false};
    struct pt_order *order = opened(&settings);
    struct pt_window window;
    uint64_t visited = 0;
    while (pt_order_next(order, &window))
        for (uint64_t i = 0; i < window.n_examples; i++)
            assert_int_equal(window.examples[i], visited++ % 5);
    assert_int_equal(visited, 10);
    pt_order_close(order);
}

static void too_many_updates_are_refused(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_order *order;
    struct pt_order_settings settings = {UINT64_C(1) << 30, 1, 1, 1e9, 0, 42, true};
    assert_int_equal(pt_order_open(&order, &settings, &err), PT_MISMATCH);
    assert_null(order);
    pt_order_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_equals_the_trainers),
        cmocka_unit_test(counts_follow_the_trainers_rules),
        cmocka_unit_test(an_epoch_visits_every_row_once),
        cmocka_unit_test(an_epoch_can_be_started_anywhere),
        cmocka_unit_test(without_shuffling_rows_keep_their_order),
        cmocka_unit_test(too_many_updates_are_refused),
    };
    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
