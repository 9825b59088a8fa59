/*
 * The error record. Messages are composed once, where the failure is understood; outer layers may only
 * add context in front, so the first cause is never lost.
 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int pt_fail(struct pt_error *err, enum pt_status status, const char *format, ...)
{
    if (err->status)
        return (int)err->status;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
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
    if (length >= 0 && (size_t)length < sizeof err->message)
        snprintf(err->message + length, sizeof err->message - (size_t)length, ": %s", reason);
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
    if (length >= 0 && (size_t)length < sizeof err->message)
        snprintf(err->message + length, sizeof err->message - (size_t)length, ": %s", inner);
    return (int)err->status;
}

int pt_error_hint(struct pt_error *err, const char *format, ...)
{
    if (!err->hint[0]) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->hint, sizeof err->hint, format, args);
        va_end(args);
    }
    return (int)err->status;
}
