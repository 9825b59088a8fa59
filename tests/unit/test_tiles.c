/*
 * The emulation of AMX's tiles against what Intel's manual says of TDPBF16PS; and, on a CPU that has AMX,
 * against the CPU itself, bit for bit.
 */
#include "math_values.h"

#include "math/tiles.h"

#include <float.h>

enum { LINES = PT_TILE_LINES, WORDS = 2 * PT_TILE_WORDS };

struct blocks {
    uint32_t left[LINES][WORDS], right[WORDS][LINES]; /* two steps */
    float c[LINES * LINES];
};

static uint32_t word(float first, float second)
{
    uint32_t low, high;
    memcpy(&low, &first, sizeof low);
    memcpy(&high, &second, sizeof high);
    return low >> 16 | (high & 0xffff0000u);
}

static void run(const struct pt_tiles *tiles, size_t n_steps, struct blocks *b, bool half, bool add)
{
    const struct pt_tile_operand left = {.data = (const char *)b->left,
                                         .row = sizeof b->left[0],
                                         .step = PT_TILE_WORDS * 4,
                                         .n_terms = 1,
                                         .streamed = true},
                                 right = {.data = (const char *)b->right,
                                          .row = sizeof b->right[0],
                                          .step = PT_TILE_WORDS * sizeof b->right[0],
                                          .n_terms = 1,
                                          .half = half};
    tiles->start();
    tiles->multiply(n_steps, 1, &left, &right, b->c, LINES, add);
    tiles->stop();
}

/* One element of c after a step over words whose left members are all 1. */
static float sum_of(size_t n_words, const uint32_t *words, float before)
{
    struct blocks b = {0};
    for (size_t i = 0; i < n_words; i++) {
        b.left[20][i] = word(1, 1);
        b.right[i][30] = words[i];
    }
    b.c[20 * LINES + 30] = before;
    run(&pt_tiles_emulated, 1, &b, false, true);
    return b.c[20 * LINES + 30];
}

static void adds_in_the_order_of_the_instruction(void **state)
{
    (void)state;
    /* 2^24 + 1 is no f32: ones are lost beside it, but not in the other sum, and not when they are added up
     * first. */
    const uint32_t apart[] = {word(0x1p24f, 1), word(0, 1)};
    assert_true(sum_of(2, apart, 0) == 0x1p24f + 2);
    const uint32_t together[] = {word(0x1p24f, 0), word(1, 0), word(1, 0)};
    assert_true(sum_of(3, together, 0) == 0x1p24f);
    const uint32_t ones[] = {word(1, 0), word(1, 0)};
    assert_true(sum_of(2, ones, 0x1p24f) == 0x1p24f + 2);
}

static void takes_subnormal_numbers_for_zero(void **state)
{
    (void)state;
    const uint32_t subnormal[] = {word(0x1p-127f, 0x1p-130f)};
    assert_true(sum_of(1, subnormal, 0) == 0);
    assert_true(sum_of(1, subnormal, FLT_MIN) == FLT_MIN);
    const uint32_t nothing[] = {word(0, 0)};
    assert_true(sum_of(1, nothing, 0x1p-127f) == 0);
    const uint32_t smallest[] = {word(0x1p-126f, 0), word(0x1.8p-126f, 0), word(-0x1p-126f, 0)};
    assert_true(sum_of(3, smallest, -0x1p-126f) == 0); /* the difference is subnormal */
    const uint32_t infinite[] = {word(INFINITY, 1)};
    assert_true(isinf(sum_of(1, infinite, 0)));
    const uint32_t undefined[] = {word(INFINITY, -INFINITY)};
    assert_true(isnan(sum_of(1, undefined, 0)));
}

static float plain_element(const struct blocks *b, size_t i, size_t j)
{
    double sum = 0;
    for (size_t w = 0; w < WORDS; w++)
        for (int half = 0; half < 2; half++) {
            uint32_t x = half ? b->left[i][w] & 0xffff0000u : b->left[i][w] << 16,
                     y = half ? b->right[w][j] & 0xffff0000u : b->right[w][j] << 16;
            float left, right;
            memcpy(&left, &x, sizeof left);
            memcpy(&right, &y, sizeof right);
            sum += (double)left * (double)right;
        }
    return (float)sum;
}

static void fill(struct blocks *b, float scale)
{
    uint32_t seed = 11;
    for (size_t i = 0; i < LINES; i++)
        for (size_t w = 0; w < WORDS; w++) {
            b->left[i][w] = word(next_value(&seed), scale * next_value(&seed));
            b->right[w][i] = word(scale * next_value(&seed), next_value(&seed));
        }
    for (size_t i = 0; i < LINES * LINES; i++)
        b->c[i] = scale * next_value(&seed);
}

static void multiplies_blocks(void **state)
{
    (void)state;
    static struct blocks b;
    fill(&b, 1);
    run(&pt_tiles_emulated, 2, &b, false, false);
    for (size_t i = 0; i < LINES; i++)
        for (size_t j = 0; j < LINES; j++)
            assert_near((double)b.c[i * LINES + j], (double)plain_element(&b, i, j), 1e-5, "element",
                        i * LINES + j);
}

static void adds_nothing_of_a_second_tile(void **state)
{
    (void)state;
    static struct blocks b, whole;
    fill(&b, 1);
    const struct blocks before = b;
    whole = b;
    run(&pt_tiles_emulated, 2, &b, true, true);
    run(&pt_tiles_emulated, 2, &whole, false, true);
    for (size_t i = 0; i < LINES; i++) {
        const size_t row = i * LINES, first = LINES / 2 * sizeof b.c[0];
        assert_memory_equal(b.c + row, whole.c + row, first);
        assert_memory_equal(b.c + row + LINES / 2, before.c + row + LINES / 2, first);
        assert_memory_not_equal(b.c + row + LINES / 2, whole.c + row + LINES / 2, first);
    }
}

static void equals_the_cpu(void **state)
{
    (void)state;
    if (!pt_tiles_usable(&pt_tiles_amx)) {
        print_message("# this CPU has no AMX to compare with\n");
        skip();
    }
    static struct blocks ours, theirs;
    const float scales[] = {1, 0x1p-60f, 0x1p-100f, 0x1p-120f};
    for (size_t s = 0; s < N_OF(scales); s++) {
        fill(&ours, scales[s]);
        theirs = ours;
        for (int half = 0; half < 2; half++) {
            run(&pt_tiles_emulated, 2, &ours, half, true);
            run(&pt_tiles_amx, 2, &theirs, half, true);
            assert_memory_equal(ours.c, theirs.c, sizeof ours.c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_in_the_order_of_the_instruction),
        cmocka_unit_test(takes_subnormal_numbers_for_zero),
        cmocka_unit_test(multiplies_blocks),
        cmocka_unit_test(adds_nothing_of_a_second_tile),
        cmocka_unit_test(equals_the_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
