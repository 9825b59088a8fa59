/*
 * Attention against a plain implementation in double, and its gradients against central differences of that.
 *
 * Tolerances: scores are sums of head_dim products of values below 1, probabilities sum to 1, so outputs err
 * by a few 2^-24; 2e-6 absolute. Gradients add up over all queries that see a key: 1e-5 times the number of
 * queries is far above their rounding and far below a lost query, key, or factor.
 */
#include "plain_attention.h"

static void check_forward(const struct setup *s)
{
    struct values v = new_setup_values(s);
    const size_t n_sums = v.n_rows * s->n_heads, n = n_sums * s->dim;
    float *out = new_values(n, 1.0f, 5), *again = new_values(n, 1.0f, 6),
          *log_sums = new_values(n_sums, 1.0f, 7);
    double *expected = calloc(n, sizeof *expected), *expected_sums = calloc(n_sums, sizeof *expected_sums);
    plain_attention(s, &v, expected, expected_sums);
    run_forward(s, &v, out, log_sums);
    run_forward(s, &v, again, NULL);
    for (size_t i = 0; i < n; i++)
        assert_near((double)out[i], expected[i], 2e-6, "out", i);
    for (size_t i = 0; i < n_sums; i++)
        assert_near((double)log_sums[i], expected_sums[i], 2e-6, "log sum", i);
    assert_memory_equal(out, again, n * sizeof *out);
    free(out);
    free(again);
    free(log_sums);
    free(expected);
    free(expected_sums);
    free_values(&v);
}

static void forward_in_all_kernels(void)
{
    for (size_t i = 0; i < N_OF(setups); i++)
        check_forward(&setups[i]);
}

static void agrees_with_plain_attention(void **state)
{
    (void)state;
    with_all_kernels(forward_in_all_kernels);
}

/* Central differences of the plain loss by each element of `values`. */
static double *new_differences(const struct setup *s, struct values *v, double *values, size_t n)
{
    const double step = 1e-4;
    double *differences = calloc(n + 1, sizeof *differences);
    assert_non_null(differences);
    for (size_t i = 0; i < n; i++) {
        double kept = values[i];
        values[i] = kept + step;
        double above = plain_attention(s, v, NULL, NULL);
        values[i] = kept - step;
        differences[i] = (above - plain_attention(s, v, NULL, NULL)) / (2 * step);
        values[i] = kept;
    }
    return differences;
}

/* Gradients of q are written, those of k and v added to the ones that are there. */
static void check_backward(const struct setup *s, struct values *v, const struct gradients *expected)
{
    float *out = new_values(v->n_rows * s->n_heads * s->dim, 0.0f, 1),
          *log_sums = new_values(v->n_rows * s->n_heads, 0.0f, 1);
    float *drows = new_ones(expected->n_rows), *dprefix = new_ones(expected->n_prefix),
          *others = new_ones(expected->n_rows);
    const double tolerance = 1e-5 * (double)(v->n_rows + 1);
    run_forward(s, v, out, log_sums);
    run_backward(s, v, log_sums, drows, dprefix);
    for (size_t i = 0; i < expected->n_rows; i++) {
        double before = i % v->width < s->n_heads * s->dim ? 0 : 1;
        assert_near((double)drows[i] - before, expected->rows[i], tolerance, "gradient of rows", i);
    }
    for (size_t i = 0; i < expected->n_prefix; i++)
        assert_near((double)dprefix[i] - 1, expected->prefix[i], tolerance, "gradient of keys in front", i);
    /* Where nobody needs the gradients in front, the others are the same. */
    run_backward(s, v, log_sums, others, NULL);
    assert_memory_equal(drows, others, expected->n_rows * sizeof *drows);
    free(out);
    free(log_sums);
    free(drows);
    free(dprefix);
    free(others);
}

static const struct setup *current;
static struct values *current_values;
static struct gradients *current_gradients;

static void backward_in_all_kernels(void)
{
    check_backward(current, current_values, current_gradients);
}

static void check_backward_in_all_kernels(const struct setup *s, struct values *v, struct gradients *expected)
{
    current = s;
    current_values = v;
    current_gradients = expected;
    with_all_kernels(backward_in_all_kernels);
}

