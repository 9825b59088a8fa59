/*
 * The kernels for plain C for any CPU.
 */
#define PT_KERNELS pt_kernels_portable
#define PT_KERNELS_NAME "portable"
#include "math/kernels_table.h"
