/*
 * The generator against values that PyTorch 2.13 gave for the same seeds on CPU.
 */
#include "support.h"

#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

static void words_follow_the_reference_generator(void **state)
{
    (void)state;
    static const uint32_t expected[] = {1608637542, 3421126067, 4083286876, 787846414, 3143890026};
    struct pt_rng rng;
    pt_rng_seed(&rng, 42);
    for (size_t i = 0; i < N_OF(expected); i++)
        assert_int_equal(pt_rng_u32(&rng), expected[i]);
    pt_rng_seed(&rng, 42 + (UINT64_C(1) << 32));
    assert_int_equal(pt_rng_u32(&rng), expected[0]);
    pt_rng_seed(&rng, 42);
    assert_true(pt_rng_u64(&rng) == ((uint64_t)expected[0] << 32 | expected[1]));
}

static void below_equals_randint(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        uint32_t expected[4];
    } rows[] = {
        {10, {2, 7, 6, 4}},
        {46145, {22842, 28057, 8116, 12829}},
        {(UINT64_C(1) << 28) - 1, {266460267, 199900607, 56755051, 250975504}},
        {UINT64_C(1) << 28, {199900595, 250975502, 127521863, 147532820}},
        {UINT64_C(1) << 31, {1273642419, 787846414, 1201263687, 415968276}},
        {UINT64_C(1) << 32, {3421126067, 787846414, 3348747335, 2563451924}},
    };
    for (size_t row = 0; row < N_OF(rows); row++) {
        struct pt_rng rng;
        pt_rng_seed(&rng, 42);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(pt_rng_below(&rng, rows[row].n), rows[row].expected[i]);
    }
}

static void uniforms_equal_rand(void **state)
{
    (void)state;
    static const double singles[] = {0.8822692632675171, 0.9150039553642273, 0.38286375999450684,
                                     0.9593056440353394, 0.3904482126235962, 0.600895345211029};
    static const double doubles[] = {0.05815448596142969, 0.06291016742457756, 0.12358607277440903};
    struct pt_rng rng;
    pt_rng_seed(&rng, 42);
    for (size_t i = 0; i < N_OF(singles); i++)
        assert_true((double)pt_rng_uniform(&rng) == singles[i]);
    pt_rng_seed(&rng, 42);
    for (size_t i = 0; i < N_OF(doubles); i++)
        assert_true(fabs(pt_rng_uniform_double(&rng) - doubles[i]) < 1e-16);
}

/* sum of (i + 1) * order[i] modulo 2^64: one number that depends on every place. */
static uint64_t weighted_sum(const uint64_t *order, uint64_t n)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += (i + 1) * order[i];
    return sum;
}

static void permutations_equal_randperm(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed, n, first[5], last, sum; /* sum 0: not compared */
    } rows[] = {
        {42, 10, {2, 6, 1, 8, 4}, 7, 268},
        {0, 10, {4, 1, 7, 5, 3}, 2, 0},
        {42, 48818, {35624, 30708, 23742, 21132, 24360}, 3117, UINT64_C(29008860603423)},
        {43, 48818, {19792, 16671, 17905, 44530, 28745}, 0, 0},
        {42, 5000017, {3632085, 1115124, 3274638, 2844219, 3881866}, 1430470, UINT64_C(12802562716714953003)},
    };
    struct pt_error err = {0};
    uint64_t *order = pt_new_array(5000017, sizeof *order, &err);
    assert_non_null(order);
    for (size_t row = 0; row < N_OF(rows); row++) {
        struct pt_rng rng;
        pt_rng_seed(&rng, rows[row].seed);
        pt_rng_permutation(&rng, rows[row].n, order);
        for (size_t i = 0; i < 5; i++)
            assert_int_equal(order[i], rows[row].first[i]);
        if (rows[row].last)
            assert_int_equal(order[rows[row].n - 1], rows[row].last);
        if (rows[row].sum)
            assert_true(weighted_sum(order, rows[row].n) == rows[row].sum);
    }
    free(order);
}

