/*
 * Lines of words separated by blanks, so that awk and people can read them.
 */
#include "cli/profile_table.h"

#include "base/profile.h"
#include "base/threads.h"
#include "cli/messages.h"
#include "math/limits.h"

#include <inttypes.h>
#include <stdio.h>

enum { LINE = 160, WORD = 32 };

static const double LIMITS_SECONDS = 0.5, GIGA = 1e9;

/* "12.3%", or "-" where there is no whole. */
static const char *percent(double part, double whole, char text[WORD])
{
    if (whole > 0)
        snprintf(text, WORD, "%.1f%%", 100 * part / whole);
    else
        snprintf(text, WORD, "-");
    return text;
}

static void print_part(enum pt_part part, enum pt_direction direction, const struct pt_limits *limits)
{
    const struct pt_profile *profile = pt_profile();
    const struct pt_part_totals *totals = &profile->parts[part][direction];
    const bool operations = pt_part_counts_operations(part);
    const double rate = totals->seconds > 0 ? totals->work / totals->seconds : 0;
    char line[LINE], name[WORD], speed[WORD] = "-", of_time[WORD], of_limit[WORD];
    if (!totals->calls)
        return;
    snprintf(name, sizeof name, "%s%s", pt_part_name(part),
             !pt_part_has_directions(part) ? ""
             : direction == PT_FORWARD     ? "-forward"
                                           : "-backward");
    if (totals->work > 0)
        snprintf(speed, sizeof speed, "%.1f", rate / GIGA);
    snprintf(
        line, sizeof line, "%-24s %10.4f %8" PRIu64 " %8s %-4s %7s %8s", name, totals->seconds, totals->calls,
        speed,
        totals->work <= 0 ? "-"
        : operations      ? "GF/s"
                          : "GB/s",
        percent(totals->seconds, profile->seconds, of_time),
        percent(rate, totals->work > 0 ? operations ? limits->product : limits->bandwidth : 0, of_limit));
    pt_message_line(line);
}

static void print_rest(const char *name, double seconds)
{
    char line[LINE], of_time[WORD];
    snprintf(line, sizeof line, "%-24s %10.4f %8s %8s %-4s %7s %8s", name, seconds, "-", "-", "-",
             percent(seconds, pt_profile()->seconds, of_time), "-");
    pt_message_line(line);
}

static void print_parts(const struct pt_limits *limits)
{
    double rest = pt_profile()->seconds;
    char line[LINE];
    snprintf(line, sizeof line, "%-24s %10s %8s %8s %-4s %7s %8s", "part", "seconds", "calls", "rate", "unit",
             "time", "limit");
    pt_message_line(line);
    for (enum pt_part part = 0; part < PT_PARTS; part++)
        for (enum pt_direction direction = 0; direction < PT_DIRECTIONS; direction++) {
            print_part(part, direction, limits);
            rest -= pt_profile()->parts[part][direction].seconds;
        }
    print_rest("other", rest);
    print_rest("sum", pt_profile()->seconds);
}

static void print_savings(void)
{
    char line[LINE];
    snprintf(line, sizeof line, "%-24s %10s %10s %7s", "only needed work", "rows", "saved", "share");
    pt_message_line(line);
    for (enum pt_saving saving = 0; saving < PT_SAVINGS; saving++) {
        const struct pt_saving_totals *totals = &pt_profile()->savings[saving];
        char share[WORD];
        snprintf(line, sizeof line, "%-24s %10" PRIu64 " %10" PRIu64 " %7s", pt_saving_name(saving),
                 totals->computed, totals->saved,
                 percent((double)totals->saved, (double)(totals->computed + totals->saved), share));
        pt_message_line(line);
    }
}

void pt_profile_table(const struct pt_math *math, enum pt_dtype weights, uint64_t n_updates)
{
    struct pt_limits limits = {0};
    struct pt_error err = {0};
    char line[LINE];
    if (pt_limits_measure(&limits, math, weights, LIMITS_SECONDS, &err))
        pt_message_line(err.message);
    snprintf(line, sizeof line, "profile: %" PRIu64 " updates, %s, %d threads; limits: %.1f GF/s, %.1f GB/s",
             n_updates, pt_math_name(math), pt_threads(), limits.product / GIGA, limits.bandwidth / GIGA);
    pt_message_line(line);
    print_parts(&limits);
    print_savings();
}
