/*
 * The table that --profile asks for, on standard error.
 */
#ifndef PT_CLI_PROFILE_TABLE_H
#define PT_CLI_PROFILE_TABLE_H

#include "math/math.h"

#include <stdint.h>

/*
 * Measures the machine's limits (half a second) and prints what pt_profile() holds: a line a part and one for
 * all that no part covers, whose seconds add up to the total; then what was left out because nothing needs
 * it. A machine whose limits cannot be measured for lack of memory gets a table without them.
 */
void pt_profile_table(const struct pt_math *math, enum pt_dtype weights, uint64_t n_updates);

#endif
