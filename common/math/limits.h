/*
 * What this machine can do at best, measured: to compare with what was reached. For reports alone; nothing
 * chooses a path by it.
 */
#ifndef PT_MATH_LIMITS_H
#define PT_MATH_LIMITS_H

#include "math/math.h"

struct pt_limits {
    double product;   /* operations a second of the best product: large, its operands in cache */
    double bandwidth; /* bytes a second that all threads read from memory together; 0: memory is too short to
                         tell */
};

/* With the arithmetic and threads in use, for weights of a dtype; takes about `seconds`. */
int pt_limits_measure(struct pt_limits *limits, const struct pt_math *math, enum pt_dtype weights,
                      double seconds, struct pt_error *err) PT_MUST_USE;

#endif
