/*
 * Tile operations of AMX. Every tile is 16 rows of 64 bytes, so that one configuration serves all; edges are
 * filled with zeros by whoever packs. The configuration is an object of the program rather than of a
 * function: GCC's intrinsic says that 8 of its 64 bytes are read, and stores to the others could vanish.
 */
#include "math/tiles.h"

#if defined __AMX_BF16__
#include <immintrin.h>
#include <stdint.h>

#define TILE_ZERO(tile) _tile_zero(tile)
#define TILE_LOAD(tile, from, stride) _tile_loadd(tile, from, stride)
#define TILE_STREAM(tile, from, stride) _tile_stream_loadd(tile, from, stride)
#define TILE_STORE(tile, to, stride) _tile_stored(tile, to, stride)
#define TILE_DOT(c, a, b) _tile_dpbf16ps(c, a, b)
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
