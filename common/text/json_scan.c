/*
 * Walks over JSON by brackets and strings. Memory is bounded by nothing but the text itself, and every byte
 * is looked at once.
 */
#include "text/json_scan.h"

#include "base/utf8.h"

#include <string.h>

static void skip_blanks(struct pt_json_scan *scan)
{
    while (scan->next < scan->end &&
           (*scan->next == ' ' || *scan->next == '\n' || *scan->next == '\r' || *scan->next == '\t'))
        scan->next++;
}

static bool take(struct pt_json_scan *scan, char c)
{
    skip_blanks(scan);
    if (scan->next == scan->end || *scan->next != c)
        return false;
    scan->next++;
    return true;
}

bool pt_json_scan_begin(struct pt_json_scan *scan, struct pt_json_slice container, char bracket)
{
    *scan = (struct pt_json_scan){container.text, container.text + container.n, false};
    return take(scan, bracket);
}

/* Behind the opening quotation mark: takes up to and with the closing one. */
static bool skip_string(struct pt_json_scan *scan, struct pt_json_slice *inside)
{
    const char *start = scan->next;
    for (const char *p = start; p < scan->end; p++) {
        if (*p == '\\') {
            p++;
        } else if (*p == '"') {
            *inside = (struct pt_json_slice){start, (size_t)(p - start)};
            scan->next = p + 1;
            return true;
        }
    }
    return false;
}

/* Behind an opening bracket: takes up to and with the one that closes it. */
static bool skip_container(struct pt_json_scan *scan)
{
    struct pt_json_slice string;
    for (size_t depth = 1; scan->next < scan->end;) {
        char c = *scan->next++;
        if (c == '"') {
            if (!skip_string(scan, &string))
                return false;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return true;
        }
    }
    return false;
}

static bool skip_value(struct pt_json_scan *scan, struct pt_json_slice *value)
{
    skip_blanks(scan);
    const char *start = scan->next;
    if (start == scan->end)
        return false;
    struct pt_json_slice string;
    scan->next++;
    if (*start == '"') {
        if (!skip_string(scan, &string))
            return false;
    } else if (*start == '{' || *start == '[') {
        if (!skip_container(scan))
            return false;
    } else {
        while (scan->next < scan->end && !strchr(",]} \n\r\t", *scan->next))
            scan->next++;
    }
    *value = (struct pt_json_slice){start, (size_t)(scan->next - start)};
    return true;
}

/* Between elements: a comma, or the closing bracket. */
static enum pt_json_scanned next_element(struct pt_json_scan *scan, char closing)
{
    if (take(scan, closing))
        return PT_JSON_END;
    if (scan->begun && !take(scan, ','))
        return PT_JSON_MALFORMED;
    scan->begun = true;
    return PT_JSON_ELEMENT;
}

enum pt_json_scanned pt_json_scan_pair(struct pt_json_scan *scan, struct pt_json_slice *key,
                                       struct pt_json_slice *value)
{
    enum pt_json_scanned found = next_element(scan, '}');
    if (found != PT_JSON_ELEMENT)
        return found;
    bool whole = take(scan, '"') && skip_string(scan, key) && take(scan, ':') && skip_value(scan, value);
    return whole ? PT_JSON_ELEMENT : PT_JSON_MALFORMED;
}

enum pt_json_scanned pt_json_scan_element(struct pt_json_scan *scan, struct pt_json_slice *value)
{
    enum pt_json_scanned found = next_element(scan, ']');
    if (found != PT_JSON_ELEMENT)
        return found;
    return skip_value(scan, value) ? PT_JSON_ELEMENT : PT_JSON_MALFORMED;
}

bool pt_json_scan_string(struct pt_json_slice value, struct pt_json_slice *inside)
{
    if (value.n < 2 || value.text[0] != '"')
        return false;
    *inside = (struct pt_json_slice){value.text + 1, value.n - 2};
    return true;
}

bool pt_json_scan_id(struct pt_json_slice value, uint32_t *id)
{
    if (value.n == 0 || value.n > 9 || (value.n > 1 && value.text[0] == '0'))
        return false;
    uint32_t number = 0;
    for (size_t i = 0; i < value.n; i++) {
        if (value.text[i] < '0' || value.text[i] > '9')
            return false;
        number = number * 10 + (uint32_t)(value.text[i] - '0');
    }
    *id = number;
    return true;
}

/* Four hexadecimal digits. */
static bool hexadecimal(const char *p, const char *end, uint32_t *unit)
{
    if (end - p < 4)
        return false;
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef", *digit = p[i] ? strchr(digits, p[i] | 0x20) : NULL;
        if (!digit || (p[i] < '0'))
            return false;
        *unit = *unit * 16 + (uint32_t)(digit - digits);
    }
    return true;
}

/* The character behind "\u" at *p, a surrogate pair taken as one. */
static bool unicode_escape(const char **p, const char *end, uint32_t *point)
{
    uint32_t low;
    if (!hexadecimal(*p, end, point))
        return false;
    *p += 4;
    if (*point < 0xd800 || *point > 0xdfff)
        return true;
    if (*point > 0xdbff || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' ||
        !hexadecimal(*p + 2, end, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *p += 6;
    *point = 0x10000 + ((*point - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool unescape_one(const char **p, const char *end, struct pt_buffer *scratch)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (*p == end)
        return false;
    char c = *(*p)++;
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        scratch->data[scratch->size++] = to[known - from];
        return true;
    }
    uint32_t point;
    if (c != 'u' || !unicode_escape(p, end, &point))
        return false;
    scratch->size += pt_utf8_encode(point, scratch->data + scratch->size);
    return true;
}

bool pt_json_scan_unescape_into(struct pt_json_slice raw, struct pt_buffer *out)
{
    for (const char *p = raw.text, *end = raw.text + raw.n; p < end;) {
        const char *escape = memchr(p, '\\', (size_t)(end - p));
        size_t n = (size_t)((escape ? escape : end) - p);
        memcpy(out->data + out->size, p, n);
        out->size += n;
        p += n;
        if (escape && (p++, !unescape_one(&p, end, out)))
            return false;
    }
    return true;
}

bool pt_json_scan_unescape(struct pt_json_slice raw, struct pt_buffer *scratch, struct pt_json_slice *text,
                           struct pt_error *err)
{
    *text = raw;
    if (!memchr(raw.text, '\\', raw.n))
        return true;
    scratch->size = 0;
    /* No escape is shorter than what it stands for. */
    if (pt_buffer_reserve(scratch, raw.n, err) || !pt_json_scan_unescape_into(raw, scratch))
        return false;
    *text = (struct pt_json_slice){scratch->data, scratch->size};
    return true;
}

/* The high bit of each byte that is zero; above the lowest one there may be others. */
static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080);
}

const char *pt_json_string_stop(const char *p, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    for (; end - p >= 8; p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        uint64_t control = (word - ones * 0x20) & ~word & (ones * 0x80);
        uint64_t stops = control | zero_bytes(word ^ ones * '"') | zero_bytes(word ^ ones * '\\');
        if (stops)
            return p + __builtin_ctzll(stops) / 8;
    }
    while (p < end && *p != '"' && *p != '\\' && (uint8_t)*p >= 0x20)
        p++;
    return p;
}
