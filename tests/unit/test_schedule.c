/*
 * Schedules against transformers.get_scheduler: base rate 0.01, 11 updates, without warm-up and with 4
 * updates of it. And the weights that the two loss rules give, against hand computation.
 */
#include "support.h"

#include "tune/loss_rule.h"
#include "tune/schedule.h"

#include <math.h>

enum { UPDATES = 11, WARMUP = 4 };

static void check(enum pt_schedule_kind kind, uint64_t n_warmup, const double expected[UPDATES],
                  double tolerance)
{
    struct pt_schedule schedule = {kind, 0.01, n_warmup, UPDATES};
    for (uint64_t k = 0; k < UPDATES; k++)
        assert_true(fabs(pt_schedule_rate(&schedule, k) - expected[k]) <= tolerance);
}

static void linear(void **unused)
{
    (void)unused;
    check(PT_LINEAR, 0,
          (double[]){0.01, 0.00909090909090909, 0.008181818181818182, 0.007272727272727273,
                     0.006363636363636364, 0.005454545454545454, 0.004545454545454545, 0.0036363636363636364,
                     0.002727272727272727, 0.0018181818181818182, 0.0009090909090909091},
          0);
    check(PT_LINEAR, WARMUP,
          (double[]){0.0, 0.0025, 0.005, 0.0075, 0.01, 0.008571428571428572, 0.0071428571428571435,
                     0.005714285714285714, 0.004285714285714286, 0.002857142857142857, 0.0014285714285714286},
          0);
}

/* The cosine of another C library may differ in its last bit. */
static void cosine(void **unused)
{
    (void)unused;
    check(PT_COSINE, 0,
          (double[]){0.01, 0.009797464868072488, 0.009206267664155906, 0.008274303669726426,
                     0.007077075065009433, 0.005711574191366427, 0.004288425808633574, 0.0029229249349905684,
                     0.001725696330273575, 0.0007937323358440934, 0.00020253513192751372},
          1e-17);
    check(PT_COSINE, WARMUP,
          (double[]){0.0, 0.0025, 0.005, 0.0075, 0.01, 0.009504844339512096, 0.008117449009293669,
                     0.006112604669781572, 0.003887395330218428, 0.0018825509907063327,
                     0.0004951556604879049},
          1e-17);
}

static void constant(void **unused)
{
    (void)unused;
    check(PT_CONSTANT, 0, (double[]){0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01}, 0);
    check(PT_CONSTANT, WARMUP,
          (double[]){0.0, 0.0025, 0.005, 0.0075, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01}, 0);
}

static void past_the_end(void **unused)
{
    (void)unused;
    struct pt_schedule schedule = {PT_LINEAR, 0.01, 0, UPDATES};
    assert_true(pt_schedule_rate(&schedule, UPDATES) == 0);
    assert_true(pt_schedule_rate(&schedule, UPDATES + 5) == 0);
    struct pt_schedule all_warmup = {PT_LINEAR, 0.01, 20, UPDATES};
    assert_true(pt_schedule_rate(&all_warmup, 10) == 0.01 * 0.5);
}

static void warmup_ratio_rounds_up(void **unused)
{
    (void)unused;
    assert_int_equal(pt_schedule_warmup(0, 100), 0);
    assert_int_equal(pt_schedule_warmup(0.03, 100), 3);
    assert_int_equal(pt_schedule_warmup(0.031, 100), 4);
    assert_int_equal(pt_schedule_warmup(1, 7), 7);
}

/* 5 examples with 2, 0 | 1, 3 | 0 counted tokens, in micro-batches as the bars show. */
static const uint32_t words[] = {
    7, 8 | PT_COUNTED, 9 | PT_COUNTED, 5, 6 | PT_COUNTED, 1 | PT_COUNTED, 2 | PT_COUNTED, 3 | PT_COUNTED, 4};
static const struct pt_example examples[5] = {
    {words, 3}, {words + 3, 1}, {words + 4, 1}, {words + 5, 3}, {words + 8, 1}};
static const uint64_t micro_batches[3] = {2, 2, 1};
static const struct pt_update update = {1, 5, 3, examples, micro_batches};

static void token_mean(void **unused)
{
    (void)unused;
    double weights[5];
    assert_int_equal(pt_loss_weights(PT_TOKEN_MEAN, &update, weights), 6);
    for (int i = 0; i < 5; i++)
        assert_true(weights[i] == 1.0 / 6);
}

static void batch_mean(void **unused)
{
    (void)unused;
    double weights[5];
    assert_int_equal(pt_loss_weights(PT_BATCH_MEAN, &update, weights), 6);
    const double expected[5] = {1.0 / (3 * 2), 1.0 / (3 * 2), 1.0 / (3 * 4), 1.0 / (3 * 4), 0};
    for (int i = 0; i < 5; i++)
        assert_true(weights[i] == expected[i]);
}

static void nothing_counted(void **unused)
{
    (void)unused;
    double weights[1] = {3};
    struct pt_update bare = {1, 1, 1, examples + 1, (const uint64_t[]){1}};
    assert_int_equal(pt_loss_weights(PT_TOKEN_MEAN, &bare, weights), 0);
    assert_true(weights[0] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear),
        cmocka_unit_test(cosine),
        cmocka_unit_test(constant),
        cmocka_unit_test(past_the_end),
        cmocka_unit_test(warmup_ratio_rounds_up),
        cmocka_unit_test(token_mean),
        cmocka_unit_test(batch_mean),
        cmocka_unit_test(nothing_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
