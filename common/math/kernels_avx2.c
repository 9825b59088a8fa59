/*
 * The kernels for AVX2 with FMA and F16C.
 */
#define PT_KERNELS pt_kernels_avx2
#define PT_KERNELS_NAME "avx2"
#include "math/kernels_table.h"
