/*
 * Values of options: the whole text must be right, and the message says what would be.
 */
#include "cli/tool.h"

#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int pt_option_u64(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *value,
                  struct pt_error *err)
{
    if (pt_parse_u64(text, low, high, value))
        return PT_OK;
    if (high == UINT64_MAX)
        return pt_fail(err, PT_USAGE, "%s: '%s' is not a whole number of at least %" PRIu64, option, text,
                       low);
    return pt_fail(err, PT_USAGE, "%s: '%s' is not a whole number from %" PRIu64 " to %" PRIu64, option, text,
                   low, high);
}

int pt_option_double(const char *option, const char *text, double low, double high, double *value,
                     struct pt_error *err)
{
    if (pt_parse_double(text, low, high, value))
        return PT_OK;
    char low_text[PT_NUMBER_TEXT], high_text[PT_NUMBER_TEXT];
    pt_format_double(low, low_text);
    pt_format_double(high, high_text);
    if (isfinite(low) && isfinite(high))
        return pt_fail(err, PT_USAGE, "%s: '%s' is not a number from %s to %s", option, text, low_text,
                       high_text);
    if (isfinite(low))
        return pt_fail(err, PT_USAGE, "%s: '%s' is not a number of at least %s", option, text, low_text);
    if (isfinite(high))
        return pt_fail(err, PT_USAGE, "%s: '%s' is not a number of at most %s", option, text, high_text);
    return pt_fail(err, PT_USAGE, "%s: '%s' is not a number", option, text);
}

int pt_option_choice(const char *option, const char *text, const char *const *names, size_t *choice,
                     struct pt_error *err)
{
    char list[256] = "";
    size_t length = 0;
    for (size_t i = 0; names[i]; i++) {
        if (!strcmp(text, names[i])) {
            *choice = i;
            return PT_OK;
        }
        const char *separator = !i ? "" : names[i + 1] ? ", " : " or ";
        if (length < sizeof list)
            length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", separator, names[i]);
    }
    return pt_fail(err, PT_USAGE, "%s: '%s' is not %s", option, text, list);
}

int pt_option_size(const char *option, const char *text, uint64_t *bytes, struct pt_error *err)
{
    if (pt_parse_size(text, bytes) && *bytes)
        return PT_OK;
    return pt_fail(err, PT_USAGE, "%s: '%s' is not a size such as 800M, 1.5G or 80%%", option, text);
}
