/*
 * A cursor over JSON text that finds where values begin and end without building them: for parts too large
 * for a tree (a vocabulary of 250,000 tokens). It checks the structure it walks over and nothing else; what a
 * slice holds is parsed, and judged, by whoever reads it.
 */
#ifndef PT_TEXT_JSON_SCAN_H
#define PT_TEXT_JSON_SCAN_H

#include "base/buffer.h"

#include <stdbool.h>

struct pt_json_slice {
    const char *text; /* borrowed */
    size_t n;
};

struct pt_json_scan {
    const char *next, *end;
    bool begun; /* inside of the container, behind its first element */
};

/* A scan of the elements of one array or the pairs of one object; false where the slice is neither. */
bool pt_json_scan_begin(struct pt_json_scan *scan, struct pt_json_slice container, char bracket);

enum pt_json_scanned { PT_JSON_ELEMENT, PT_JSON_END, PT_JSON_MALFORMED };

/* The next pair of an object; `key` is the raw text between its quotation marks. */
enum pt_json_scanned pt_json_scan_pair(struct pt_json_scan *scan, struct pt_json_slice *key,
                                       struct pt_json_slice *value);
/* The next element of an array. */
enum pt_json_scanned pt_json_scan_element(struct pt_json_scan *scan, struct pt_json_slice *value);

/* Text of a string value: what stands between its quotation marks; false where it is no string. */
bool pt_json_scan_string(struct pt_json_slice value, struct pt_json_slice *inside);
/* A non-negative whole number of at most 9 digits. */
bool pt_json_scan_id(struct pt_json_slice value, uint32_t *id);

/*
 * The characters that a raw string stands for. Without escapes it is the slice itself, otherwise it is
 * written to scratch. False for a malformed escape or a lone surrogate.
 */
bool pt_json_scan_unescape(struct pt_json_slice raw, struct pt_buffer *scratch, struct pt_json_slice *text,
                           struct pt_error *err) PT_MUST_USE;
/* The same, appended to `out`, which has room for raw.n bytes more. */
bool pt_json_scan_unescape_into(struct pt_json_slice raw, struct pt_buffer *out);

/* The first byte from p on that ends a plain run inside of a string: a quotation mark, a backslash or a
 * control character; `end` if there is none. */
const char *pt_json_string_stop(const char *p, const char *end);

#endif
