/*
 * One sink for the process, set by the program.
 */
#include "base/log.h"

#include <stddef.h>
#include <stdio.h>

static void (*log_sink)(void *, enum pt_log_level, const char *);
static void *log_context;

void pt_log_set_sink(void (*sink)(void *, enum pt_log_level, const char *), void *context)
{
    log_sink = sink;
    log_context = context;
}

void pt_log(enum pt_log_level level, const char *format, ...)
{
    if (!log_sink)
        return;
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log_sink(log_context, level, line);
}
