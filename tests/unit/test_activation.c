/*
 * exp and GELU in dense sweeps against the C library in double, and the small elementwise operations.
 */
#include "math_values.h"

#include "base/threads.h"
#include "math/activation.h"

enum { SWEEP = 200000 };

static float sweep_x[SWEEP], sweep_y[SWEEP], sweep_dy[SWEEP];

static void fill_sweep(double low, double high)
{
    for (size_t i = 0; i < SWEEP; i++)
        sweep_x[i] = (float)(low + (high - low) * (double)i / (SWEEP - 1));
}

/* simd.h promises two units in the last place: at most 2 * 2^-23 of the value. */
static void exp_in_all_kernels(void)
{
    fill_sweep(-87.32, 88.0);
    pt_kernels()->exp_sum(SWEEP, 0.0f, sweep_x, sweep_y);
    for (size_t i = 0; i < SWEEP; i++) {
        double expected = exp((double)sweep_x[i]);
        assert_near((double)sweep_y[i], expected, expected * 0x1p-22, "exp", i);
    }
    float special[5] = {-INFINITY, -1000.0f, NAN, 0.0f, -0.0f}, y[5];
    float sum = pt_kernels()->exp_sum(5, 0.0f, special, y);
    assert_true(y[0] == 0.0f && y[1] == 0.0f && isnan(y[2]) && y[3] == 1.0f && y[4] == 1.0f && isnan(sum));
}

static void exp_is_accurate(void **state)
{
    (void)state;
    with_all_kernels(exp_in_all_kernels);
}

static double gelu(double x)
{
    return 0.5 * x * (1 + tanh((double)0.79788456f * x * (1 + 0.044715 * x * x)));
}

static double gelu_derivative(double x)
{
    double c = (double)0.79788456f, t = tanh(c * x * (1 + 0.044715 * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
}

/* 3e-7 of max(1, |x|), forward and backward. */
static void gelu_in_all_kernels(void)
{
    const double ranges[][2] = {{-1e-3, 1e-3}, {-12, 12}, {-200, 200}, {-1e18, 1e18}};
    for (size_t r = 0; r < N_OF(ranges); r++) {
        fill_sweep(ranges[r][0], ranges[r][1]);
        for (size_t i = 0; i < SWEEP; i++)
            sweep_dy[i] = 2.0f;
        pt_activation_forward(PT_GELU_TANH, SWEEP, sweep_x, sweep_y);
        pt_activation_backward(PT_GELU_TANH, SWEEP, sweep_x, sweep_dy, sweep_dy);
        for (size_t i = 0; i < SWEEP; i++) {
            double x = (double)sweep_x[i], size = fabs(x) > 1 ? fabs(x) : 1;
            assert_near((double)sweep_y[i], gelu(x), 3e-7 * size, "gelu", i);
            assert_near((double)sweep_dy[i] / 2, gelu_derivative(x), 1e-6, "derivative of gelu", i);
        }
    }
}

static void gelu_is_accurate(void **state)
{
    (void)state;
    with_all_kernels(gelu_in_all_kernels);
}

/* Values that BLOOM's own implementation gives. */
static void gelu_of_known_values(void **state)
{
    (void)state;
    const float x[] = {-3.0f, -1.0f, -0.5f, 0.0f, 0.5f, 1.0f, 2.0f, 3.0f};
    const double expected[] = {-0.0036374, -0.1588080, -0.1542860, 0,
                               0.3457140,  0.8411920,  1.9545977,  2.9963626};
    float y[N_OF(x)];
    pt_activation_forward(PT_GELU_TANH, N_OF(x), x, y);
    for (size_t i = 0; i < N_OF(x); i++)
        assert_near((double)y[i], expected[i], 1e-7 + 1e-7 * fabs(expected[i]), "gelu", i);
}

static void gelu_passes_not_a_number_on(void **state)
{
    (void)state;
    float x[3] = {NAN, 1.0f, -1.0f}, dy[3] = {1.0f, NAN, 1.0f}, y[3];
    pt_activation_forward(PT_GELU_TANH, 3, x, y);
    assert_true(isnan(y[0]) && !isnan(y[1]));
    pt_activation_backward(PT_GELU_TANH, 3, x, dy, y);
    assert_true(isnan(y[0]) && isnan(y[1]) && !isnan(y[2]));
}

static void sums_in_all_kernels(void)
{
    enum { M = 9, N = 301, LD = 305 };
    float *x = new_values(M * LD, 1.0f, 1), *sums = new_values(N, 1.0f, 2), *before = new_values(N, 1.0f, 2);
    pt_column_sums(M, N, x, LD, sums);
    for (size_t j = 0; j < N; j++) {
        double expected = (double)before[j];
        for (size_t i = 0; i < M; i++)
            expected += (double)x[i * LD + j];
        assert_near((double)sums[j], expected, 1e-6, "column sum", j);
    }
    float *y = new_values(M * LD, 1.0f, 3), *y_before = new_values(M * LD, 1.0f, 3);
    pt_add(M * LD, x, y);
    for (size_t i = 0; i < M * LD; i++)
        assert_true(y[i] == y_before[i] + x[i]);
    free(x);
    free(sums);
    free(before);
    free(y);
    free(y_before);
}

static void adds(void **state)
{
    (void)state;
    with_all_kernels(sums_in_all_kernels);
}

static void same_bytes_for_any_threads(void **state)
{
    (void)state;
    static float y[SWEEP];
    fill_sweep(-5, 5);
    pt_threads_set(1);
    pt_activation_forward(PT_GELU_TANH, SWEEP, sweep_x, sweep_y);
    for (int threads = 2; threads <= 3; threads++) {
        pt_threads_set(threads);
        pt_activation_forward(PT_GELU_TANH, SWEEP, sweep_x, y);
        assert_memory_equal(y, sweep_y, sizeof y);
    }
    pt_threads_set(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_accurate),
        cmocka_unit_test(gelu_is_accurate),
        cmocka_unit_test(gelu_of_known_values),
        cmocka_unit_test(gelu_passes_not_a_number_on),
        cmocka_unit_test(adds),
        cmocka_unit_test(same_bytes_for_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
