/*
 * One handler for all fatal signals: tidy up with async-signal-safe calls, restore the default action, raise
 * the signal again.
 */
#include "cli/signals.h"

#include "cli/messages.h"
#include "io/sink.h"

#include <signal.h>
#include <stddef.h>

static const int FATAL_SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGALRM, SIGXCPU, SIGBUS};

static volatile sig_atomic_t pending_signal;

static void set_handler(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static void die_of(int number)
{
    pt_message_erase_live();
    pt_sink_remove_temporaries();
    set_handler(number, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void note(int number)
{
    pending_signal = number;
    set_handler(SIGINT, die_of);
    set_handler(SIGTERM, die_of);
}

static int is_ignored(int number)
{
    struct sigaction action;
    return !sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN;
}

void pt_signals_start(void)
{
    /* Beyond a file size limit the write fails and is reported like a full disk. */
    set_handler(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof FATAL_SIGNALS / sizeof *FATAL_SIGNALS; i++)
        if (FATAL_SIGNALS[i] == SIGPIPE || !is_ignored(FATAL_SIGNALS[i]))
            set_handler(FATAL_SIGNALS[i], die_of);
}

void pt_signals_defer(void)
{
    if (!is_ignored(SIGINT))
        set_handler(SIGINT, note);
    if (!is_ignored(SIGTERM))
        set_handler(SIGTERM, note);
}

int pt_signals_pending(void)
{
    return pending_signal;
}

void pt_signals_die_if_pending(void)
{
    if (pending_signal)
        die_of(pending_signal);
}
