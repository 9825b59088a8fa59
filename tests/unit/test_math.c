/*
 * The choice of mode and path.
 */
#include "math_values.h"

#include "base/log.h"
#include "math/paths.h"

static int opens(const char *setting, enum pt_dtype weights, char name[32])
{
    struct pt_error err = {0};
    struct pt_math *math = NULL;
    int status = pt_math_open(&math, setting, weights, &err);
    assert_int_equal(status, err.status);
    if (status) {
        assert_non_null(strstr(err.message, setting));
        return status;
    }
    snprintf(name, 32, "%s", pt_math_name(math));
    assert_true(strncmp(pt_math_describe(math), name, strlen(name)) == 0);
    pt_math_close(math);
    return 0;
}

static void refuses_what_is_malformed(void **state)
{
    (void)state;
    const char *const malformed[] = {"",
                                     "f64",
                                     "F32",
                                     "f32:",
                                     ":avx2",
                                     "f32:avx",
                                     "f32:avx2:",
                                     "f32:avx512 ",
                                     "bf16x4",
                                     "bf16:openblas",
                                     "bf16x2:portable",
                                     "f32:emulated",
                                     "f32:amx",
                                     "f32:a-path-with-a-name-longer-than-any",
                                     "a-mode-with-a-name-longer-than-any"};
    char name[32];
    for (size_t i = 0; i < N_OF(malformed); i++)
        assert_int_equal(opens(malformed[i], PT_F32, name), PT_USAGE);
}

static void refuses_what_is_lacking(void **state)
{
    (void)state;
    const char *const of_tiles[] = {"bf16x2", "bf16x3", "bf16:amx", "bf16x2:amx", "bf16x3:amx", "auto:amx"};
    char name[32];
    for (size_t i = 0; i < N_OF(of_tiles); i++)
        assert_int_equal(opens(of_tiles[i], PT_BF16, name), pt_tiles_usable(&pt_tiles_amx) ? 0 : PT_MISMATCH);
    if (!pt_kernels_usable(&pt_kernels_avx512))
        assert_int_equal(opens("f32:avx512", PT_F32, name), PT_MISMATCH);
    if (!pt_kernels_usable(&pt_kernels_avx512bf16))
        assert_int_equal(opens("bf16", PT_F32, name), PT_MISMATCH);
}

static bool vendor_is_amd(void)
{
#if defined __x86_64__
    return __builtin_cpu_is("amd");
#else
    return false;
#endif
}

static void follows_the_weights_and_the_cpu(void **state)
{
    (void)state;
    const bool amx = pt_tiles_usable(&pt_tiles_amx);
    char name[32], again[32];
    assert_int_equal(opens("auto", PT_BF16, name), PT_OK);
    assert_true(!strncmp(name, "bf16:", 5) ==
                (amx || (vendor_is_amd() && pt_kernels_usable(&pt_kernels_avx512bf16))));
    assert_int_equal(opens("f32", PT_BF16, name), PT_OK);
    assert_int_equal(opens("auto", PT_F32, again), PT_OK);
    assert_string_equal(again, name);
    const char *best = pt_kernels_usable(&pt_kernels_avx512) ? "f32:avx512"
                       : pt_kernels_usable(&pt_kernels_avx2) ? "f32:avx2"
                                                             : "f32:openblas";
    assert_string_equal(name, best);
    assert_int_equal(opens(name, PT_F32, again), PT_OK); /* what it calls itself opens the same */
    assert_string_equal(name, again);
    assert_int_equal(opens("auto:portable", PT_BF16, name), PT_OK);
    assert_string_equal(name, "f32:portable");
    assert_int_equal(opens("auto:emulated", PT_F16, name), PT_OK);
    assert_string_equal(name, "bf16:emulated");
    assert_int_equal(opens("auto:emulated", PT_F32, name), PT_OK);
    assert_string_equal(name, "bf16x3:emulated");
}

/* Kernels that forget the last row of a product. */
static void multiply_wrongly(size_t m, size_t n, size_t n_steps, struct pt_left a, const float *b, size_t ldb,
                             float *c, size_t ldc, bool add)
{
    pt_kernels_portable.multiply(m > 1 ? m - 1 : m, n, n_steps, a, b, ldb, c, ldc, add);
}

static void tells_a_wrong_path_from_a_right_one(void **state)
{
    (void)state;
    struct pt_math *math = open_or_skip("f32:portable", PT_F32);
    assert_non_null(math);
    assert_true(pt_math_is_right(math));
    struct pt_kernels wrong = pt_kernels_portable;
    wrong.multiply = multiply_wrongly;
    math->kernels = &wrong;
    assert_false(pt_math_is_right(math));
    pt_math_close(math);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_malformed),
        cmocka_unit_test(refuses_what_is_lacking),
        cmocka_unit_test(follows_the_weights_and_the_cpu),
        cmocka_unit_test(tells_a_wrong_path_from_a_right_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
