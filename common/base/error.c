/*
 * The error record. Messages are composed once, where the failure is understood; outer layers may only
 * add context in front, so the first cause is never lost.
 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Names and values that a file holds come into messages: a message stays one line, and commands no terminal.
 */
static void tame(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

/* Puts ": reason" behind the `length` bytes of the message, as much of it as there is room for. */
static void add_reason(struct pt_error *err, int length, const char *reason)
{
    if (length < 0)
        return;
    const char *const parts[] = {": ", reason};
    size_t used = (size_t)length;
    for (int part = 0; part < 2; part++)
        for (const char *from = parts[part]; *from && used + 1 < sizeof err->message; from++)
            err->message[used++] = *from;
    if (used < sizeof err->message)
        err->message[used] = 0;
}

int pt_fail(struct pt_error *err, enum pt_status status, const char *format, ...)
{
    if (err->status)
        return (int)err->status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    tame(err->message);
    err->status = status;
    return (int)status;
}

int pt_fail_errno(struct pt_error *err, const char *format, ...)
{
    if (err->status)
        return (int)err->status;
    const char *reason = strerror(errno);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    add_reason(err, length, reason);
    tame(err->message);
    err->status = PT_FAILED;
    return PT_FAILED;
}

int pt_error_in(struct pt_error *err, const char *format, ...)
{
    char inner[sizeof err->message];
    memcpy(inner, err->message, sizeof inner);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    add_reason(err, length, inner);
    tame(err->message);
    return (int)err->status;
}

int pt_error_hint(struct pt_error *err, const char *format, ...)
{
    if (!err->hint[0]) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->hint, sizeof err->hint, format, args);
        va_end(args);
        tame(err->hint);
    }
    return (int)err->status;
}
