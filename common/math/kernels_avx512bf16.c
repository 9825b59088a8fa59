/*
 * The kernels for AVX-512 with products of bf16 pairs (vdpbf16ps).
 */
#define PT_KERNELS pt_kernels_avx512bf16
#define PT_KERNELS_NAME "avx512bf16"
#include "math/kernels_table.h"