/* The plain gradients with differences of the plain loss, ours with the plain ones. */
static void agrees_with_finite_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(setups); i++) {
        struct values v = new_setup_values(&setups[i]);
        struct gradients expected = new_gradients(&setups[i], &v);
        double *rows = new_differences(&setups[i], &v, v.rows, expected.n_rows),
               *prefix = new_differences(&setups[i], &v, v.prefix, expected.n_prefix);
        for (size_t j = 0; j < expected.n_rows; j++)
            assert_near(expected.rows[j], rows[j], 1e-6, "plain gradient of rows", j);
        for (size_t j = 0; j < expected.n_prefix; j++)
            assert_near(expected.prefix[j], prefix[j], 1e-6, "plain gradient of keys in front", j);
        check_backward_in_all_kernels(&setups[i], &v, &expected);
        free(rows);
        free(prefix);
        free(expected.rows);
        free(expected.prefix);
        free_values(&v);
    }
}

static void large_forward_in_all_kernels(void)
{
    for (size_t i = 0; i < N_OF(large_setups); i++)
        check_forward(&large_setups[i]);
}

static void agrees_where_work_is_cut(void **state)
{
    (void)state;
    with_all_kernels(large_forward_in_all_kernels);
    for (size_t i = 0; i < N_OF(large_setups); i++) {
        struct values v = new_setup_values(&large_setups[i]);
        struct gradients expected = new_gradients(&large_setups[i], &v);
        check_backward_in_all_kernels(&large_setups[i], &v, &expected);
        free(expected.rows);
        free(expected.prefix);
        free_values(&v);
    }
}

static void same_bytes_for_any_threads(void **state)
{
    (void)state;
    const struct setup s = {8, 4, 16, 2, 9, 3, {70, 50, 3}, true, 0, 0};
    check_threads(&s);
    for (size_t i = 0; i < N_OF(large_setups); i++)
        check_threads(&large_setups[i]);
}

/* Far keys and large scores: weights that underflow, and a sum that one key dominates. */
static void survives_extreme_scores(void **state)
{
    (void)state;
    enum { N = 20 };
    float q[N] = {0}, k[N], values[N], out[N], log_sums[N];
    for (int i = 0; i < N; i++) {
        q[i] = 1e4f;
        k[i] = i == 3 ? 1.0f : -1.0f;
        values[i] = (float)i;
    }
    struct pt_segment segment = {0, N, 1, {{{k, 1, 1}, {values, 1, 1}, {NULL, 0, 0}, {NULL, 0, 0}, N}}};
    struct pt_attention_shape shape = {1, 1, 1, 1.0f, NULL, 0, 0};
    struct pt_error err = {0};
    assert_int_equal(pt_attention_forward(NULL, &shape, &segment, 1, (struct pt_heads){q, 1, 1},
                                          (struct pt_heads){out, 1, 1}, log_sums, &err),
                     PT_OK);
    assert_near((double)out[2], 1.0, 1e-6, "mean of equals", 2);
    for (size_t i = 3; i < N; i++) {
        assert_near((double)out[i], 3.0, 0.0, "the one key", i);
        assert_near((double)log_sums[i], 1e4, 0.0, "log sum", i);
    }
}

static void alibi_slopes_of_any_number_of_heads(void **state)
{
    (void)state;
    float slopes[32];
    const float of_12[] = {0.5f,       0.25f,       0.125f,      0.0625f,     0.03125f,    0.015625f,
                           0.0078125f, 0.00390625f, 0.70710678f, 0.35355339f, 0.17677670f, 0.08838835f};
    pt_alibi_slopes(12, slopes);
    for (size_t i = 0; i < N_OF(of_12); i++)
        assert_near((double)slopes[i], (double)of_12[i], 3e-8, "12 heads", i);
    pt_alibi_slopes(16, slopes);
    assert_near((double)slopes[0], 0.70710678, 3e-8, "16 heads", 0);
    assert_near((double)slopes[14], 0.00552427, 3e-9, "16 heads", 14);
    assert_near((double)slopes[15], 0.00390625, 0.0, "16 heads", 15);
    pt_alibi_slopes(32, slopes);
    assert_near((double)slopes[0], 0.84089642, 3e-8, "32 heads", 0);
    pt_alibi_slopes(1, slopes);
    assert_near((double)slopes[0], 0.00390625, 0.0, "1 head", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_plain_attention), cmocka_unit_test(agrees_with_finite_differences),
        cmocka_unit_test(agrees_where_work_is_cut),    cmocka_unit_test(same_bytes_for_any_threads),

        cmocka_unit_test(survives_extreme_scores),     cmocka_unit_test(alibi_slopes_of_any_number_of_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
