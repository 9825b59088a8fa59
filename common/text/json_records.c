/*
 * A window slides over the source. A record ends where its brackets close outside of strings; the scan
 * remembers where it was, so each byte is looked at once although the window may have to grow.
 */
#include "text/json_records.h"

#include "text/json_scan.h"

#include <string.h>

enum { READ_BYTES = 256 << 10, DEEPEST = 200 };
#define LARGEST_RECORD ((size_t)1 << 30)

void pt_json_records_init(struct pt_json_records *records, struct pt_source *source)
{
    *records = (struct pt_json_records){.source = source, .line = 1};
}

void pt_json_records_free(struct pt_json_records *records)
{
    pt_buffer_free(&records->window);
}

/* Reads more behind the window, whose taken part goes. */
static int refill(struct pt_json_records *records, struct pt_error *err)
{
    struct pt_buffer *window = &records->window;
    if (records->at > 0) {
        memmove(window->data, window->data + records->at, window->size - records->at);
        window->size -= records->at;
        records->offset += records->at;
        records->at = 0;
    }
    if (window->size > LARGEST_RECORD)
        return pt_fail(err, PT_BAD_INPUT, "line %llu: a record of more than 1 GiB",
                       (unsigned long long)records->line);
    /* In steps that grow with a long record, so that moving it stays cheap. */
    size_t n = window->size / 2 > READ_BYTES ? window->size / 2 : READ_BYTES, got;
    if (pt_buffer_reserve(window, n, err) ||
        pt_source_read(records->source, window->data + window->size, n, &got, err))
        return (int)err->status;
    window->size += got;
    window->data[window->size] = 0;
    records->at_end = got < n;
    return PT_OK;
}

/* The next byte that is no white space, not taken; -1 at the end. */
static int next_byte(struct pt_json_records *records, int *byte, struct pt_error *err)
{
    for (;;) {
        for (; records->at < records->window.size; records->at++) {
            char c = records->window.data[records->at];
            if (c == '\n')
                records->line++;
            else if (c != ' ' && c != '\t' && c != '\r') {
                *byte = (uint8_t)c;
                return PT_OK;
            }
        }
        *byte = -1;
        if (records->at_end)
            return PT_OK;
        if (refill(records, err))
            return (int)err->status;
    }
}

struct scan {
    size_t n, depth; /* bytes scanned; brackets open */
    bool in_string, escaped, too_deep;
    uint64_t lines;
};

enum scanned { SCAN_MORE, SCAN_DONE, SCAN_BROKEN };

static enum scanned scan_byte(struct scan *scan, char c)
{
    if (scan->in_string) {
        if (c == '\n')
            return SCAN_BROKEN;
        if (scan->escaped)
            scan->escaped = false;
        else if (c == '\\')
            scan->escaped = true;
        else if (c == '"')
            scan->in_string = false;
        return SCAN_MORE;
    }
    switch (c) {
    case '"':
        scan->in_string = true;
        break;
    case '{':
    case '[':
        scan->too_deep |= ++scan->depth > DEEPEST;
        break;
    case '}':
    case ']':
        if (--scan->depth == 0)
            return SCAN_DONE;
        break;
    case '\n':
        scan->lines++;
        break;
    default:
        break;
    }
    return SCAN_MORE;
}

/* Goes on with the scan to the end of the window. */
static enum scanned scan_window(struct scan *scan, const char *text, size_t n)
{
    while (scan->n < n) {
        if (scan->in_string && !scan->escaped) {
            /* Most of a record is the inside of strings. */
            scan->n = (size_t)(pt_json_string_stop(text + scan->n, text + n) - text);
            if (scan->n == n)
                break;
        }
        enum scanned state = scan_byte(scan, text[scan->n]);
        if (state == SCAN_BROKEN)
            return state;
        scan->n++;
        if (state == SCAN_DONE)
            return state;
    }
    return SCAN_MORE;
}

