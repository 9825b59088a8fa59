/*
 * The first power of two of heads take the powers of a base, the others the odd powers of its square root.
 */
#include "math/attention.h"

#include <math.h>

void pt_alibi_slopes(size_t n_heads, float *slopes)
{
    size_t power = 1;
    while (power * 2 <= n_heads)
        power *= 2;
    for (size_t i = 0; i < n_heads; i++) {
        double exponent = i < power ? 8.0 * (double)(i + 1) / (double)power
                                    : 4.0 * (double)(2 * (i - power) + 1) / (double)power;
        slopes[i] = (float)exp2(-exponent);
    }
}
