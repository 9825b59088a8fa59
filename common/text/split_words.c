/*
 * The alternatives of the pattern are tried in their order, each by walking over one run of characters of a
 * class. Every character is of some class, so matches lie side by side.
 */
#include "text/split_words.h"

#include "base/memory.h"
#include "text/character_class.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/utf8.h"
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

const char pt_gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static const struct pt_word_pattern known_patterns[] = {
    {pt_gpt2_pattern, false, false, false, 0},
    /* GPT-4's cl100k, Llama 3 */
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     true, true, true, 3},
    /* Qwen 2 */
    {"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
     "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     true, true, true, 1},
};
enum { KNOWN_PATTERNS = sizeof known_patterns / sizeof *known_patterns, POINTS = 0x110000 };

enum letter_class { CLASS_UNMET, CLASS_LETTER, CLASS_NUMBER, CLASS_LINE_END, CLASS_SPACE, CLASS_OTHER };

struct pt_letter_classes {
    pcre2_code *letter, *number;
    pcre2_match_data *match;
    uint8_t of[POINTS]; /* enum letter_class */
};

const struct pt_word_pattern *pt_word_pattern_of(const char *pattern)
{
    for (size_t i = 0; i < KNOWN_PATTERNS; i++)
        if (strcmp(known_patterns[i].pattern, pattern) == 0)
            return &known_patterns[i];
    return NULL;
}

static pcre2_code *compile(const char *pattern)
{
    int number;
    PCRE2_SIZE at;
    return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &number, &at,
                         NULL);
}

int pt_letter_classes_new(struct pt_letter_classes **out, struct pt_error *err)
{
    struct pt_letter_classes *classes = pt_new_array(1, sizeof *classes, err);
    if (!classes)
        return (int)err->status;
    classes->letter = compile("\\p{L}");
    classes->number = compile("\\p{N}");
    classes->match = pcre2_match_data_create(1, NULL);
    if (!classes->letter || !classes->number || !classes->match) {
        pt_letter_classes_free(classes);
        return pt_fail(err, PT_FAILED, "out of memory");
    }
    *out = classes;
    return PT_OK;
}

void pt_letter_classes_free(struct pt_letter_classes *classes)
{
    if (!classes)
        return;
    pcre2_code_free(classes->letter);
    pcre2_code_free(classes->number);
    pcre2_match_data_free(classes->match);
    free(classes);
}

static bool matches(struct pt_letter_classes *classes, const pcre2_code *code, const char *text, size_t n)
{
    return pcre2_match(code, (PCRE2_SPTR)text, n, 0, 0, classes->match, NULL) > 0;
}

static enum letter_class meet(struct pt_letter_classes *classes, uint32_t point)
{
    char text[4];
    size_t n = pt_utf8_encode(point, text);
    return point == '\r' || point == '\n'               ? CLASS_LINE_END
           : pt_is_white_space(point)                   ? CLASS_SPACE
           : matches(classes, classes->letter, text, n) ? CLASS_LETTER
           : matches(classes, classes->number, text, n) ? CLASS_NUMBER
                                                        : CLASS_OTHER;
}

/* A piece that is being split. */
struct walk {
    const char *text;
    size_t end;
    struct pt_letter_classes *classes;
};

