/*
 * One pass over the pattern. Literals come out as hexadecimal escapes, so that no character can mean
 * something to PCRE2 that it did not mean to Oniguruma. Syntax: Oniguruma's doc/RE; classes: Unicode's
 * White_Space, and its Word of UTS 18.
 */
#include "text/oniguruma.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#define WHITE_SPACE                                                                                      \
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{" \
    "3000}"
#define NOT_WHITE_SPACE                                                                                    \
    "\\x00-\\x08\\x0e-\\x1f\\x21-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{" \
    "2027}\\x{202a}-\\x{202e}"                                                                             \
    "\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{10ffff}"
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
/* Outside of brackets Oniguruma goes by a table of Latin-1, where superscript digits and fractions are word
 * characters too. */
#define WORD_OUTSIDE WORD "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
/* With the marks that Oniguruma's newer Unicode calls alphabetic and PCRE2's does not. */
#define ALPHABETIC \
    "\\p{Alphabetic}\\x{363}-\\x{36f}\\x{c04}\\x{f82}\\x{f83}\\x{1dd3}-\\x{1de6}\\x{11080}\\x{11081}"
#define HEX_DIGIT "0-9a-fA-F"

struct translation {
    const char *pattern, *next, *end;
    struct pt_buffer *out;
    struct pt_error *err;
    int depth;                  /* of groups */
    int caseless_depth;         /* the group whose inside ignores case, 0: none */
    uint32_t previous_caseless; /* the literal just put inside such a group, 0: none */
};

static int refuse(struct translation *t, const char *what)
{
    return pt_fail(t->err, PT_MISMATCH, "pattern \"%.200s\": %s not supported (at byte %td)", t->pattern,
                   what, t->next - t->pattern);
}

static int put(struct translation *t, const char *text)
{
    return pt_buffer_append_string(t->out, text, t->err);
}

static bool is_letter_or_mark(uint32_t point)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)point);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_ME;
}

/* Where case is ignored, Oniguruma also takes one character for several ("ss" matches U+00DF), which PCRE2
 * does not. */
static bool may_fold_to_one(uint32_t first, uint32_t second)
{
    static const char pairs[] = "ss ff fi fl st ";
    if (first >= 0x80 || second >= 0x80 || first < 'A' || second < 'A')
        return false;
    char pair[] = {(char)(first | 0x20), (char)(second | 0x20), ' ', 0};
    return strstr(pairs, pair) != NULL;
}

static int put_literal(struct translation *t, uint32_t point)
{
    if (!t->caseless_depth) {
        t->previous_caseless = 0;
    } else {
        if ((point >= 0x80 && is_letter_or_mark(point)) || may_fold_to_one(t->previous_caseless, point))
            return refuse(t, "ignoring the case of letters that fold to several is");
        t->previous_caseless = point;
    }
    return pt_buffer_append_format(t->out, t->err, "\\x{%x}", point);
}

static int take_literal(struct translation *t, uint32_t *point)
{
    size_t n = pt_utf8_decode(t->next, (size_t)(t->end - t->next), point);
    if (!n)
        return pt_fail(t->err, PT_BAD_INPUT, "pattern \"%.200s\": not UTF-8", t->pattern);
    t->next += n;
    return PT_OK;
}

static bool next_is(const struct translation *t, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(t->end - t->next) >= n && memcmp(t->next, text, n) == 0;
}

/* The number behind \x or \u: "41", "{1F600}" or exactly four digits. */
static int take_code_point(struct translation *t, char kind, uint32_t *point)
{
    char digits[9] = "";
    bool braces = kind == 'x' && next_is(t, "{");
    size_t most = braces ? 8 : kind == 'x' ? 2 : 4, n = 0;
    t->next += braces;
    while (n < most && t->next < t->end && *t->next && strchr("0123456789abcdefABCDEF", *t->next))
        digits[n++] = *t->next++;
    *point = (uint32_t)strtoul(digits, NULL, 16);
    bool closed = !braces || (t->next < t->end && *t->next++ == '}');
    if (n == 0 || (kind == 'u' && n != 4) || !closed || *point > 0x10ffff ||
        (*point >= 0xd800 && *point <= 0xdfff) || (!braces && kind == 'x' && *point >= 0x80))
        return refuse(t, "this character code is");
    return PT_OK;
}

static bool is_general_category(const char *name, size_t n)
{
    static const char names[] = " C Cc Cf Cn Co L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po "
                                "Ps S Sc Sk Sm So Z Zl Zp Zs ";
    char wanted[8];
    if (n == 0 || n > 2)
        return false;
    snprintf(wanted, sizeof wanted, " %.*s ", (int)n, name);
    return strstr(names, wanted) != NULL;
}

/* Behind \p or \P. Scripts are asked for as such: PCRE2 would take a bare name for the script's extensions.
 */
