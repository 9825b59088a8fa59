/*
 * What the user reads on standard error. Every line is one write, so that lines of several tools in a
 * pipeline never mix, and control characters (file names and records may hold any) are replaced, so that no
 * input can steer a terminal.
 */
#ifndef PT_CLI_MESSAGES_H
#define PT_CLI_MESSAGES_H

#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>

/* Who speaks, and how much: set once, before the first message. Installs the library's log sink. */
void pt_messages_start(const char *tool, bool quiet, bool verbose);

/* "tool: message", and "hint: ..." where there is one; `closing` (may be NULL) is a last line. */
void pt_message_error(const struct pt_error *err, const char *closing);
/* "tool: line" */
void pt_message_line(const char *line);
/* The one line of a terminal that is rewritten in place; an empty text takes it away. Other messages first
 * take it away. */
void pt_message_live(const char *text);
/* "tool: line", from a signal handler: async-signal-safe. `line` is ours: it is not made printable. */
void pt_message_dying(const char *line);
/* Takes the live line away; async-signal-safe. */
void pt_message_erase_live(void);

#endif
