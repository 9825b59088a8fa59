/*
 * The kernels for AVX-512 (F, BW, DQ, VL).
 */
#define PT_KERNELS pt_kernels_avx512
#define PT_KERNELS_NAME "avx512"
#include "math/kernels_table.h"
