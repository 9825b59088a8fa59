/*
 * Failure reporting for the whole library.
 *
 * Every fallible function returns an int: 0 (PT_OK) or one of the values of enum pt_status, which are
 * also the exit codes of the tools, and takes as its last argument a record that it fills on failure.
 * The library never prints and never exits. A record is owned by the caller, starts zeroed
 * (struct pt_error err = {0};) and keeps the first failure: a later one does not overwrite it.
 */
#ifndef PT_BASE_ERROR_H
#define PT_BASE_ERROR_H

#include <stdarg.h>

#define PT_MUST_USE __attribute__((warn_unused_result))
#define PT_PRINTF(text, first) __attribute__((format(printf, text, first)))

enum pt_status {
    PT_OK = 0,        /* complete result delivered */
    PT_FAILED = 1,    /* the machine failed: input/output, memory */
    PT_USAGE = 2,     /* the command line is wrong */
    PT_BAD_INPUT = 3, /* malformed, truncated or corrupt input */
    PT_MISMATCH = 4,  /* inputs valid in themselves that do not belong together, or that are not supported */
    PT_NUMERIC = 5,   /* a loss or gradient that is not finite */
};

struct pt_error {
    enum pt_status status;
    char message[1024]; /* "what: where: why", without the tool's name; control characters are replaced by "?"
                         */
    char hint[512];     /* a way out, or empty */
};

/* Records a failure unless one is recorded already. Returns the status that the record then holds. */
int pt_fail(struct pt_error *err, enum pt_status status, const char *format, ...) PT_PRINTF(3, 4);

/* The same for a failed system call: ": " and the text of errno are added. The status is PT_FAILED. */
int pt_fail_errno(struct pt_error *err, const char *format, ...) PT_PRINTF(2, 3);

/* Puts "context: " in front of the recorded message. Returns the recorded status, for `return
 * pt_error_in(...)`. */
int pt_error_in(struct pt_error *err, const char *format, ...) PT_PRINTF(2, 3);

/* Adds a hint, unless one is there. Returns the recorded status. */
int pt_error_hint(struct pt_error *err, const char *format, ...) PT_PRINTF(2, 3);

#endif
