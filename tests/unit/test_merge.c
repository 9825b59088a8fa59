/*
 * Means, sums and concatenation of prompts.
 */
#include "prompts.h"

#include "tune/merge.h"

#include <float.h>

static struct pt_tuned *prompt(const char *name, uint64_t n, float first, json_t *metadata)
{
    return open_prompt(write_prompt(name, n, first, metadata));
}

static void free_all(struct pt_tuned **inputs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pt_tuned_free(inputs[i]);
}

static void the_default_is_the_mean(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *inputs[] = {prompt("a", 2, 0, NULL), prompt("b", 2, 10, NULL), prompt("c", 2, 5, NULL)};
    assert_int_equal(pt_merge_sum(inputs, 3, NULL, &err), PT_OK);
    for (int i = 0; i < 8; i++)
        assert_true(prompt_of(inputs[0])->value[i] == (float)(5 + i));
    free_all(inputs, 3);
}

static void weights_make_a_plain_sum(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *inputs[] = {prompt("a", 2, 0, NULL), prompt("b", 2, 10, NULL)};
    assert_int_equal(pt_merge_sum(inputs, 2, (double[]){2, -1}, &err), PT_OK);
    for (int i = 0; i < 8; i++)
        assert_true(prompt_of(inputs[0])->value[i] == (float)(2 * i - (10 + i)));
    free_all(inputs, 2);
}

static void one_input_stays_as_it_is(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *input = prompt("a", 2, 0.1F, json_pack("{s:s}", PT_KEY_INIT, "{\"kind\":\"vocab\"}"));
    float before = prompt_of(input)->value[3];
    assert_int_equal(pt_merge_sum(&input, 1, NULL, &err), PT_OK);
    assert_true(prompt_of(input)->value[3] == before);
    assert_non_null(pt_tuned_metadata(input, PT_KEY_INIT));
    pt_tuned_free(input);
}

static void concatenation_keeps_the_order(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *inputs[] = {prompt("a", 2, 0, NULL), prompt("b", 1, 8, NULL), prompt("c", 3, 12, NULL)};
    assert_int_equal(pt_merge_concat(inputs, 3, &err), PT_OK);
    assert_int_equal(prompt_of(inputs[0])->shape[0], 6);
    assert_int_equal(prompt_of(inputs[0])->shape[1], 4);
    for (int i = 0; i < 24; i++)
        assert_true(prompt_of(inputs[0])->value[i] == (float)i);
    free_all(inputs, 3);
}

static json_t *known(const char *base, const char *template, const char *tool)
{
    return json_pack("{s:s, s:s, s:s, s:o}", PT_KEY_BASE_FINGERPRINT, base, PT_KEY_TEMPLATE, template,
                     PT_KEY_INIT, "{}", PT_KEY_HISTORY, json_sprintf("[{\"tool\":\"%s\"}]", tool));
}

static void what_all_agree_on_is_kept(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *inputs[] = {prompt("a", 1, 0, NULL), prompt("b", 1, 0, known("f", "t", "one")),
                                 prompt("c", 1, 0, known("f", "t", "two"))};
    assert_int_equal(pt_merge_sum(inputs, 3, NULL, &err), PT_OK);
    assert_string_equal(pt_tuned_metadata(inputs[0], PT_KEY_BASE_FINGERPRINT), "f");
    assert_string_equal(pt_tuned_metadata(inputs[0], PT_KEY_TEMPLATE), "t");
    assert_string_equal(pt_tuned_metadata(inputs[0], PT_KEY_HISTORY),
                        "[{\"tool\":\"one\"},{\"tool\":\"two\"}]");
    assert_null(pt_tuned_metadata(inputs[0], PT_KEY_INIT));
    free_all(inputs, 3);
}

static void templates_that_differ_are_dropped(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *inputs[] = {prompt("a", 1, 0, known("f", "t", "x")),
                                 prompt("b", 1, 0, known("f", "u", "x")),
                                 prompt("c", 1, 0, known("f", "u", "x"))};
    assert_int_equal(pt_merge_sum(inputs, 3, NULL, &err), PT_OK);
    assert_null(pt_tuned_metadata(inputs[0], PT_KEY_TEMPLATE));
    free_all(inputs, 3);
}

static void inputs_that_do_not_belong_together_are_refused(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *inputs[] = {prompt("a", 2, 0, known("ff01", "t", "x")),
                                 prompt("b", 2, 0, known("ff02", "t", "x"))};
    assert_int_equal(pt_merge_sum(inputs, 2, NULL, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "ff01"));
    assert_non_null(strstr(err.message, "ff02"));
    free_all(inputs, 2);
    struct pt_tuned *unequal[] = {prompt("a", 2, 0, NULL), prompt("b", 3, 0, NULL)};
    err = (struct pt_error){0};
    assert_int_equal(pt_merge_sum(unequal, 2, NULL, &err), PT_MISMATCH);
    assert_non_null(strstr(err.message, "[3, 4]"));
    free_all(unequal, 2);
}

static void a_sum_that_overflows_is_refused(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_tuned *inputs[] = {prompt("a", 1, 1, NULL), prompt("b", 1, 1, NULL)};
    assert_int_equal(pt_merge_sum(inputs, 2, (double[]){(double)FLT_MAX, (double)FLT_MAX}, &err), PT_NUMERIC);
    free_all(inputs, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_the_mean),
        cmocka_unit_test(weights_make_a_plain_sum),
        cmocka_unit_test(one_input_stays_as_it_is),
        cmocka_unit_test(concatenation_keeps_the_order),
        cmocka_unit_test(what_all_agree_on_is_kept),
        cmocka_unit_test(templates_that_differ_are_dropped),
        cmocka_unit_test(inputs_that_do_not_belong_together_are_refused),
        cmocka_unit_test(a_sum_that_overflows_is_refused),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
