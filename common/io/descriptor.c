/*
 * System calls repeated until they have done what was asked, or really failed.
 */
#include "io/descriptor.h"

#include "io/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { FIRST_FREE = 3, MILLISECONDS_BETWEEN_QUESTIONS = 200 };

int pt_descriptor_duplicate(int descriptor)
{
    return fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_FREE);
}

int pt_descriptor_above(int descriptor)
{
    if (descriptor < 0 || descriptor >= FIRST_FREE)
        return descriptor;
    int higher = pt_descriptor_duplicate(descriptor), reason = errno;
    close(descriptor);
    errno = reason;
    return higher;
}

int pt_descriptor_open(const char *path, int flags, mode_t mode)
{
    int descriptor;
    do
        descriptor = open(path, flags | O_CLOEXEC, mode);
    while (descriptor < 0 && errno == EINTR);
    return pt_descriptor_above(descriptor);
}

/* Whether a failed call is to be made again, after waiting where the descriptor is non-blocking. */
static int again(int descriptor, short event)
{
    if (errno == EINTR)
        return 1;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return 0;
    struct pollfd wait = {.fd = descriptor, .events = event};
    return poll(&wait, 1, -1) >= 0 || errno == EINTR;
}

static bool (*read_is_interrupted)(void *context);
static void *interrupt_context;

void pt_source_set_interrupt(bool (*interrupted)(void *context), void *context)
{
    read_is_interrupted = interrupted;
    interrupt_context = context;
}

/* Waits for something to read, asking time and again: a signal that comes right before a wait begins does not
 * end it. */
static bool wait_to_read(int descriptor)
{
    struct pollfd wait = {.fd = descriptor, .events = POLLIN};
    for (;;) {
        int ready = poll(&wait, 1, MILLISECONDS_BETWEEN_QUESTIONS);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true;
        if (read_is_interrupted(interrupt_context))
            return false;
    }
}

ssize_t pt_descriptor_read(int descriptor, void *bytes, size_t n)
{
    for (;;) {
        if (read_is_interrupted && !wait_to_read(descriptor)) {
            errno = EINTR;
            return -1;
        }
        ssize_t got = read(descriptor, bytes, n);
        if (got >= 0 || !again(descriptor, POLLIN))
            return got;
    }
}

int pt_descriptor_write(int descriptor, const void *bytes, size_t n)
{
    const char *from = bytes;
    while (n) {
        ssize_t written = write(descriptor, from, n);
        if (written < 0) {
            if (!again(descriptor, POLLOUT))
                return -1;
            continue;
        }
        from += written;
        n -= (size_t)written;
    }
    return 0;
}
