/*
 * Signals: a tool that is told to die leaves no temporary file behind and dies of the signal, so that its
 * parent sees why. Of SIGBUS, which is what a mapped file that became shorter causes, it says so.
 */
#ifndef PT_CLI_SIGNALS_H
#define PT_CLI_SIGNALS_H

/* Called once at start by pt_tool_main, on the main thread. A signal that was ignored when the program
 * started stays ignored, except SIGPIPE. */
void pt_signals_start(void);

/*
 * For work that should end tidily: from now on the first SIGINT or SIGTERM is only noted
 * (pt_signals_pending), the second is fatal at once. When the tool's run returns, pt_tool_main dies of a
 * noted signal. Waiting for input goes on, unless pt_source_set_interrupt has it ask.
 */
void pt_signals_defer(void);
/* The signal noted, or 0. */
int pt_signals_pending(void);

/* Dies of the signal noted, if there is one; otherwise returns. */
void pt_signals_die_if_pending(void);

#endif
