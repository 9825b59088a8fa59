/*
 * One handler for all fatal signals: tidy up with async-signal-safe calls, restore the default action, raise
 * the signal again. It does so on the main thread only, which opens and closes files: what it reads of them
 * does not change under it.
 */
#include "cli/signals.h"

#include "cli/messages.h"
#include "io/sink.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

static const int FATAL_SIGNALS[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGALRM, SIGXCPU, SIGBUS};

static volatile sig_atomic_t pending_signal;
static pthread_t main_thread;

static void set_handler(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/* The system hands a signal to any thread of the process. */
static bool passed_on(int number)
{
    if (pthread_equal(pthread_self(), main_thread))
        return false;
    pthread_kill(main_thread, number);
    while (number == SIGBUS) /* the access that failed would be tried again */
        pause();
    return true;
}

static void die_of(int number)
{
    if (passed_on(number))
        return;
    if (number == SIGBUS)
        pt_message_dying("an input file was changed while it was read");
    pt_message_erase_live();
    pt_sink_remove_temporaries();
    set_handler(number, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    raise(number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static bool is_ignored(int number)
{
    struct sigaction action;
    return !sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN;
}

/* For SIGINT and SIGTERM, as far as they are not ignored. */
static void set_stop_handler(void (*handler)(int))
{
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!is_ignored(numbers[i]))
            set_handler(numbers[i], handler);
}

static void note(int number)
{
    if (passed_on(number))
        return;
    pending_signal = number;
    set_stop_handler(die_of);
}

void pt_signals_start(void)
{
    main_thread = pthread_self();
    /* Beyond a file size limit the write fails and is reported like a full disk. */
    set_handler(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof FATAL_SIGNALS / sizeof *FATAL_SIGNALS; i++)
        if (FATAL_SIGNALS[i] == SIGPIPE || !is_ignored(FATAL_SIGNALS[i]))
            set_handler(FATAL_SIGNALS[i], die_of);
}

void pt_signals_defer(void)
{
    set_stop_handler(note);
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
