/*
 * Optimisers and clipping against PyTorch: the values below are those of torch.optim.AdamW(fused=True) and
 * torch.optim.SGD after 100 updates, and of torch.nn.utils.clip_grad_norm_, on the numbers of draw(), which
 * are exact in f32.
 */
#include "support.h"

#include "tune/clip.h"
#include "tune/optimizer.h"

#include <math.h>
#include <string.h>

enum { N = 19, UPDATES = 100 };

static const float adamw_result[N] = {-0x1.0d7b26p-2f, -0x1.432f2ap-3f, -0x1.8e25ap-5f,  0x1.b6601cp-4f,
                                      -0x1.b33422p-2f, -0x1.cf71eep-4f, 0x1.562342p-3f,  0x1.00c182p-4f,
                                      -0x1.037db4p-1f, 0x1.ab49dap-4f,  -0x1.3bf0dcp-3f, -0x1.2957ecp-5f,
                                      0x1.03d424p-3f,  0x1.dee5fep-2f,  -0x1.71e96p-2f,  0x1.e02718p-2f,
                                      0x1.0fc04cp-2f,  -0x1.ae4e04p-4f, 0x1.188b78p-5f};
static const float sgd_result[N] = {-0x1.00e848p-2f, -0x1.02998ap-3f, 0x1.fdee36p-10f, 0x1.8901a2p-3f,
                                    -0x1.b6398ap-2f, -0x1.ffa294p-4f, 0x1.0976cp-2f,   0x1.b534bp-5f,
                                    -0x1.d82e36p-2f, 0x1.0b82cep-3f,  -0x1.de40eep-3f, -0x1.249434p-4f,
                                    0x1.647bb2p-4f,  0x1.4bee78p-2f,  -0x1.04771cp-2f, 0x1.d407e2p-2f,
                                    0x1.5daa6ep-2f,  -0x1.4f1b9p-3f,  0x1.59b3b8p-3f};

static uint32_t generator;

static void draw(float *values, size_t n, int exponent)
{
    for (size_t i = 0; i < n; i++) {
        generator = generator * 1664525 + 1013904223;
        values[i] = ldexpf((float)((int)(generator >> 8) - (1 << 23)), exponent);
    }
}

static struct pt_optimizer *new_optimizer(enum pt_optimizer_kind kind, struct pt_parameters *parameters)
{
    struct pt_error err = {0};
    struct pt_optimizer_settings settings = {kind, 0.1};
    struct pt_optimizer *optimizer = NULL;
    assert_int_equal(pt_optimizer_new(&optimizer, &settings, parameters, &err), PT_OK);
    return optimizer;
}

static void check_run(enum pt_optimizer_kind kind, const float *expected)
{
    float value[N], gradient[N];
    struct pt_parameter parameter = {.n = N, .value = value, .gradient = gradient, .decay = true};
    struct pt_parameters parameters = {&parameter, 1};
    struct pt_optimizer *optimizer = new_optimizer(kind, &parameters);
    generator = 1;
    draw(value, N, -24);
    for (int k = 0; k < UPDATES; k++) {
        draw(gradient, N, -27);
        pt_optimizer_step(optimizer, 0.01 * (UPDATES - k) / UPDATES);
    }
    assert_memory_equal(value, expected, sizeof value);
    pt_optimizer_free(optimizer);
}

static void adamw_equals_torch(void **unused)
{
    (void)unused;
    check_run(PT_ADAMW, adamw_result);
}

static void sgd_equals_torch(void **unused)
{
    (void)unused;
    check_run(PT_SGD, sgd_result);
}

static void decay_spares_parameters_without_it(void **unused)
{
    (void)unused;
    float values[2] = {0.5f, 0.5f}, gradients[2] = {0, 0};
    struct pt_parameter list[2] = {{.n = 1, .value = &values[0], .gradient = &gradients[0], .decay = true},
                                   {.n = 1, .value = &values[1], .gradient = &gradients[1], .decay = false}};
    struct pt_parameters parameters = {list, 2};
    struct pt_optimizer *optimizer = new_optimizer(PT_ADAMW, &parameters);
    pt_optimizer_step(optimizer, 0.25);
    assert_true(values[0] == 0.5f * (1 - 0.25f * 0.1f));
    assert_true(values[1] == 0.5f);
    pt_optimizer_free(optimizer);
}

