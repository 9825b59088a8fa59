/*
 * Cross entropy against double, for ordinary, extreme and broken logits. Tolerances: probabilities come from
 * f32 exponentials of relative error 2^-22; the loss of a target is log(sum) - (logit - largest), both exact
 * to that in double.
 */
#include "math_values.h"

#include "base/threads.h"
#include "math/loss.h"

static const size_t vocabularies[] = {1, 2, 15, 16, 17, 1000, 4099};
enum { ROWS = 4 };

static double plain_loss(size_t vocab, const float *logits, uint32_t id)
{
    double largest = (double)logits[0], sum = 0;
    for (size_t j = 1; j < vocab; j++)
        largest = fmax(largest, (double)logits[j]);
    for (size_t j = 0; j < vocab; j++)
        sum += exp((double)logits[j] - largest);
    return largest + log(sum) - (double)logits[id];
}

static void check(size_t vocab, float scale)
{
    float *logits = new_values(ROWS * vocab, scale, 1), *same = new_values(ROWS * vocab, scale, 1),
          *gradient = new_values(ROWS * vocab, scale, 1);
    struct pt_target targets[ROWS];
    double losses[ROWS], again[ROWS];
    uint8_t correct[ROWS], correct_again[ROWS];
    for (uint32_t i = 0; i < ROWS; i++)
        targets[i] = (struct pt_target){(uint32_t)(i * 7919 % vocab), 0.25f * (float)i};
    pt_cross_entropy(ROWS, vocab, logits, targets, false, losses, correct);
    assert_memory_equal(logits, same, ROWS * vocab * sizeof *logits);
    pt_cross_entropy(ROWS, vocab, gradient, targets, true, again, correct_again);
    assert_memory_equal(losses, again, sizeof losses);
    assert_memory_equal(correct, correct_again, sizeof correct);
    for (size_t i = 0; i < ROWS; i++) {
        const float *row = logits + i * vocab;
        double expected = plain_loss(vocab, row, targets[i].id);
        bool largest = true;
        assert_near(losses[i], expected, 5e-7 * (1 + fabs(expected)), "loss", i);
        for (size_t j = 0; j < vocab; j++) {
            if (vocab < 100 || j % 197 == 0 || j == targets[i].id) {
                double p = exp(-plain_loss(vocab, row, (uint32_t)j)), hit = j == targets[i].id ? 1 : 0,
                       weight = (double)targets[i].weight;
                assert_near((double)gradient[i * vocab + j], weight * (p - hit), 5e-7 * weight, "gradient",
                            i * vocab + j);
            }
            largest = largest &&
                      (row[j] < row[targets[i].id] || (row[j] == row[targets[i].id] && j >= targets[i].id));
        }
        assert_int_equal(correct[i], largest);
    }
    free(logits);
    free(same);
    free(gradient);
}

static void check_vocabularies(void)
{
    for (size_t i = 0; i < N_OF(vocabularies); i++) {
        check(vocabularies[i], 5.0f);
        if (vocabularies[i] <= 1000)
            check(vocabularies[i], 1e30f);
    }
}

static void agrees_with_double(void **state)
{
    (void)state;
    with_all_kernels(check_vocabularies);
}

static void the_first_of_equals_is_correct(void **state)
{
    (void)state;
    float logits[3][40] = {{0}};
    struct pt_target targets[3] = {{20, 1}, {30, 1}, {5, 1}};
    double losses[3];
    uint8_t correct[3];
    for (int i = 0; i < 3; i++)
        logits[i][20] = logits[i][30] = 1.0f;
    pt_cross_entropy(3, 40, logits[0], targets, false, losses, correct);
    assert_int_equal(correct[0], 1);
    assert_int_equal(correct[1], 0);
    assert_int_equal(correct[2], 0);
}

/* Whatever is not finite, wherever it stands, shows in the loss of its row and in no other. */
static void shows_what_is_not_finite(void)
{
    enum { VOCAB = 37 };
    const float broken[] = {NAN, INFINITY, -INFINITY};
    for (size_t b = 0; b < N_OF(broken); b++)
        for (size_t at = 0; at < VOCAB; at++) {
            float *logits = new_values((size_t)2 * VOCAB, 3.0f, 1);
            struct pt_target targets[2] = {{7, 1}, {8, 1}};
            double losses[2];
            uint8_t correct[2];
            logits[at] = broken[b];
            pt_cross_entropy(2, VOCAB, logits, targets, at % 2 == 0, losses, correct);
            assert_true(!isfinite(losses[0]));
            assert_true(!!isfinite(losses[1]));
            assert_int_equal(correct[0], 0);
            free(logits);
        }
}

static void not_finite(void **state)
{
    (void)state;
    with_all_kernels(shows_what_is_not_finite);
}

static void same_bytes_for_any_threads(void **state)
{
    (void)state;
    enum { VOCAB = 3001 };
    float *one = new_values((size_t)ROWS * VOCAB, 4.0f, 1),
          *other = new_values((size_t)ROWS * VOCAB, 4.0f, 1);
    struct pt_target targets[ROWS] = {{1, 1}, {2, 1}, {3, 1}, {4, 1}};
    double losses[2][ROWS];
    uint8_t correct[ROWS];
    pt_threads_set(1);
    pt_cross_entropy(ROWS, VOCAB, one, targets, true, losses[0], correct);
    pt_threads_set(3);
    pt_cross_entropy(ROWS, VOCAB, other, targets, true, losses[1], correct);
    pt_threads_set(0);
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    assert_memory_equal(one, other, ROWS * VOCAB * sizeof *one);
    free(one);
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_double),
        cmocka_unit_test(the_first_of_equals_is_correct),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(same_bytes_for_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
