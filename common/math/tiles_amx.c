/*
 * Tile operations of AMX. Every tile is 16 rows of 64 bytes, so that one configuration serves all; edges are
 * filled with zeros by whoever packs. The configuration is an object of the program rather than of a
 * function: GCC's intrinsic says that 8 of its 64 bytes are read, and stores to the others could vanish.
 */
#include "math/tiles.h"

#if defined __AMX_BF16__
#include <immintrin.h>
#include <stdint.h>

/*
 * Where the other hardware thread of the core is busy, tile instructions that follow each other at once take
 * up to 1.8 times as long as with 8 others between them: on an Emerald Rapids four loads and four dots took
 * 117 ns and 66 ns. Where it is idle, they took 26 ns with and without.
 */
#define APART(instruction)                           \
    do {                                             \
        instruction;                                 \
        __asm__ volatile(".rept 8\n\tnop\n\t.endr"); \
    } while (0)

#define TILE_ZERO(tile) _tile_zero(tile)
#define TILE_LOAD(tile, from, stride) APART(_tile_loadd(tile, from, stride))
#define TILE_STREAM(tile, from, stride) APART(_tile_stream_loadd(tile, from, stride))
#define TILE_STORE(tile, to, stride) APART(_tile_stored(tile, to, stride))
#define TILE_DOT(c, a, b) APART(_tile_dpbf16ps(c, a, b))
#include "math/tiles_multiply.h"

struct configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

static const struct configuration configuration = {
    .palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};

static void start(void)
{
    _tile_loadconfig(&configuration);
}

static void stop(void)
{
    _tile_release();
}

const struct pt_tiles pt_tiles_amx = {.name = "amx", .start = start, .stop = stop, .multiply = multiply};
#else
const struct pt_tiles pt_tiles_amx = {.name =
                                          "amx"}; /* for other CPUs than x86-64, where it is never chosen */
#endif
