/*
 * Element types of tensors, named as safetensors names them. F32, F16 and BF16 are computed with; the others
 * are only carried, listed and refused by name.
 */
#ifndef PT_FMT_DTYPE_H
#define PT_FMT_DTYPE_H

#include <stddef.h>
#include <stdint.h>

/* In the order in which safetensors sorts them (files begin with the last). */
enum pt_dtype {
    PT_BOOL,
    PT_U8,
    PT_I8,
    PT_I16,
    PT_U16,
    PT_F16,
    PT_BF16,
    PT_I32,
    PT_U32,
    PT_F32,
    PT_F64,
    PT_I64,
    PT_U64,
    PT_DTYPES,
    PT_DTYPE_UNKNOWN = -1,
};

const char *pt_dtype_name(enum pt_dtype dtype);     /* "BF16" */
enum pt_dtype pt_dtype_from_name(const char *name); /* PT_DTYPE_UNKNOWN where there is none */
size_t pt_dtype_bytes(enum pt_dtype dtype);

/* n elements of type F32, F16, BF16 or F64 widened (F64: rounded) to f32; `from` needs no alignment. */
void pt_to_f32(float *to, const void *from, enum pt_dtype dtype, size_t n);
/* f32 rounded to nearest even; NaN stays NaN. */
uint16_t pt_bf16_from_f32(float value);
uint16_t pt_f16_from_f32(float value);
float pt_f32_from_bf16(uint16_t bits);
float pt_f32_from_f16(uint16_t bits);

#endif
