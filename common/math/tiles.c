/*
 * Whether AMX can be used: the CPU's word, and the system's leave, which is given once for the whole process.
 */
#include "math/tiles.h"

#if defined __x86_64__ && defined __linux__
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    REQUEST_PERMISSION = 0x1023, /* ARCH_REQ_XCOMP_PERM of asm/prctl.h */
    TILE_DATA = 18,              /* the state component of the tile registers */
    AMX_BF16 = 1 << 22,          /* bits of CPUID leaf 7, EDX */
    AMX_TILE = 1 << 24,
};

static bool has_amx(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & AMX_BF16) && (d & AMX_TILE) &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
#else
static bool has_amx(void)
{
    return false;
}
#endif

bool pt_tiles_usable(const struct pt_tiles *tiles)
{
    return tiles == &pt_tiles_emulated || has_amx();
}
