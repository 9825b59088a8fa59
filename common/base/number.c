/*
 * Numbers are checked against a plain grammar first and then converted under the "C" locale, which glibc
 * keeps as a constant object: nothing is allocated, and the program's own locale is neither read nor changed.
 */
#include "base/number.h"

#include "base/memory.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static locale_t c_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *text)
{
    while (is_digit(*text))
        text++;
    return text;
}

bool pt_parse_u64(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
    if (!is_digit(*text) || *skip_digits(text))
        return false;
    uint64_t number = 0;
    for (; *text; text++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            return false;
    if (number < low || number > high)
        return false;
    *value = number;
    return true;
}

/* The end of the decimal number at the text's start, NULL if there is none. */
static const char *decimal_end(const char *text)
{
    if (*text == '-')
        text++;
    const char *end = skip_digits(text);
    bool any = end > text;
    if (*end == '.') {
        const char *fraction = end + 1;
        end = skip_digits(fraction);
        any = any || end > fraction;
    }
    if (!any)
        return NULL;
    if (*end == 'e' || *end == 'E') {
        const char *exponent = end + 1;
        if (*exponent == '+' || *exponent == '-')
            exponent++;
        if (!is_digit(*exponent))
            return NULL;
        end = skip_digits(exponent);
    }
    return end;
}

bool pt_parse_double(const char *text, double low, double high, double *value)
{
    const char *end = decimal_end(text);
    if (!end || *end)
        return false;
    double number = strtod_l(text, NULL, c_locale());
    if (!isfinite(number) || number < low || number > high)
        return false;
    *value = number;
    return true;
}

/* The factor that a unit stands for ("", "K", "KB", "KiB", "%", ...), 0 for what is no unit. */
static double unit_factor(const char *unit)
{
    if (!strcmp(unit, "%"))
        return (double)pt_memory_available() / 100;
    static const char letters[] = "KMGTkmgt";
    double factor = 1;
    const char *letter = *unit ? strchr(letters, *unit) : NULL;
    if (letter) {
        factor = ldexp(1, 10 * (int)((letter - letters) % 4 + 1));
        unit++;
        if (!strcmp(unit, "iB"))
            return factor;
    }
    return !*unit || !strcmp(unit, "B") ? factor : 0;
}

bool pt_parse_size(const char *text, uint64_t *bytes)
{
    const char *end = decimal_end(text);
    if (!end || *text == '-')
        return false;
    double factor = unit_factor(end);
    double count = strtod_l(text, NULL, c_locale()) * factor;
    if (factor == 0 || !(count < 0x1p63))
        return false;
    *bytes = (uint64_t)count;
    return true;
}

/* With as few digits as read back exactly: any decimal of up to DBL_DIG digits survives the way through a
 * normal number. */
char *pt_format_double(double value, char text[PT_NUMBER_TEXT])
{
    if (!isfinite(value)) {
        snprintf(text, PT_NUMBER_TEXT, "%s", isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
        return text;
    }
    locale_t previous = uselocale(c_locale());
    for (int digits = fabs(value) >= DBL_MIN ? DBL_DIG : 1; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(text, PT_NUMBER_TEXT, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    uselocale(previous);
    return text;
}

char *pt_format_thousands(uint64_t value, char text[PT_NUMBER_TEXT])
{
    char digits[PT_NUMBER_TEXT];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    char *out = text;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = 0;
    return text;
}

char *pt_format_size(uint64_t bytes, char text[PT_NUMBER_TEXT])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(text, PT_NUMBER_TEXT, "%u B", (unsigned)bytes);
        return text;
    }
    size_t unit = 0;
    long tenths = lround(ldexp((double)bytes, -10) * 10);
    for (; tenths >= 10240 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        tenths = lround(ldexp((double)bytes, -10 * (int)(unit + 2)) * 10);
    snprintf(text, PT_NUMBER_TEXT, "%ld.%ld %s", tenths / 10, tenths % 10, units[unit]);
    return text;
}