static void a_permutation_of_nothing_draws_nothing(void **state)
{
    (void)state;
    struct pt_rng rng;
    pt_rng_seed(&rng, 42);
    uint64_t order[1] = {7};
    pt_rng_permutation(&rng, 0, order);
    assert_int_equal(order[0], 7);
    pt_rng_permutation(&rng, 1, order);
    assert_int_equal(order[0], 0);
    assert_int_equal(pt_rng_u32(&rng), 1608637542);
}

static void assert_equal(const float *values, const double *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((double)values[i] != expected[i])
            fail_msg("normal %zu is %.9g, not %.9g", i, (double)values[i], expected[i]);
}

static void long_normals_equal_randn(void **state)
{
    (void)state;
    static const double sixteen[] = {
        1.9269152879714966,  1.4872840642929077,  0.9007171988487244,   -2.1055209636688232,
        0.6784184575080872,  -1.2345448732376099, -0.04306747764348984, -1.6046669483184814,
        -0.7521352767944336, 1.6487230062484741,  -0.3924786448478699,  -1.4036071300506592,
        -0.7278813123703003, -0.5594301819801331, -0.7688388824462891,  0.7624453902244568};
    static const double twenty[] = {
        1.9269152879714966,  1.4872840642929077,   0.9007171988487244,  -2.1055209636688232,
        -0.7581311464309692, 1.078317642211914,    0.8008005619049072,  1.680620551109314,
        0.3558599054813385,  -0.6866229772567749,  -0.4933563470840454, 0.2414877861738205,
        -0.2316243201494217, 0.041759490966796875, -0.2515752911567688, 0.859858512878418,
        -0.3097267746925354, -0.3957104980945587,  0.8034093379974365,  -0.6215953826904297};
    float values[20];
    struct pt_rng rng;
    pt_rng_seed(&rng, 42);
    pt_rng_normal(&rng, 16, values);
    assert_equal(values, sixteen, 16);
    pt_rng_seed(&rng, 42);
    pt_rng_normal(&rng, 20, values);
    assert_equal(values, twenty, 20);
}

/* torch.manual_seed(5); int(torch.randn(100000).numpy().view("u4").astype("u8").sum()) */
static void many_normals_have_the_bits_of_randn(void **state)
{
    (void)state;
    enum { N = 100000 };
    float *values = malloc(N * sizeof *values);
    struct pt_rng rng;
    uint64_t sum = 0;
    pt_rng_seed(&rng, 5);
    pt_rng_normal(&rng, N, values);
    for (size_t i = 0; i < N; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        sum += bits;
    }
    assert_true(sum == 213241803177327);
    free(values);
}

static void short_normals_equal_randn_and_keep_the_spare_one(void **state)
{
    (void)state;
    static const double fifteen[] = {0.33669036626815796, 0.12880940735340118, 0.23446236550807953,
                                     0.23033303022384644, -1.1228563785552979, -0.18632829189300537,
                                     2.2082014083862305,  -0.637997031211853,  0.46165722608566284,
                                     0.2673508822917938,  0.5349046587944031,  0.809357225894928,
                                     1.110290288925171,   -1.6897989511489868, -0.9889599084854126};
    float values[15];
    struct pt_rng rng;
    pt_rng_seed(&rng, 42);
    pt_rng_normal(&rng, 15, values);
    assert_equal(values, fifteen, 15);
    pt_rng_seed(&rng, 42);
    pt_rng_normal(&rng, 5, values);
    pt_rng_normal(&rng, 4,
                  values + 5); /* torch.randn(5), torch.randn(4): the sixth value was drawn with the fifth */
    assert_equal(values, fifteen, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_follow_the_reference_generator),
        cmocka_unit_test(below_equals_randint),
        cmocka_unit_test(uniforms_equal_rand),
        cmocka_unit_test(permutations_equal_randperm),
        cmocka_unit_test(a_permutation_of_nothing_draws_nothing),
        cmocka_unit_test(long_normals_equal_randn),
        cmocka_unit_test(many_normals_have_the_bits_of_randn),
        cmocka_unit_test(short_normals_equal_randn_and_keep_the_spare_one),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