/* Takes a value that is neither an object nor an array: up to white space, a comma or a bracket. */
static int take_scalar(struct pt_json_records *records, struct pt_json_record *record, struct pt_error *err)
{
    size_t n = 0;
    for (;; n++) {
        if (records->at + n == records->window.size) {
            if (records->at_end)
                break;
            if (refill(records, err))
                return (int)err->status;
            if (records->at + n == records->window.size)
                break;
        }
        if (n > 0 && strchr(" \t\r\n,]}[{", records->window.data[records->at + n]))
            break;
    }
    *record = (struct pt_json_record){records->window.data + records->at, n, records->line,
                                      records->offset + records->at};
    records->at += n;
    return PT_OK;
}

static int take_value(struct pt_json_records *records, struct pt_json_record *record, bool *resumed,
                      struct pt_error *err)
{
    struct scan scan = {0};
    uint64_t line = records->line;
    for (;;) {
        enum scanned state =
            scan_window(&scan, records->window.data + records->at, records->window.size - records->at);
        if (state == SCAN_DONE)
            break;
        if (state == SCAN_BROKEN) {
            records->at += scan.n;
            records->line += scan.lines;
            *resumed = !records->in_array;
            return pt_fail(err, PT_BAD_INPUT, "line %llu: a string is not closed at the end of the line",
                           (unsigned long long)records->line);
        }
        if (records->at_end)
            return pt_fail(err, PT_BAD_INPUT, "line %llu: the input ends in the middle of this record",
                           (unsigned long long)line);
        if (refill(records, err))
            return (int)err->status;
    }
    *record = (struct pt_json_record){records->window.data + records->at, scan.n, line,
                                      records->offset + records->at};
    records->at += scan.n;
    records->line += scan.lines;
    if (scan.too_deep) {
        *resumed = true;
        return pt_fail(err, PT_BAD_INPUT, "line %llu: nested deeper than %d", (unsigned long long)line,
                       DEEPEST);
    }
    return PT_OK;
}

static int unexpected(const struct pt_json_records *records, int byte, const char *expected,
                      struct pt_error *err)
{
    if (byte < 0)
        return pt_fail(err, PT_BAD_INPUT, "line %llu: the input ends where %s should be",
                       (unsigned long long)records->line, expected);
    return pt_fail(err, PT_BAD_INPUT,
                   byte >= 0x20 && byte < 0x7f ? "line %llu: expected %s, found '%c'"
                                               : "line %llu: expected %s, found byte 0x%02x",
                   (unsigned long long)records->line, expected, byte);
}

/* Brackets and commas of the array up to the next record. *end: there is none in this array. */
static int step_in_array(struct pt_json_records *records, int *byte, bool *end, struct pt_error *err)
{
    bool first = records->at_start, after_comma = false;
    if (!first && *byte == ',') {
        records->at++;
        after_comma = true;
        if (next_byte(records, byte, err))
            return (int)err->status;
    }
    if (*byte == ']' && !after_comma) {
        records->at++;
        records->in_array = false;
        *end = true;
        return PT_OK;
    }
    if (!first && !after_comma)
        return unexpected(records, *byte, "',' or ']' behind a record", err);
    records->at_start = false;
    return PT_OK;
}

int pt_json_records_next(struct pt_json_records *records, struct pt_json_record *record, bool *end,
                         bool *resumed, struct pt_error *err)
{
    int byte;
    *end = *resumed = false;
    for (;;) {
        bool array_ended = false;
        if (next_byte(records, &byte, err))
            return (int)err->status;
        if (records->in_array) {
            if (step_in_array(records, &byte, &array_ended, err))
                return (int)err->status;
        } else if (byte == '[') {
            records->at++;
            records->in_array = records->at_start = true;
            continue;
        }
        if (!array_ended)
            break;
    }
    if (byte < 0 && !records->in_array) {
        *end = true;
        return PT_OK;
    }
    if (byte < 0 || strchr(",]}:\"", byte))
        return unexpected(records, byte, "a record", err);
    bool container = byte == '{' || byte == '[';
    return container ? take_value(records, record, resumed, err) : take_scalar(records, record, err);
}
