/*
 * What the library wants to say besides failing: warnings and notes. It prints nothing itself; the program
 * installs a sink, and without one everything is dropped.
 */
#ifndef PT_BASE_LOG_H
#define PT_BASE_LOG_H

#include "base/error.h"

enum pt_log_level {
    PT_LOG_WARNING, /* the user should know (shown unless --quiet) */
    PT_LOG_NOTE,    /* what is being done (shown unless --quiet) */
    PT_LOG_VERBOSE, /* details (shown with --verbose) */
};

/* The sink may be called from one thread at a time only; the library logs outside of parallel loops. */
void pt_log_set_sink(void (*sink)(void *context, enum pt_log_level level, const char *line), void *context);

void pt_log(enum pt_log_level level, const char *format, ...) PT_PRINTF(2, 3);

#endif
