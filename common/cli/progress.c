/*
 * The fields are put together in the form that the place wants; drawing too early is dropped, not delayed.
 */
#include "cli/progress.h"

#include "base/clock.h"
#include "cli/messages.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const double SECONDS_BETWEEN_DRAWINGS = 1.0 / 6;

void pt_progress_start(struct pt_progress *progress, const struct pt_common *common)
{
    *progress = (struct pt_progress){
        .silent = common->quiet,
        .terminal = isatty(STDERR_FILENO),
        .last_drawn = pt_clock_seconds(),
    };
}

void pt_progress_field(struct pt_progress *progress, const char *name, const char *format, ...)
{
    char value[128];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    const char *separator = !progress->length ? "" : progress->terminal ? "  " : " ";
    size_t room = sizeof progress->text - progress->length;
    int length = snprintf(progress->text + progress->length, room, "%s%s%c%s", separator, name,
                          progress->terminal ? ' ' : '=', value);
    if (length > 0)
        progress->length += (size_t)length < room ? (size_t)length : room - 1;
}

void pt_progress_show(struct pt_progress *progress, bool milestone)
{
    double now = pt_clock_seconds();
    if (!progress->silent && progress->terminal && now - progress->last_drawn >= SECONDS_BETWEEN_DRAWINGS) {
        pt_message_live(progress->text);
        progress->last_drawn = now;
    }
    if (!progress->silent && !progress->terminal && milestone)
        pt_message_line(progress->text);
    progress->length = 0;
    progress->text[0] = 0;
}

void pt_progress_finish(void)
{
    pt_message_erase_live();
}

char *pt_format_duration(double seconds, char text[PT_DURATION_TEXT])
{
    double limit = 1e9;
    unsigned long whole = seconds > 0 ? (unsigned long)((seconds < limit ? seconds : limit) + 0.5) : 0;
    unsigned long hours = whole / 3600, minutes = whole / 60 % 60, rest = whole % 60;
    if (hours)
        snprintf(text, PT_DURATION_TEXT, "%lu:%02lu:%02lu", hours, minutes, rest);
    else
        snprintf(text, PT_DURATION_TEXT, "%lu:%02lu", minutes, rest);
    return text;
}
