/*
 * Asks the CPU (and, through the compiler's run-time library, the system) once which kernels can run. Nothing
 * is timed.
 */
#include "math/kernels.h"

static const struct pt_kernels *_Atomic in_use; /* NULL: not yet asked */

#if defined __x86_64__
#include <cpuid.h>

/* From the CPU itself: clang's __builtin_cpu_supports does not know the name. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool pt_kernels_usable(const struct pt_kernels *kernels)
{
    if (kernels == &pt_kernels_avx512bf16)
        return has_avx512() && __builtin_cpu_supports("avx512bf16");
    if (kernels == &pt_kernels_avx512)
        return has_avx512();
    return kernels == &pt_kernels_portable || has_avx2();
}
#else
bool pt_kernels_usable(const struct pt_kernels *kernels)
{
    return kernels == &pt_kernels_portable;
}
#endif

static const struct pt_kernels *best(void)
{
    if (pt_kernels_usable(&pt_kernels_avx512))
        return &pt_kernels_avx512;
    return pt_kernels_usable(&pt_kernels_avx2) ? &pt_kernels_avx2 : &pt_kernels_portable;
}

const struct pt_kernels *pt_kernels(void)
{
    if (!in_use)
        in_use = best();
    return in_use;
}

void pt_kernels_force(const struct pt_kernels *kernels)
{
    in_use = kernels ? kernels : best();
}
