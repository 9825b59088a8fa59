/*
 * A message is composed in memory and handed over by one write(2). Bytes that are no printable UTF-8 become
 * '?': the text of a message may come from a file, and terminals obey control characters.
 */
#include "cli/messages.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE_BYTES = 2048, DEFAULT_COLUMNS = 80 };

static const char ERASE_LINE[] = "\r\033[K";

static const char *tool_name = "pt";
static bool is_quiet, is_verbose;
static volatile bool live_line_shown;

/* A failing write to standard error has nobody left to be reported to. */
static void write_all(const char *bytes, size_t n)
{
    while (n) {
        ssize_t written = write(STDERR_FILENO, bytes, n);
        if (written <= 0)
            return;
        bytes += written;
        n -= (size_t)written;
    }
}

/* Appends text, made printable, while there is room; returns the new length. */
static size_t append_printable(char line[LINE_BYTES], size_t length, const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        uint32_t point = 0;
        size_t bytes = pt_utf8_decode(text + i, n - i, &point);
        bool printable = bytes && pt_utf8_is_printable(point);
        size_t step = bytes ? bytes : 1;
        size_t wanted = printable ? step : 1;
        if (length + wanted + 1 >= LINE_BYTES)
            break;
        if (printable)
            memcpy(line + length, text + i, wanted);
        else
            line[length] = '?';
        length += wanted;
        i += step;
    }
    line[length] = 0;
    return length;
}

static void write_line(const char *label, const char *text)
{
    char line[LINE_BYTES];
    size_t length = append_printable(line, 0, label);
    length = append_printable(line, length, ": ");
    length = append_printable(line, length, text);
    line[length++] = '\n';
    pt_message_erase_live();
    write_all(line, length);
}

static void log_line(void *context, enum pt_log_level level, const char *text)
{
    (void)context;
    if (is_quiet || (level == PT_LOG_VERBOSE && !is_verbose))
        return;
    if (level != PT_LOG_WARNING) {
        pt_message_line(text);
        return;
    }
    char line[LINE_BYTES];
    snprintf(line, sizeof line, "warning: %s", text);
    pt_message_line(line);
}

void pt_messages_start(const char *tool, bool quiet, bool verbose)
{
    tool_name = tool;
    is_quiet = quiet;
    is_verbose = verbose;
    pt_log_set_sink(log_line, NULL);
}

void pt_message_line(const char *line)
{
    write_line(tool_name, line);
}

void pt_message_error(const struct pt_error *err, const char *closing)
{
    pt_message_line(err->message);
    if (err->hint[0])
        write_line("hint", err->hint);
    if (closing)
        dprintf(STDERR_FILENO, "%s\n", closing);
}

void pt_message_live(const char *text)
{
    pt_message_erase_live();
    if (!text[0])
        return;
    struct winsize size;
    size_t columns = DEFAULT_COLUMNS;
    if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col)
        columns = size.ws_col;
    char line[LINE_BYTES];
    size_t length = append_printable(line, 0, text);
    /* Live text is ASCII: a byte is a column. The last column stays free, where some terminals wrap. */
    if (length >= columns)
        length = columns - 1;
    live_line_shown = true;
    write_all(line, length);
}

void pt_message_erase_live(void)
{
    if (!live_line_shown)
        return;
    live_line_shown = false;
    write_all(ERASE_LINE, sizeof ERASE_LINE - 1);
}

static char *copy_text(char *to, const char *end, const char *text)
{
    while (*text && to < end)
        *to++ = *text++;
    return to;
}

void pt_message_dying(const char *line)
{
    char text[256], *const last = text + sizeof text - 1;
    char *end = copy_text(text, last, tool_name);
    end = copy_text(end, last, ": ");
    end = copy_text(end, last, line);
    *end++ = '\n';
    pt_message_erase_live();
    write_all(text, (size_t)(end - text));
}
