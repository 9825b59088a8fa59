/*
 * What the control groups of this process allow: its own, and all above it, whose limits hold as well.
 */
#ifndef PT_BASE_CGROUP_H
#define PT_BASE_CGROUP_H

#include <stdint.h>

/* `root` is put in front of /proc and /sys; "" but in tests. */

/* Bytes of memory that they leave, pages of files that would be given up counted in; UINT64_MAX: no limit. */
uint64_t pt_cgroup_memory_left(const char *root);
/* Cores that their quotas pay for, rounded up; INT_MAX: no quota. */
int pt_cgroup_cores(const char *root);

#endif
