/*
 * The choice of arithmetic: mode and path, made once at start (design: one entry point per product, behind it
 * a path per instruction set). Nothing is ever timed to choose: equal inputs on equal CPUs give equal bytes,
 * for any number of threads.
 */
#ifndef PT_MATH_MATH_H
#define PT_MATH_MATH_H

#include "base/error.h"
#include "fmt/dtype.h"

#include <stdbool.h>

struct pt_math;

/*
 * `setting` is MODE or MODE:PATH as on the command line (auto, f32, bf16, bf16x2, bf16x3; portable, avx2,
 * avx512, avx512bf16, amx, openblas, emulated); `weights` is the dtype of most of the model's matrices, which
 * "auto" follows. A malformed setting is PT_USAGE, a path that this machine lacks PT_MISMATCH. Each product
 * that will be used is compared with the plain loop on one small case; a path that computes wrongly is not
 * used, and a warning says so.
 *
 * The path's kernels are from then on those of the whole process (pt_kernels): attention, norms and
 * activations have no handle and use those of the last pt_math_open.
 */
int pt_math_open(struct pt_math **math, const char *setting, enum pt_dtype weights,
                 struct pt_error *err) PT_MUST_USE;
void pt_math_close(struct pt_math *math);
/* Whether it is well-formed; this machine may lack it all the same. */
bool pt_math_is_setting(const char *setting);

/* Bytes of the room in which the products work. */
size_t pt_math_bytes(const struct pt_math *math);
/* "f32:openblas": mode and path in force, as --math takes them; recorded in states, since other paths give
 * other last bits. */
const char *pt_math_name(const struct pt_math *math);
/* For people: "f32:openblas (Cooperlake), other kernels avx512". */
const char *pt_math_describe(const struct pt_math *math);

#endif
