/*
 * The list of trained tensors.
 */
#include "tune/parameters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void added_parameters_start_zeroed_and_are_found_by_name(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_parameters parameters = {0};
    char name[16];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "layer.%u", i);
        struct pt_parameter *added = pt_parameters_add(&parameters, name, 2, (uint64_t[]){3, i}, i % 2, &err);
        assert_non_null(added);
        for (size_t j = 0; j < added->n; j++) {
            assert_true(added->value[j] == 0 && added->gradient[j] == 0);
            added->value[j] = added->gradient[j] = (float)i;
        }
    }
    assert_int_equal(pt_parameters_count(&parameters), 3 * 39 * 40 / 2);
    struct pt_parameter *found = pt_parameters_find(&parameters, "layer.17");
    assert_non_null(found);
    assert_int_equal(found->shape[1], 17);
    assert_true(found->decay);
    assert_null(pt_parameters_find(&parameters, "layer.40"));
    pt_parameters_zero_gradients(&parameters);
    assert_true(found->gradient[50] == 0 && found->value[50] == 17);
    pt_parameters_free(&parameters);
    assert_int_equal(parameters.n, 0);
}

static void impossible_shapes_are_refused_and_leave_the_list_alone(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_parameters parameters = {0};
    assert_null(pt_parameters_add(&parameters, "wide", 2, (uint64_t[]){UINT64_MAX / 2, 3}, true, &err));
    assert_int_equal(err.status, PT_MISMATCH);
    err = (struct pt_error){0};
    uint64_t shape[PT_MAX_RANK + 1] = {0};
    assert_null(pt_parameters_add(&parameters, "deep", PT_MAX_RANK + 1, shape, true, &err));
    assert_int_equal(err.status, PT_MISMATCH);
    assert_int_equal(parameters.n, 0);
    pt_parameters_free(&parameters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(added_parameters_start_zeroed_and_are_found_by_name),
        cmocka_unit_test(impossible_shapes_are_refused_and_leave_the_list_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