/* The code point at text[at], which begins a character; *length are its bytes. */
static inline uint32_t point_at(const char *text, size_t at, size_t *length)
{
    const uint8_t *b = (const uint8_t *)text + at;
    if (b[0] < 0x80) {
        *length = 1;
        return b[0];
    }
    if (b[0] < 0xe0) {
        *length = 2;
        return (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
    }
    if (b[0] < 0xf0) {
        *length = 3;
        return (b[0] & 0x0fu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
    }
    *length = 4;
    return (b[0] & 0x07u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 | (b[3] & 0x3fu);
}

/* The class of the character at `at`, CLASS_UNMET at the end. */
static inline enum letter_class class_at(const struct walk *walk, size_t at, size_t *length)
{
    *length = 0;
    if (at >= walk->end)
        return CLASS_UNMET;
    uint32_t point = point_at(walk->text, at, length);
    uint8_t *known = &walk->classes->of[point];
    if (*known == CLASS_UNMET)
        *known = (uint8_t)meet(walk->classes, point);
    return *known;
}

/* Behind the run of at most `most` characters of a class that begins at `at`. */
static inline size_t run_end(const struct walk *walk, size_t at, enum letter_class class, size_t most)
{
    size_t length;
    for (; most > 0 && class_at(walk, at, &length) == class; most--)
        at += length;
    return at;
}

/* Behind 's and its like at `at`, where the text has an apostrophe; `at` if there is none. */
static size_t contraction_end(const struct walk *walk, size_t at, bool any_case)
{
    static const char *const endings[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    const char *p = walk->text + at + 1;
    size_t left = walk->end - at - 1;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(endings[i]);
        if (left >= n && (any_case ? strncasecmp(p, endings[i], n) : strncmp(p, endings[i], n)) == 0)
            return at + 1 + n;
    }
    /* The long s is an s in another case. */
    if (any_case && left >= 2 && memcmp(p, "\xc5\xbf", 2) == 0)
        return at + 3;
    return at;
}

/* Behind the white space that begins at `at`: all of it in front of the end, else all but its last character.
 */
static size_t space_end(const struct walk *walk, size_t at, bool lines)
{
    size_t length, last = at, behind_line = at, end = at;
    for (;; end += length) {
        enum letter_class class = class_at(walk, end, &length);
        if (class != CLASS_SPACE && class != CLASS_LINE_END)
            break;
        last = end;
        if (class == CLASS_LINE_END)
            behind_line = end + length;
    }
    if (lines && behind_line > at)
        return behind_line;
    return end == walk->end || last == at ? end : last;
}

static inline size_t others_end(const struct walk *walk, size_t at, bool lines)
{
    at = run_end(walk, at, CLASS_OTHER, SIZE_MAX);
    return lines ? run_end(walk, at, CLASS_LINE_END, SIZE_MAX) : at;
}

/* Behind the match that begins at `at`. */
static inline size_t match_end(const struct pt_word_pattern *pattern, const struct walk *walk, size_t at)
{
    size_t length, next_length;
    enum letter_class class = class_at(walk, at, &length);
    if (class == CLASS_LETTER)
        return run_end(walk, at + length, CLASS_LETTER, SIZE_MAX);
    if (class == CLASS_NUMBER)
        return run_end(walk, at + length, CLASS_NUMBER,
                       pattern->most_digits ? pattern->most_digits - 1 : SIZE_MAX);
    if (walk->text[at] == '\'') {
        size_t end = contraction_end(walk, at, pattern->any_case);
        if (end > at)
            return end;
    }
    bool blank = walk->text[at] == ' ';
    enum letter_class next = class_at(walk, at + length, &next_length);
    if (next == CLASS_LETTER && (blank || (pattern->any_front && class != CLASS_LINE_END)))
        return run_end(walk, at + length + next_length, CLASS_LETTER, SIZE_MAX);
    if (next == CLASS_NUMBER && blank && !pattern->most_digits)
        return run_end(walk, at + length + next_length, CLASS_NUMBER, SIZE_MAX);
    if (class == CLASS_OTHER || (next == CLASS_OTHER && blank))
        return others_end(walk, at + length, pattern->lines);
    return space_end(walk, at, pattern->lines);
}

int pt_split_words(const struct pt_word_pattern *pattern, struct pt_letter_classes *classes, const char *text,
                   struct pt_span piece, struct pt_spans *pieces, struct pt_error *err)
{
    struct walk walk = {text, piece.end, classes};
    for (size_t at = piece.begin; at < piece.end;) {
        size_t end = match_end(pattern, &walk, at);
        if (pt_spans_push(pieces, at, end, err))
            return (int)err->status;
        at = end;
    }
    return PT_OK;
}
