/*
 * exp, tanh and the activations in dense sweeps against the C library in double, and the small elementwise
 * operations.
 */
#include "math_values.h"

#include "base/threads.h"
#include "math/activation.h"

enum { SWEEP = 200000, SHORT_SWEEP = 1001 };

static float sweep_x[SWEEP], sweep_y[SWEEP], sweep_dy[SWEEP];

static void fill(size_t n, double low, double high)
{
    for (size_t i = 0; i < n; i++)
        sweep_x[i] = (float)(low + (high - low) * (double)i / (double)(n - 1));
}

static void fill_sweep(double low, double high)
{
    fill(SWEEP, low, high);
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
    for (int exponent = -149; exponent <= 5; exponent++)
        for (int side = -1; side <= 1; side += 2) {
            fill(SHORT_SWEEP, side * ldexp(1, exponent), side * ldexp(2, exponent));
            pt_kernels()->exp_sum(SHORT_SWEEP, 0.0f, sweep_x, sweep_y);
            for (size_t i = 0; i < SHORT_SWEEP; i++) {
                double expected = exp((double)sweep_x[i]);
                assert_near((double)sweep_y[i], expected, expected * 0x1p-22, "exp", i);
            }
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

/* A soft cap of 1 on a single score is its tanh. simd.h promises three units in the last place, from the
 * smallest normal number on. */
static void tanh_in_all_kernels(void)
{
    enum { LANES = 16 };
    static float slopes[SHORT_SWEEP + LANES];
    const struct pt_score_rule rule = {1.0f, 0.0f, 1.0f};
    for (int exponent = -126; exponent <= 8; exponent++)
        for (int side = -1; side <= 1; side += 2) {
            fill(SHORT_SWEEP, side * ldexp(1, exponent), side * ldexp(2, exponent));
            for (size_t i = 0; i < SHORT_SWEEP; i++) {
                float products[LANES] = {sweep_x[i]};
                pt_kernels()->soften(&rule, 1, products, &sweep_y[i]);
            }
            memcpy(sweep_dy, sweep_x, SHORT_SWEEP * sizeof *sweep_dy);
            pt_kernels()->probabilities(&rule, SHORT_SWEEP, 0.0f, sweep_dy, slopes);
            for (size_t i = 0; i < SHORT_SWEEP; i++) {
                double t = tanh((double)sweep_x[i]);
                assert_near((double)sweep_y[i], t, fabs(t) * 0x3p-23, "tanh", i);
                assert_near((double)slopes[i], 1 - t * t, 3e-7, "derivative of tanh", i);
                assert_near((double)sweep_dy[i], exp(t), 3e-6, "probability", i);
            }
        }
    const float special[4] = {-INFINITY, INFINITY, NAN, -0.0f};
    float top[4];
    for (size_t i = 0; i < N_OF(special); i++) {
        float products[LANES] = {special[i]};
        pt_kernels()->soften(&rule, 1, products, &top[i]);
    }
    assert_true(top[0] == -1.0f && top[1] == 1.0f && top[3] == 0.0f);
}

static void tanh_is_accurate(void **state)
{
    (void)state;
    with_all_kernels(tanh_in_all_kernels);
}

struct plain {
    double value, slope;
};

static struct plain plain_activation(enum pt_activation kind, double x)
{
    switch (kind) {
    case PT_GELU_TANH: {
        double c = (double)0.79788456f, t = tanh(c * x * (1 + 0.044715 * x * x));
        return (struct plain){0.5 * x * (1 + t),
                              0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x)};
    }
    case PT_GELU: {
        double below = 0.5 * erfc(-x * M_SQRT1_2);
        return (struct plain){x * below, below + x * exp(-0.5 * x * x) * M_2_SQRTPI * M_SQRT1_2 / 2};
    }
    case PT_SILU: {
        double s = 1 / (1 + exp(-x)), rest = 1 / (1 + exp(x));
        return (struct plain){x * s, s + x * s * rest};
    }
    default:
        return (struct plain){x > 0 ? x : 0, x > 0 ? 1 : 0};
    }
}

static const enum pt_activation kinds[] = {PT_GELU_TANH, PT_GELU, PT_SILU, PT_RELU};

static void check_sweep(enum pt_activation kind, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sweep_dy[i] = 2.0f;
    pt_activation_forward(kind, n, sweep_x, sweep_y);
    pt_activation_backward(kind, n, sweep_x, sweep_dy, sweep_dy);
    for (size_t i = 0; i < n; i++) {
        double x = (double)sweep_x[i], size = fabs(x) > 1 ? fabs(x) : 1;
        struct plain expected = plain_activation(kind, x);
        assert_near((double)sweep_y[i], expected.value, 3e-7 * size, "activation", i);
        assert_near((double)sweep_dy[i] / 2, expected.slope, 1e-6, "derivative", i);
    }
}

/* activation.h promises 3e-7 of max(1, |x|) forward, 1e-6 backward. */
static void activations_in_all_kernels(void)
{
    const double ranges[][2] = {{-1e-38, 1e-38}, {-1e-3, 1e-3}, {-12, 12}, {-200, 200}, {-1e18, 1e18}};
    for (size_t k = 0; k < N_OF(kinds); k++)
        for (size_t r = 0; r < N_OF(ranges); r++) {
            fill_sweep(ranges[r][0], ranges[r][1]);
            check_sweep(kinds[k], SWEEP);
        }
    for (size_t k = 0; k < N_OF(kinds); k++)
        for (int exponent = -149; exponent <= 60; exponent++)
            for (int side = -1; side <= 1; side += 2) {
                fill(SHORT_SWEEP, side * ldexp(1, exponent), side * ldexp(2, exponent));
                check_sweep(kinds[k], SHORT_SWEEP);
            }
}

static void activations_are_accurate(void **state)
{
    (void)state;
    with_all_kernels(activations_in_all_kernels);
}

/* Two matrices side by side, and results that overwrite them. */
static void gated_in_all_kernels(void)
{
    enum { M = 3, N = 77, LD = 2 * N };
    for (size_t k = 0; k < N_OF(kinds); k++) {
        float *both = new_values(M * LD, 3.0f, 1), *y = new_values(M * N, 1.0f, 2),
              *dy = new_values(M * N, 1.0f, 3), *dboth = new_values(M * LD, 1.0f, 4);
        pt_gated_forward(kinds[k], M, N, both, both + N, LD, y, N);
        pt_gated_backward(kinds[k], M, N, both, both + N, LD, dy, N, dboth, dboth + N, LD);
        for (size_t i = 0; i < M * N; i++) {
            size_t at = i / N * LD + i % N;
            double up = (double)both[at + N], d = (double)dy[i];
            struct plain f = plain_activation(kinds[k], (double)both[at]);
            assert_near((double)y[i], f.value * up, 3e-6, "gated", i);
            assert_near((double)dboth[at], d * up * f.slope, 4e-6, "gradient of the gate", i);
            assert_near((double)dboth[at + N], d * f.value, 1e-6, "gradient of the other half", i);
        }
        pt_gated_backward(kinds[k], M, N, both, both + N, LD, dy, N, both, both + N, LD);
        assert_memory_equal(both, dboth, M * LD * sizeof *both);
        free(both);
        free(y);
        free(dy);
        free(dboth);
    }
}

static void gated_activations_multiply(void **state)
{
    (void)state;
    with_all_kernels(gated_in_all_kernels);
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

static void not_a_number_stays(void **state)
{
    (void)state;
    for (size_t k = 0; k < N_OF(kinds); k++) {
        float x[3] = {NAN, 1.0f, -1.0f}, dy[3] = {1.0f, NAN, 1.0f}, y[3];
        pt_activation_forward(kinds[k], 3, x, y);
        assert_true(isnan(y[0]) && !isnan(y[1]));
        pt_activation_backward(kinds[k], 3, x, dy, y);
        assert_true(isnan(y[1]) && !isnan(y[2]));
    }
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
        cmocka_unit_test(tanh_is_accurate),
        cmocka_unit_test(activations_are_accurate),
        cmocka_unit_test(gated_activations_multiply),
        cmocka_unit_test(gelu_of_known_values),
        cmocka_unit_test(not_a_number_stays),
        cmocka_unit_test(adds),
        cmocka_unit_test(same_bytes_for_any_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
