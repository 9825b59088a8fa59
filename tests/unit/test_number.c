/*
 * Strict parsing and exact printing, also under a locale whose decimal point is a comma.
 */
#include "files.h"

#include "base/number.h"
#include "base/rng.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <string.h>

static void whole_numbers_are_strict(void **state)
{
    (void)state;
    uint64_t u = 1;
    assert_true(pt_parse_u64("0", 0, UINT64_MAX, &u) && u == 0);
    assert_true(pt_parse_u64("18446744073709551615", 0, UINT64_MAX, &u) && u == UINT64_MAX);
    assert_true(pt_parse_u64("007", 0, 9, &u) && u == 7);
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "-0",
                                      "1.0",
                                      "1e3",
                                      "0x10",
                                      "1a",
                                      "1\n",
                                      "18446744073709551616",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < N_OF(bad); i++)
        assert_false(pt_parse_u64(bad[i], 0, UINT64_MAX, &u));
    assert_false(pt_parse_u64("10", 0, 9, &u));
    assert_false(pt_parse_u64("1", 2, 9, &u));
    assert_int_equal(u, 7);
}

static void decimals_are_strict(void **state)
{
    (void)state;
    double value = -1;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"1", 1},       {"-0.5", -0.5}, {".5", 0.5},        {"5.", 5},
                {"1e-2", 0.01}, {"1E+2", 100},  {"5e-324", 5e-324}, {"0.1", 0.1}};
    for (size_t i = 0; i < N_OF(good); i++) {
        assert_true(pt_parse_double(good[i].text, -DBL_MAX, DBL_MAX, &value));
        assert_true(value == good[i].value);
    }
    static const char *const bad[] = {"",   ".",   "-",     "+1",  "1,5",      "1e",
                                      "e5", "1e+", "inf",   "nan", "0x1p3",    "1e999",
                                      " 1", "1 ",  "1.2.3", "1f",  "infinity", "1e5x"};
    for (size_t i = 0; i < N_OF(bad); i++)
        assert_false(pt_parse_double(bad[i], -DBL_MAX, DBL_MAX, &value));
    assert_false(pt_parse_double("1.1", 0, 1, &value));
}

static void sizes_know_their_units(void **state)
{
    (void)state;
    uint64_t bytes = 0;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"4096", 4096}, {"512M", 512 << 20}, {"1.5G", UINT64_C(3) << 29}, {"1k", 1024}, {"2KiB", 2048},
        {"3KB", 3072},  {"7B", 7},           {"1T", UINT64_C(1) << 40},   {"0", 0}};
    for (size_t i = 0; i < N_OF(good); i++) {
        assert_true(pt_parse_size(good[i].text, &bytes));
        assert_true(bytes == good[i].bytes);
    }
    static const char *const bad[] = {
        "", "G", "-1", "1X", "1KiBs", "1KK", "1iB", "1e30", "9223372036854775808", "% ", "5%%"};
    for (size_t i = 0; i < N_OF(bad); i++)
        assert_false(pt_parse_size(bad[i], &bytes));
    assert_true(pt_parse_size("50%", &bytes));
    assert_true(bytes > 0);
}

static void printing_is_short_and_exact(void **state)
{
    (void)state;
    char text[PT_NUMBER_TEXT];
    assert_string_equal(pt_format_double(0.1, text), "0.1");
    assert_string_equal(pt_format_double(0.1 + 0.2, text), "0.30000000000000004");
    assert_string_equal(pt_format_double(4.992626577e-05, text), "4.992626577e-05");
    assert_string_equal(pt_format_double(1e22, text), "1e+22");
    assert_string_equal(pt_format_double(5e-324, text), "5e-324");
    assert_string_equal(pt_format_double(DBL_MAX, text), "1.7976931348623157e+308");
    assert_string_equal(pt_format_double(-0.0, text), "-0");
    assert_string_equal(pt_format_double((double)NAN, text), "nan");
    assert_string_equal(pt_format_double(-(double)INFINITY, text), "-inf");
    assert_string_equal(pt_format_thousands(1303128064, text), "1,303,128,064");
    assert_string_equal(pt_format_thousands(999, text), "999");
    assert_string_equal(pt_format_thousands(UINT64_MAX, text), "18,446,744,073,709,551,615");
    assert_string_equal(pt_format_size(0, text), "0 B");
    assert_string_equal(pt_format_size(1023, text), "1023 B");
    assert_string_equal(pt_format_size(UINT64_C(1288490189), text), "1.2 GiB");
    assert_string_equal(pt_format_size(1024 * 1024 - 1, text), "1.0 MiB");
    assert_string_equal(pt_format_size(UINT64_MAX, text), "16.0 EiB");
}

static void random_bits_read_back(void **state)
{
    (void)state;
    struct pt_rng rng;
    pt_rng_seed(&rng, 1);
    char text[PT_NUMBER_TEXT];
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = pt_rng_u64(&rng);
        double value, read;
        memcpy(&value, &bits, sizeof value);
        if (isfinite(value)) {
            assert_true(pt_parse_double(pt_format_double(value, text), -DBL_MAX, DBL_MAX, &read));
            assert_true(read == value);
        }
    }
}

/* Makes a locale that writes a comma, in the scratch folder, and takes it. */
static void take_comma_locale(void)
{
    char command[256];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >%s/messages 2>&1", scratch,
             scratch);
    assert_int_equal(system(command), 0);
    assert_int_equal(setenv("LOCPATH", scratch, 1), 0);
    assert_non_null(setlocale(LC_ALL, "de_DE.UTF-8"));
    assert_int_equal(localeconv()->decimal_point[0], ',');
}

static void a_comma_locale_changes_nothing(void **state)
{
    take_comma_locale();
    decimals_are_strict(state);
    sizes_know_their_units(state);
    printing_is_short_and_exact(state);
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_strict), cmocka_unit_test(decimals_are_strict),
        cmocka_unit_test(sizes_know_their_units),   cmocka_unit_test(printing_is_short_and_exact),
        cmocka_unit_test(random_bits_read_back),    cmocka_unit_test(a_comma_locale_changes_nothing),
    };
    return cmocka_run_group_tests_name("number", tests, make_scratch, remove_scratch);
}
