/*
 * Progress on standard error, as a list of named values. On a terminal it is one line that is rewritten at
 * most six times a second and erased at the end ("step 10/158  loss 5.21"); elsewhere it is a line for each
 * milestone ("step=10/158 loss=5.21").
 *
 *     pt_progress_field(&progress, "loss", "%.4f", loss);
 *     pt_progress_show(&progress, step % log_every == 0);
 */
#ifndef PT_CLI_PROGRESS_H
#define PT_CLI_PROGRESS_H

#include "base/error.h"
#include "cli/tool.h"

#include <stdbool.h>
#include <stddef.h>

struct pt_progress {
    bool silent, terminal;
    double last_drawn; /* seconds of pt_clock_seconds */
    size_t length;
    char text[512];
};

/* Nothing is shown where the user asked for --quiet. */
void pt_progress_start(struct pt_progress *progress, const struct pt_common *common);
/* Adds a value to what the next pt_progress_show shows. */
void pt_progress_field(struct pt_progress *progress, const char *name, const char *format, ...)
    PT_PRINTF(3, 4);
/* Shows the fields and forgets them. Off a terminal only milestones are shown. */
void pt_progress_show(struct pt_progress *progress, bool milestone);
/* Takes the live line away. */
void pt_progress_finish(void);

/* Seconds as "1:02:03" or "2:03". */
enum { PT_DURATION_TEXT = 32 };
char *pt_format_duration(double seconds, char text[PT_DURATION_TEXT]);

#endif
