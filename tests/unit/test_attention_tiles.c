/*
 * Attention's products in bf16 tiles against the plain implementation in double: all operands are rounded to
 * bf16, 2^-9 at most. Allowed is 0.1 of a result's mean size, where 0.06 was measured at most.
 */
#include "plain_attention.h"

/* The largest, of values that may have been added to, relative to the mean (of squares) of what is expected.
 */
static double error_of(size_t n, const float *values, float before, const double *expected)
{
    double most = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)(values[i] - before) - expected[i]));
        norm += expected[i] * expected[i];
    }
    return norm > 0 ? most / sqrt(norm / (double)n) : most;
}

/* Each query's and key's part of a row on its own. */
static void assert_rows_close(const struct setup *s, const struct values *v, const float *drows,
                              const double *expected)
{
    const size_t n_q = s->n_heads * s->dim;
    double *part = calloc(v->n_rows * v->width, sizeof *part);
    float *ours = new_values(v->n_rows * v->width, 0.0f, 1);
    for (size_t which = 0, first = 0; which < 3; which++) {
        const size_t width = which ? s->n_kv_heads * s->dim : n_q;
        for (size_t row = 0; row < v->n_rows; row++)
            for (size_t j = 0; j < width; j++) {
                part[row * width + j] = expected[row * v->width + first + j];
                ours[row * width + j] = drows[row * v->width + first + j];
            }
        assert_near(error_of(v->n_rows * width, ours, which ? 1 : 0, part), 0, 0.1, "q, k or v", which);
        first += width;
    }
    free(part);
    free(ours);
}

static void check_in_tiles(const struct setup *s)
{
    struct values v = new_setup_values(s);
    struct gradients expected = new_gradients(s, &v);
    const size_t n_sums = v.n_rows * s->n_heads, n = n_sums * s->dim;
    float *out = new_values(n, 1.0f, 5), *log_sums = new_values(n_sums, 1.0f, 7),
          *drows = new_ones(expected.n_rows), *dprefix = new_ones(expected.n_prefix);
    double *plain = calloc(n, sizeof *plain);
    plain_attention(s, &v, plain, NULL);
    run_forward(s, &v, out, log_sums);
    assert_near(error_of(n, out, 0, plain), 0, 0.1, "out", 0);
    run_backward(s, &v, log_sums, drows, dprefix);
    assert_rows_close(s, &v, drows, expected.rows);
    assert_near(error_of(expected.n_prefix, dprefix, 1, expected.prefix), 0, 0.1, "keys in front", 0);
    free(out);
    free(log_sums);
    free(drows);
    free(dprefix);
    free(plain);
    free(expected.rows);
    free(expected.prefix);
    free_values(&v);
}

/* On the CPU, too, where it has AMX. */
static void agrees_in_tiles(void **state)
{
    (void)state;
    const char *const settings[] = {"bf16:emulated", "bf16:amx"};
    for (size_t i = 0; i < N_OF(settings); i++) {
        struct pt_error err = {0};
        pt_threads_set(3); /* as many as are checked have scratch */
        if (pt_math_open(&math, settings[i], PT_BF16, &err)) {
            assert_true(i > 0);
            continue;
        }
        for (size_t j = 0; j < N_OF(setups); j++)
            check_in_tiles(&setups[j]);
        for (size_t j = 0; j < N_OF(large_setups); j++)
            check_in_tiles(&large_setups[j]);
        check_threads(&large_setups[2]);
        check_threads(&large_setups[4]);
        pt_math_close(math);
        math = NULL;
    }
    pt_kernels_force(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_in_tiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
