/*
 * Element types: the names and order of safetensors, and conversions that round as the hardware does.
 */
#include "support.h"

#include "fmt/dtype.h"

#include <math.h>
#include <string.h>

static void names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i < PT_DTYPES; i++)
        assert_int_equal(pt_dtype_from_name(pt_dtype_name((enum pt_dtype)i)), i);
    assert_int_equal(pt_dtype_from_name("F8_E4M3"), PT_DTYPE_UNKNOWN);
    assert_int_equal(pt_dtype_from_name("f32"), PT_DTYPE_UNKNOWN);
    assert_int_equal(pt_dtype_bytes(PT_BF16), 2);
    assert_int_equal(pt_dtype_bytes(PT_I64), 8);
    assert_int_equal(pt_dtype_bytes(PT_DTYPE_UNKNOWN), 0);
}

/* The f32 values that are exactly halves, and what lies between them, against the definition of rounding to
 * nearest even. */
static void f16_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x7c00; bits++) {
        float low = pt_f32_from_f16((uint16_t)bits),
              high = bits == 0x7bff ? 65536.0f : pt_f32_from_f16((uint16_t)(bits + 1));
        float expected = ldexpf((float)(bits & 0x3ff) + (bits >> 10 ? 1024.0f : 0.0f),
                                (bits >> 10 ? (int)(bits >> 10) : 1) - 25);
        assert_true(low == expected);
        assert_int_equal(pt_f16_from_f32(low), bits);
        assert_int_equal(pt_f16_from_f32(-low), bits | 0x8000);
        float middle = (low + high) / 2; /* exact in f32 */
        assert_int_equal(pt_f16_from_f32(middle), bits + (bits & 1));
        assert_int_equal(pt_f16_from_f32(nextafterf(middle, 0)), bits);
        assert_int_equal(pt_f16_from_f32(nextafterf(middle, 1e9f)), bits + 1);
    }
    assert_int_equal(pt_f16_from_f32(1e9f), 0x7c00);
    assert_int_equal(pt_f16_from_f32(-INFINITY), 0xfc00);
    assert_true(isinf(pt_f32_from_f16(0x7c00)));
    assert_true(isnan(pt_f32_from_f16(0x7c01)));
    assert_true(isnan(pt_f32_from_f16(pt_f16_from_f32(NAN))));
    assert_true(signbit(pt_f32_from_f16(0x8000)));
}

static void bf16_rounds_to_nearest_even(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x7f80; bits++) {
        float value = pt_f32_from_bf16((uint16_t)bits);
        uint32_t middle_bits = bits << 16 | 0x8000;
        float middle;
        memcpy(&middle, &middle_bits, sizeof middle);
        assert_int_equal(pt_bf16_from_f32(value), bits);
        assert_int_equal(pt_bf16_from_f32(middle), bits + (bits & 1));
        assert_int_equal(pt_bf16_from_f32(nextafterf(middle, 0)), bits);
        assert_int_equal(pt_bf16_from_f32(-nextafterf(middle, INFINITY)), (bits + 1) | 0x8000);
    }
    assert_true(isinf(pt_f32_from_bf16(pt_bf16_from_f32(INFINITY))));
    uint32_t signalling = 0x7f800001; /* its upper half alone would be infinity */
    float nan;
    memcpy(&nan, &signalling, sizeof nan);
    assert_true(isnan(pt_f32_from_bf16(pt_bf16_from_f32(nan))));
}

static void arrays_widen_from_any_address(void **state)
{
    (void)state;
    unsigned char bytes[1 + 2 * 8];
    float out[2];
    double doubles[2] = {1.5, -3.0e-50};
    memcpy(bytes + 1, doubles, sizeof doubles);
    pt_to_f32(out, bytes + 1, PT_F64, 2);
    assert_true(out[0] == 1.5f && out[1] == 0.0f);
    float floats[2] = {3.25f, -7.0f};
    memcpy(bytes + 1, floats, sizeof floats);
    pt_to_f32(out, bytes + 1, PT_F32, 2);
    assert_true(out[0] == 3.25f && out[1] == -7.0f);
    uint16_t halves[2] = {0x3c00, 0xc000};
    memcpy(bytes + 1, halves, sizeof halves);
    pt_to_f32(out, bytes + 1, PT_F16, 2);
    assert_true(out[0] == 1.0f && out[1] == -2.0f);
    uint16_t brains[2] = {0x3f80, 0xc000};
    memcpy(bytes + 1, brains, sizeof brains);
    pt_to_f32(out, bytes + 1, PT_BF16, 2);
    assert_true(out[0] == 1.0f && out[1] == -2.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(f16_rounds_to_nearest_even),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(arrays_widen_from_any_address),
    };
    return cmocka_run_group_tests_name("dtype", tests, NULL, NULL);
}