static void moments_carry_a_run_on(void **unused)
{
    (void)unused;
    float value[N], gradient[N], other_value[N];
    struct pt_parameter parameter = {.n = N, .value = value, .gradient = gradient};
    struct pt_parameter other = {.n = N, .value = other_value, .gradient = gradient};
    struct pt_parameters parameters = {&parameter, 1}, others = {&other, 1};
    struct pt_optimizer *optimizer = new_optimizer(PT_ADAMW, &parameters),
                        *resumed = new_optimizer(PT_ADAMW, &others);
    const uint64_t n_updates = 7;
    generator = 9;
    draw(value, N, -24);
    for (uint64_t k = 0; k < n_updates; k++) {
        draw(gradient, N, -27);
        pt_optimizer_step(optimizer, 0.01);
    }
    memcpy(other_value, value, sizeof value);
    pt_optimizer_set_updates(resumed, n_updates);
    assert_int_equal(pt_optimizer_n_moments(optimizer), 2);
    for (size_t which = 0; which < 2; which++)
        memcpy(pt_optimizer_moment(resumed, 0, which), pt_optimizer_moment(optimizer, 0, which),
               sizeof value);
    draw(gradient, N, -27);
    pt_optimizer_step(optimizer, 0.01);
    pt_optimizer_step(resumed, 0.01);
    assert_memory_equal(value, other_value, sizeof value);
    pt_optimizer_free(optimizer);
    pt_optimizer_free(resumed);
}

static void clipping_equals_torch(void **unused)
{
    (void)unused;
    float first[40], second[7];
    struct pt_parameter list[2] = {{.n = 40, .gradient = first}, {.n = 7, .gradient = second}};
    struct pt_parameters parameters = {list, 2};
    generator = 5;
    draw(first, 40, -22);
    draw(second, 7, -21);
    double norm = pt_gradient_norm(&parameters);
    assert_true(fabs(norm - 9.480311393737793) < 1e-6);
    pt_clip_gradients(&parameters, norm, 1);
    assert_true(fabsf(first[0] - -0x1.c4c83p-4f) < 1e-8f);
    assert_true(fabsf(first[2] - -0x1.bc0562p-4f) < 1e-8f);
    assert_true(fabsf(second[0] - 0x1.4f0b8p-2f) < 1e-7f);
    assert_true(fabs(pt_gradient_norm(&parameters) - 1) < 1e-6);
}

static void small_gradients_are_left_alone(void **unused)
{
    (void)unused;
    float gradient[2] = {0.3f, -0.4f};
    struct pt_parameter parameter = {.n = 2, .gradient = gradient};
    struct pt_parameters parameters = {&parameter, 1};
    pt_clip_gradients(&parameters, pt_gradient_norm(&parameters), 1);
    assert_true(gradient[0] == 0.3f && gradient[1] == -0.4f);
}

static void norm_shows_what_is_not_finite(void **unused)
{
    (void)unused;
    float first[2] = {1, 2}, second[2] = {NAN, 1};
    struct pt_parameter list[2] = {{.n = 2, .gradient = first}, {.n = 2, .gradient = second}};
    struct pt_parameters parameters = {list, 2};
    assert_true(isnan(pt_gradient_norm(&parameters)));
    second[0] = INFINITY;
    assert_true(isinf(pt_gradient_norm(&parameters)));
    second[0] = 3e38f;
    assert_true(isfinite(pt_gradient_norm(&parameters)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_equals_torch),
        cmocka_unit_test(sgd_equals_torch),
        cmocka_unit_test(decay_spares_parameters_without_it),
        cmocka_unit_test(moments_carry_a_run_on),
        cmocka_unit_test(clipping_equals_torch),
        cmocka_unit_test(small_gradients_are_left_alone),
        cmocka_unit_test(norm_shows_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
