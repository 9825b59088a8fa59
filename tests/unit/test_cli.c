/*
 * The frame of the tools: values of options, messages, progress, signals.
 */
#include "cli/messages.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/tool.h"

#include "support.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Standard error goes into a file between these two calls; the second gives what was written. */
static int real_stderr;

static void catch_stderr(void)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    real_stderr = dup(STDERR_FILENO);
    assert_int_not_equal(dup2(fileno(file), STDERR_FILENO), -1);
    fclose(file);
}

static const char *caught_stderr(void)
{
    static char text[8192];
    ssize_t n = pread(STDERR_FILENO, text, sizeof text - 1, 0);
    assert_true(n >= 0);
    text[n] = 0;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    return text;
}

static void values_of_options_are_checked_whole(void **state)
{
    (void)state;
    struct pt_error err = {0};
    uint64_t count = 0;
    double number = 0;
    assert_int_equal(pt_option_u64("--n", "12", 1, 20, &count, &err), PT_OK);
    assert_int_equal(count, 12);
    assert_int_equal(pt_option_u64("--n", "21", 1, 20, &count, &err), PT_USAGE);
    assert_string_equal(err.message, "--n: '21' is not a whole number from 1 to 20");
    err = (struct pt_error){0};
    assert_int_equal(pt_option_u64("--n", "x", 3, UINT64_MAX, &count, &err), PT_USAGE);
    assert_string_equal(err.message, "--n: 'x' is not a whole number of at least 3");
    err = (struct pt_error){0};
    assert_int_equal(pt_option_double("--lr", "1e-3", 0, INFINITY, &number, &err), PT_OK);
    assert_true(number == 1e-3);
    assert_int_equal(pt_option_double("--lr", "nan", 0, 1, &number, &err), PT_USAGE);
    assert_string_equal(err.message, "--lr: 'nan' is not a number from 0 to 1");
    err = (struct pt_error){0};
    assert_int_equal(pt_option_size("--memory", "2K", &count, &err), PT_OK);
    assert_int_equal(count, 2048);
    assert_int_equal(pt_option_size("--memory", "0", &count, &err), PT_USAGE);
}

static void messages_hold_nothing_that_steers_a_terminal(void **state)
{
    (void)state;
    struct pt_error err = {
        .status = PT_BAD_INPUT, .message = "a\x1b[31m\tb\xff\xc2\x9b 你", .hint = "look\nthere"};
    catch_stderr();
    pt_messages_start("pt-test", false, false);
    pt_message_error(&err, "Try it.");
    assert_string_equal(caught_stderr(), "pt-test: a?[31m?b?? 你\nhint: look?there\nTry it.\n");
}

static void a_message_longer_than_a_line_is_cut_between_characters(void **state)
{
    (void)state;
    char text[3001];
    for (size_t i = 0; i + 3 <= sizeof text - 1; i += 3)
        memcpy(text + i, "你", 3);
    text[sizeof text - 1] = 0;
    catch_stderr();
    pt_message_line(text);
    const char *line = caught_stderr();
    size_t length = strlen(line);
    assert_true(length > 2000 && length < 2100);
    assert_int_equal(line[length - 1], '\n');
    assert_memory_equal(line + length - 4, "你", 3);
}

static void the_log_follows_quiet_and_verbose(void **state)
{
    (void)state;
    catch_stderr();
    pt_messages_start("pt-test", false, false);
    pt_log(PT_LOG_VERBOSE, "detail");
    pt_log(PT_LOG_NOTE, "note %d", 1);
    pt_log(PT_LOG_WARNING, "odd");
    pt_messages_start("pt-test", true, false);
    pt_log(PT_LOG_WARNING, "not shown");
    pt_messages_start("pt-test", false, true);
    pt_log(PT_LOG_VERBOSE, "detail");
    assert_string_equal(caught_stderr(), "pt-test: note 1\npt-test: warning: odd\npt-test: detail\n");
    pt_log_set_sink(NULL, NULL);
}

static void progress_off_a_terminal_is_a_line_a_milestone(void **state)
{
    (void)state;
    struct pt_common common = {0}, quiet = {.quiet = true};
    struct pt_progress progress;
    catch_stderr();
    pt_messages_start("pt-test", false, false);
    pt_progress_start(&progress, &common);
    for (int step = 1; step <= 4; step++) {
        pt_progress_field(&progress, "step", "%d/4", step);
        pt_progress_field(&progress, "loss", "%.2f", 1.0 / step);
        pt_progress_show(&progress, step % 2 == 0);
    }
    pt_progress_finish();
    pt_progress_start(&progress, &quiet);
    pt_progress_field(&progress, "step", "%d", 5);
    pt_progress_show(&progress, true);
    assert_string_equal(caught_stderr(), "pt-test: step=2/4 loss=0.50\npt-test: step=4/4 loss=0.25\n");
    pt_log_set_sink(NULL, NULL);
}

static void durations_are_read_as_clocks(void **state)
{
    (void)state;
    char text[PT_DURATION_TEXT];
    assert_string_equal(pt_format_duration(0.2, text), "0:00");
    assert_string_equal(pt_format_duration(83, text), "1:23");
    assert_string_equal(pt_format_duration(3723.4, text), "1:02:03");
    assert_string_equal(pt_format_duration(-1, text), "0:00");
    assert_string_equal(pt_format_duration(NAN, text), "0:00");
}

/* What became of a child that runs this: its status as waitpid gives it. */
static int status_of(void (*run)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        run();
        _exit(7);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void be_stopped_by_one_of_two(void)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    pt_signals_start();
    pt_signals_defer();
    raise(SIGTERM);
    raise(SIGINT);
    _exit(pt_signals_pending() == SIGTERM ? 7 : 1);
}

static void an_ignored_signal_stays_ignored_behind_another(void **state)
{
    (void)state;
    int status = status_of(be_stopped_by_one_of_two);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void block(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(how, &set, NULL);
}

static void *raise_here(void *unused)
{
    (void)unused;
    block(SIG_UNBLOCK);
    raise(SIGTERM);
    return NULL;
}

static void be_stopped_on_another_thread(void)
{
    pthread_t thread;
    signal(SIGTERM, SIG_DFL);
    pt_signals_start();
    pt_signals_defer();
    block(SIG_BLOCK);
    if (pthread_create(&thread, NULL, raise_here, NULL) || pthread_join(thread, NULL))
        _exit(1);
    if (pt_signals_pending())
        _exit(2); /* it was handled beside this thread */
    block(SIG_UNBLOCK);
    _exit(pt_signals_pending() == SIGTERM ? 7 : 3);
}

static void signals_are_handled_by_the_main_thread(void **state)
{
    (void)state;
    int status = status_of(be_stopped_on_another_thread);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_options_are_checked_whole),
        cmocka_unit_test(messages_hold_nothing_that_steers_a_terminal),
        cmocka_unit_test(a_message_longer_than_a_line_is_cut_between_characters),
        cmocka_unit_test(the_log_follows_quiet_and_verbose),
        cmocka_unit_test(progress_off_a_terminal_is_a_line_a_milestone),
        cmocka_unit_test(durations_are_read_as_clocks),
        cmocka_unit_test(an_ignored_signal_stays_ignored_behind_another),
        cmocka_unit_test(signals_are_handled_by_the_main_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