static int put_property(struct translation *t, bool negated)
{
    const char *close = next_is(t, "{") ? memchr(t->next, '}', (size_t)(t->end - t->next)) : NULL;
    if (!close)
        return refuse(t, "a property without braces is");
    const char *name = t->next + 1;
    if (*name == '^') {
        negated = !negated;
        name++;
    }
    size_t n = (size_t)(close - name);
    bool category = is_general_category(name, n);
    if (t->caseless_depth && category && n == 2 && *name == 'L')
        return refuse(t, "a case property where case is ignored is");
    for (size_t i = 0; i < n; i++)
        if (!((name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z') && name[i] != '_')
            return refuse(t, "this property is");
    static const char *const others[] = {"Alphabetic", "Word",  "Alpha", "Any",   "Punct",
                                         "Space",      "Upper", "Lower", "Digit", "Alnum"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strlen(others[i]) == n && strncasecmp(others[i], name, n) == 0)
            return refuse(t, "this property is");
    t->next = close + 1;
    return pt_buffer_append_format(t->out, t->err, "\\%c{%s%.*s}", negated ? 'P' : 'p',
                                   category ? "" : "sc:", (int)n, name);
}

/* A character that a backslash names: a control, a code, or punctuation. *known = false where `c` is none. */
static int take_escaped_literal(struct translation *t, char c, uint32_t *point, bool *known)
{
    static const char from[] = "tnrfvae", to[] = "\t\n\r\f\v\a\033";
    const char *control = c ? strchr(from, c) : NULL;
    *known = true;
    *point = control ? (uint32_t)to[control - from] : (uint32_t)(uint8_t)c;
    if (control)
        return PT_OK;
    if (c == 'x' || c == 'u')
        return take_code_point(t, c, point);
    if ((uint8_t)c >= 0x80) {
        t->next--;
        return take_literal(t, point);
    }
    *known = !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
    return PT_OK;
}

/* The letter behind a backslash where it is a shorthand for a class, in a form for inside of brackets. */
static const char *class_shorthand(char c)
{
    switch (c) {
    case 's':
        return WHITE_SPACE;
    case 'S':
        return NOT_WHITE_SPACE;
    case 'd':
        return "\\p{Nd}";
    case 'D':
        return "\\P{Nd}";
    case 'w':
        return WORD;
    case 'h':
        return HEX_DIGIT;
    default:
        return NULL;
    }
}

/* A shorthand or assertion outside of brackets. */
static const char *outside_shorthand(char c)
{
    switch (c) {
    case 'w':
        return "[" WORD_OUTSIDE "]";
    case 'W':
        return "[^" WORD_OUTSIDE "]";
    case 'H':
        return "[^" HEX_DIGIT "]";
    case 'b':
        return "(?:(?<=[" WORD_OUTSIDE "])(?![" WORD_OUTSIDE "])|(?<![" WORD_OUTSIDE "])(?=[" WORD_OUTSIDE
               "]))";
    case 'A':
        return "\\A";
    case 'z':
        return "\\z";
    case 'Z':
        return "\\Z";
    default:
        return NULL;
    }
}

static int escape_outside(struct translation *t)
{
    if (t->next == t->end)
        return refuse(t, "a backslash at the end is");
    char c = *t->next++;
    if (c == 'p' || c == 'P')
        return put_property(t, c == 'P');
    const char *inside = class_shorthand(c), *outside = outside_shorthand(c);
    if (outside)
        return put(t, outside);
    if (inside)
        return pt_buffer_append_format(t->out, t->err, "[%s]", inside);
    uint32_t point;
    bool known;
    if (take_escaped_literal(t, c, &point, &known))
        return (int)t->err->status;
    return known ? put_literal(t, point) : refuse(t, "this escape is");
}

static int posix_class(struct translation *t)
{
    static const char *const names[][2] = {{"[:space:]", WHITE_SPACE},
                                           {"[:digit:]", "\\p{Nd}"},
                                           {"[:alpha:]", ALPHABETIC},
                                           {"[:alnum:]", ALPHABETIC "\\p{Nd}"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (next_is(t, names[i][0])) {
            t->next += strlen(names[i][0]);
            return put(t, names[i][1]);
        }
    return refuse(t, "this POSIX class is");
}

/* One member of a class: *literal = false where it is a class of its own, which is then put. */
static int take_member(struct translation *t, uint32_t *point, bool *literal)
{
    *literal = true;
    if (*t->next != '\\')
        return take_literal(t, point);
    if (++t->next == t->end)
        return refuse(t, "a backslash at the end is");
    char c = *t->next++;
    *literal = false;
    if (c == 'p' || c == 'P')
        return put_property(t, c == 'P');
    const char *shorthand = class_shorthand(c);
    if (shorthand)
        return put(t, shorthand);
    if (take_escaped_literal(t, c, point, literal))
        return (int)t->err->status;
    if (c == 'b') {
        *literal = true;
        *point = '\b';
    }
    return *literal ? PT_OK : refuse(t, "this escape in a class is");
}

/* A literal that may begin a range. */
static int put_member_or_range(struct translation *t, uint32_t first)
{
    uint32_t last;
    bool literal;
    t->previous_caseless = 0;
    if (put_literal(t, first))
        return (int)t->err->status;
    if (!next_is(t, "-") || t->next + 1 == t->end || t->next[1] == ']')
        return PT_OK;
    t->next++;
    if (*t->next == '[')
        return refuse(t, "a range that ends in a class is");
    if (put(t, "-") || take_member(t, &last, &literal))
        return (int)t->err->status;
    if (!literal || last < first)
        return refuse(t, "this range is");
    t->previous_caseless = 0;
    return put_literal(t, last);
}

/* The members of a class up to its closing bracket; those of classes inside of it join in. */
static int class_members(struct translation *t, int depth)
{
    if (next_is(t, "]") || depth > 8)
        return refuse(t, "this class is");
    while (t->next < t->end && *t->next != ']') {
        uint32_t point;
        bool literal;
        if (next_is(t, "&&"))
            return refuse(t, "an intersection of classes is");
        if (next_is(t, "[:")) {
            if (posix_class(t))
                return (int)t->err->status;
            continue;
        }
        if (next_is(t, "[^"))
            return refuse(t, "a negated class inside of a class is");
        if (next_is(t, "[")) {
            t->next++;
            if (class_members(t, depth + 1))
                return (int)t->err->status;
            continue;
        }
        if (take_member(t, &point, &literal) || (literal && put_member_or_range(t, point)))
            return (int)t->err->status;
        if (!literal && next_is(t, "-") && t->next + 1 < t->end && t->next[1] != ']')
            return refuse(t, "a range that begins with a class is");
    }
    if (t->next == t->end)
        return refuse(t, "a class without end is");
    t->next++;
    t->previous_caseless = 0;
    return PT_OK;
}

static int class_outside(struct translation *t)
{
    bool negated = next_is(t, "^");
    t->next += negated;
    if (put(t, negated ? "[^" : "[") || class_members(t, 0))
        return (int)t->err->status;
    return put(t, "]");
}

/* A literal in front of a group or of a repeat, or the last one in a group, may fold together with what comes
 * behind: Oniguruma joins "(?:s)t" and "s{1}t". */
static int open_group(struct translation *t)
{
    static const char *const kinds[] = {"?:", "?=", "?!", "?<=", "?<!", "?>", "?i:"};
    t->depth++;
    if (!next_is(t, "?"))
        return put(t, "(");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (next_is(t, kinds[i])) {
            t->next += strlen(kinds[i]);
            if (kinds[i][1] == 'i' && !t->caseless_depth)
                t->caseless_depth = t->depth;
            return pt_buffer_append_format(t->out, t->err, "(%s", kinds[i]);
        }
    return refuse(t, "this kind of group is");
}

static int close_group(struct translation *t)
{
    if (t->caseless_depth == t->depth)
        t->caseless_depth = 0;
    t->depth--;
    return put(t, ")");
}

/* Behind an opening brace: a bounded repeat, or the brace itself. */
static int brace(struct translation *t)
{
    const char *p = t->next;
    while (p < t->end && ((*p >= '0' && *p <= '9') || *p == ','))
        p++;
    if (p == t->next || p == t->end || *p != '}')
        return put_literal(t, '{');
    if (*t->next == ',')
        return refuse(t, "a repeat without its least number is");
    if (p + 1 < t->end && (p[1] == '+' || p[1] == '*' || p[1] == '?' || p[1] == '{'))
        return refuse(t, "a repeat of a repeat is");
    int status = pt_buffer_append_format(t->out, t->err, "{%.*s", (int)(p + 1 - t->next), t->next);
    t->next = p + 1;
    return status;
}

static int translate_one(struct translation *t)
{
    char c = *t->next;
    if (!c || !strchr("\\[(){*+?|^$.", c)) {
        uint32_t point;
        return take_literal(t, &point) ? (int)t->err->status : put_literal(t, point);
    }
    t->next++;
    switch (c) {
    case '\\':
        return escape_outside(t);
    case '[':
        return class_outside(t);
    case '(':
        return open_group(t);
    case ')':
        return close_group(t);
    case '{':
        return brace(t);
    default:
        t->previous_caseless = 0;
        return put(t, (char[]){c, 0});
    }
}

int pt_pattern_translate(const char *pattern, size_t n, struct pt_buffer *out, struct pt_error *err)
{
    struct translation t = {.pattern = pattern, .next = pattern, .end = pattern + n, .out = out, .err = err};
    while (t.next < t.end)
        if (translate_one(&t))
            return (int)err->status;
    return PT_OK;
}
