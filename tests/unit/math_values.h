/*
 * Values and comparisons for the tests of common/math.
 */
#ifndef PT_TESTS_UNIT_MATH_VALUES_H
#define PT_TESTS_UNIT_MATH_VALUES_H

#include "base/error.h"
#include "base/memory.h"
#include "math/kernels.h"
#include "math/math.h"
#include "support.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Every path of every mode; those that this CPU lacks are left out by open_or_skip. */
static const char *const all_settings[] = {
    "f32:portable",  "f32:avx2", "f32:avx512",      "f32:openblas", "bf16:portable",   "bf16:avx512bf16",
    "bf16:emulated", "bf16:amx", "bf16x2:emulated", "bf16x2:amx",   "bf16x3:emulated", "bf16x3:amx"};

static inline float next_value(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) * 0x1p-23f - 1.0f;
}

/* n values in [-scale, scale). */
static inline float *new_values(size_t n, float scale, uint32_t seed)
{
    struct pt_error err = {0};
    float *values = pt_new_floats(n, &err);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++)
        values[i] = scale * next_value(&seed);
    return values;
}

/* NULL where this CPU lacks the path. */
static inline struct pt_math *open_or_skip(const char *setting, enum pt_dtype weights)
{
    struct pt_error err = {0};
    struct pt_math *math = NULL;
    if (pt_math_open(&math, setting, weights, &err)) {
        assert_int_equal(err.status, PT_MISMATCH);
        print_message("# %s is left out: %s\n", setting, err.message);
        return NULL;
    }
    assert_string_equal(pt_math_name(math), setting);
    return math;
}

static inline void assert_near(double value, double expected, double tolerance, const char *what,
                               size_t index)
{
    if (fabs(value - expected) <= tolerance)
        return;
    print_error("%s, element %zu: %.9g instead of %.9g, tolerance %.3g\n", what, index, value, expected,
                tolerance);
    fail();
}

/* A test once with each set of elementwise kernels that this CPU has. */
static inline void with_all_kernels(void (*test)(void))
{
    const struct pt_kernels *const all[] = {&pt_kernels_portable, &pt_kernels_avx2, &pt_kernels_avx512};
    for (size_t i = 0; i < N_OF(all); i++) {
        if (!pt_kernels_usable(all[i]))
            continue;
        pt_kernels_force(all[i]);
        test();
    }
    pt_kernels_force(NULL);
}

#endif
