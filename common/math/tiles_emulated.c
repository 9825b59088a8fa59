/*
 * The arithmetic of AMX's tiles in plain C, as Intel's manual defines TDPBF16PS: of each pair of neighbours
 * the first and the second products are added up apart, starting at zero, in the order of the contraction;
 * their sum is then added to the tile. Every step rounds once, and subnormal numbers are zero on the way in
 * and out. (Products are formed before they are added; that they are exact makes this the same as a fused
 * step, but for those below the smallest normal number.)
 */
#include "math/tiles.h"

#include <stdint.h>
#include <string.h>

enum { ROWS = 16, COLUMNS = 16, N_TILES = 8 };

struct tile {
    uint32_t words[ROWS][COLUMNS];
};

static _Thread_local struct tile tiles[N_TILES];

static void zero(int tile)
{
    memset(&tiles[tile], 0, sizeof tiles[tile]);
}

static void load(int tile, const void *from, size_t stride)
{
    for (size_t row = 0; row < ROWS; row++)
        memcpy(tiles[tile].words[row], (const char *)from + row * stride, sizeof tiles[tile].words[row]);
}

static void store(int tile, void *to, size_t stride)
{
    for (size_t row = 0; row < ROWS; row++)
        memcpy((char *)to + row * stride, tiles[tile].words[row], sizeof tiles[tile].words[row]);
}

/* The number that these bits stand for, zero with its sign where it is subnormal. */
static inline float normal(uint32_t bits)
{
    uint32_t kept = bits & 0x7f800000u ? bits : bits & 0x80000000u;
    float value;
    memcpy(&value, &kept, sizeof value);
    return value;
}

static inline uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float first(uint32_t word)
{
    return normal(word << 16);
}

static inline float second(uint32_t word)
{
    return normal(word & 0xffff0000u);
}

static void dot_row(uint32_t c[COLUMNS], const uint32_t a[COLUMNS], float firsts[ROWS][COLUMNS],
                    float seconds[ROWS][COLUMNS])
{
    float even[COLUMNS] = {0}, odd[COLUMNS] = {0};
    for (int k = 0; k < ROWS; k++) {
        float left = first(a[k]), right = second(a[k]);
        for (int n = 0; n < COLUMNS; n++) {
            even[n] = normal(bits_of(even[n] + left * firsts[k][n]));
            odd[n] = normal(bits_of(odd[n] + right * seconds[k][n]));
        }
    }
    for (int n = 0; n < COLUMNS; n++) {
        float sum = normal(bits_of(even[n] + odd[n]));
        c[n] = bits_of(normal(bits_of(normal(c[n]) + sum)));
    }
}

static void dot(int c, int a, int b)
{
    float firsts[ROWS][COLUMNS], seconds[ROWS][COLUMNS];
    for (int k = 0; k < ROWS; k++)
        for (int n = 0; n < COLUMNS; n++) {
            firsts[k][n] = first(tiles[b].words[k][n]);
            seconds[k][n] = second(tiles[b].words[k][n]);
        }
    for (int m = 0; m < ROWS; m++)
        dot_row(tiles[c].words[m], tiles[a].words[m], firsts, seconds);
}

static void nothing(void)
{
}

#define TILE_ZERO zero
#define TILE_LOAD load
#define TILE_STREAM load
#define TILE_STORE store
#define TILE_DOT dot
#include "math/tiles_multiply.h"

const struct pt_tiles pt_tiles_emulated = {
    .name = "emulated", .start = nothing, .stop = nothing, .multiply = multiply};
