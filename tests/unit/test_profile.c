/* Calls are counted while measuring and only then; limits are measured. */
#include "support.h"

#include "base/profile.h"
#include "math/activation.h"
#include "math/limits.h"

static void work(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        PT_PROFILED(PT_PART_NORM, PT_BACKWARD, 100);
        pt_profile_count_saving(PT_SAVING_LOGITS, 2, 5);
    }
}

static void calls_are_counted_only_while_measuring(void **state)
{
    (void)state;
    const struct pt_part_totals *norm = &pt_profile()->parts[PT_PART_NORM][PT_BACKWARD];
    const struct pt_saving_totals *logits = &pt_profile()->savings[PT_SAVING_LOGITS];
    work(3);
    assert_int_equal(norm->calls, 0);
    pt_profile_run(true);
    work(4);
    pt_profile_run(false);
    work(5);
    assert_int_equal(norm->calls, 4);
    assert_true(norm->work == 400);
    assert_int_equal(logits->computed, 4 * 2);
    assert_int_equal(logits->saved, 4 * 5);
    assert_true(norm->seconds >= 0 && norm->seconds <= pt_profile()->seconds);
}

static void a_call_of_the_library_is_counted_with_its_bytes(void **state)
{
    (void)state;
    enum { N = 1000 };
    static float x[N], y[N];
    const struct pt_part_totals *activation = &pt_profile()->parts[PT_PART_ACTIVATION][PT_FORWARD];
    pt_activation_forward(PT_GELU_TANH, N, x, y);
    pt_profile_run(true);
    pt_activation_forward(PT_GELU_TANH, N, x, y);
    pt_profile_run(false);
    assert_int_equal(activation->calls, 1);
    assert_true(activation->work == 2 * N * sizeof(float));
}

static void parts_and_savings_have_names_of_their_own(void **state)
{
    (void)state;
    for (enum pt_part a = 0; a < PT_PARTS; a++) {
        assert_non_null(pt_part_name(a));
        for (enum pt_part b = 0; b < a; b++)
            assert_string_not_equal(pt_part_name(a), pt_part_name(b));
    }
    for (enum pt_saving saving = 0; saving < PT_SAVINGS; saving++)
        assert_non_null(pt_saving_name(saving));
}

static void limits_are_measured_for_weights_of_any_type(void **state)
{
    (void)state;
    const enum pt_dtype dtypes[] = {PT_F32, PT_F16, PT_BF16};
    struct pt_error err = {0};
    struct pt_math *math;
    for (size_t i = 0; i < N_OF(dtypes); i++) {
        struct pt_limits limits;
        assert_int_equal(pt_math_open(&math, "f32", dtypes[i], &err), 0);
        assert_int_equal(pt_limits_measure(&limits, math, dtypes[i], 0.01, &err), 0);
        assert_true(limits.product > 0);
        assert_true(limits.bandwidth >= 0);
        pt_math_close(math);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted_only_while_measuring),
        cmocka_unit_test(a_call_of_the_library_is_counted_with_its_bytes),
        cmocka_unit_test(parts_and_savings_have_names_of_their_own),
        cmocka_unit_test(limits_are_measured_for_weights_of_any_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
