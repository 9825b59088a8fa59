/*
 * Element types. The conversions work on bits, so that they need no CPU feature and round the same way
 * everywhere; the products of the math layer have their own faster ones.
 */
#include "fmt/dtype.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} dtypes[PT_DTYPES] = {
    [PT_BOOL] = {"BOOL", 1}, [PT_U8] = {"U8", 1},   [PT_I8] = {"I8", 1},     [PT_I16] = {"I16", 2},
    [PT_U16] = {"U16", 2},   [PT_F16] = {"F16", 2}, [PT_BF16] = {"BF16", 2}, [PT_I32] = {"I32", 4},
    [PT_U32] = {"U32", 4},   [PT_F32] = {"F32", 4}, [PT_F64] = {"F64", 8},   [PT_I64] = {"I64", 8},
    [PT_U64] = {"U64", 8},
};

const char *pt_dtype_name(enum pt_dtype dtype)
{
    return dtype >= 0 && dtype < PT_DTYPES ? dtypes[dtype].name : "unknown";
}

enum pt_dtype pt_dtype_from_name(const char *name)
{
    for (int i = 0; i < PT_DTYPES; i++)
        if (!strcmp(dtypes[i].name, name))
            return (enum pt_dtype)i;
    return PT_DTYPE_UNKNOWN;
}

size_t pt_dtype_bytes(enum pt_dtype dtype)
{
    return dtype >= 0 && dtype < PT_DTYPES ? dtypes[dtype].bytes : 0;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

enum { F32_INFINITY = 0x7f800000, F16_INFINITY = 0x7c00, F16_QUIET = 0x200, BF16_QUIET = 0x40 };

float pt_f32_from_bf16(uint16_t bits)
{
    return float_of((uint32_t)bits << 16);
}

uint16_t pt_bf16_from_f32(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffff) > F32_INFINITY)
        return (uint16_t)(bits >> 16 | BF16_QUIET);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float pt_f32_from_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 31, fraction = half & 0x3ff;
    if (exponent == 0) /* zero and subnormal: fraction * 2^-24, exact */
        return float_of(bits_of((float)fraction * 0x1p-24f) | sign);
    if (exponent == 31)
        return float_of(sign | F32_INFINITY | fraction << 13);
    return float_of(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

uint16_t pt_f16_from_f32(float value)
{
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > F32_INFINITY)
        return (uint16_t)(sign | F16_INFINITY | F16_QUIET | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) /* 65520 and above round to infinity */
        return (uint16_t)(sign | F16_INFINITY);
    if (magnitude < 0x38800000) /* below 2^-14: a multiple of 2^-24 */
        return (uint16_t)(sign | (uint32_t)lrintf(float_of(magnitude) * 0x1p24f));
    uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1) - ((uint32_t)(127 - 15) << 23);
    return (uint16_t)(sign | rounded >> 13);
}

static void half_to_f32(float *to, const uint8_t *from, size_t n, float (*convert)(uint16_t))
{
    for (size_t i = 0; i < n; i++) {
        uint16_t bits;
        memcpy(&bits, from + 2 * i, sizeof bits);
        to[i] = convert(bits);
    }
}

void pt_to_f32(float *to, const void *from, enum pt_dtype dtype, size_t n)
{
    if (dtype == PT_F32 && n) {
        memcpy(to, from, n * sizeof *to);
    } else if (dtype == PT_BF16) {
        half_to_f32(to, from, n, pt_f32_from_bf16);
    } else if (dtype == PT_F16) {
        half_to_f32(to, from, n, pt_f32_from_f16);
    } else if (dtype == PT_F64) {
        for (size_t i = 0; i < n; i++) {
            double value;
            memcpy(&value, (const uint8_t *)from + 8 * i, sizeof value);
            to[i] = (float)value;
        }
    }
}
