/*
 * Matches are found with PCRE2 (compiled just in time where it can be) or by hand, and turned into pieces by
 * the behaviour.
 */
#include "text/split.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/oniguruma.h"
#include "text/split_bloom.h"
#include "text/split_words.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

struct pt_split {
    pcre2_code *code;                    /* NULL: by hand, */
    const struct pt_word_pattern *words; /* one of GPT-2's family; NULL: BLOOM's pattern */
    enum pt_split_behavior behavior;
    bool invert;
};

struct pt_splitter {
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    struct pt_letter_classes *classes;
};

enum { JIT_STACK_START = 32 << 10, JIT_STACK_MOST = 64 << 20 };

int pt_spans_grow(struct pt_spans *spans, struct pt_error *err)
{
    return pt_reserve(&spans->data, &spans->capacity, spans->n + 1, sizeof *spans->data, err);
}

void pt_spans_free(struct pt_spans *spans)
{
    free(spans->data);
    *spans = (struct pt_spans){0};
}

static int compile(struct pt_split *split, const char *pattern, size_t n, bool literal, const char *name,
                   struct pt_error *err)
{
    int number;
    PCRE2_SIZE at;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context)
        return pt_fail(err, PT_FAILED, "out of memory");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    uint32_t options =
        PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C);
    split->code = pcre2_compile((PCRE2_SPTR)pattern, n, options, &number, &at, context);
    pcre2_compile_context_free(context);
    if (!split->code) {
        PCRE2_UCHAR reason[120];
        pcre2_get_error_message(number, reason, sizeof reason);
        return pt_fail(err, PT_MISMATCH, "pattern \"%.200s\" is not supported: %s", name,
                       (const char *)reason);
    }
    /* Where compiling just in time is not possible, matching is merely slower. */
    pcre2_jit_compile(split->code, PCRE2_JIT_COMPLETE);
    return PT_OK;
}

int pt_split_new(struct pt_split **out, const char *pattern, size_t n, bool literal,
                 enum pt_split_behavior behavior, bool invert, struct pt_error *err)
{
    struct pt_split *split = pt_new_array(1, sizeof *split, err);
    struct pt_buffer translated = {0};
    if (!split)
        return (int)err->status;
    split->behavior = behavior;
    split->invert = invert;
    bool pattern_alone = !literal && !invert && behavior == PT_SPLIT_ISOLATED;
    split->words = pattern_alone ? pt_word_pattern_of(pattern) : NULL;
    bool by_hand = split->words || (pattern_alone && strcmp(pattern, pt_bloom_pattern) == 0);
    if (!by_hand && !literal && !pt_pattern_translate(pattern, n, &translated, err))
        compile(split, translated.data ? translated.data : "", translated.size, false, pattern, err);
    else if (!by_hand && literal)
        compile(split, pattern, n, true, pattern, err);
    pt_buffer_free(&translated);
    if (err->status) {
        pt_split_free(split);
        return (int)err->status;
    }
    *out = split;
    return PT_OK;
}

void pt_split_free(struct pt_split *split)
{
    if (!split)
        return;
    pcre2_code_free(split->code);
    free(split);
}

int pt_splitter_new(struct pt_splitter **out, struct pt_error *err)
{
    struct pt_splitter *splitter = pt_new_array(1, sizeof *splitter, err);
    if (!splitter)
        return (int)err->status;
    splitter->match = pcre2_match_data_create(1, NULL);
    splitter->context = pcre2_match_context_create(NULL);
    /* NULL where there is no compiling just in time: then none is needed. */
    splitter->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MOST, NULL);
    if (!splitter->match || !splitter->context || pt_letter_classes_new(&splitter->classes, err)) {
        pt_splitter_free(splitter);
        return pt_fail(err, PT_FAILED, "out of memory");
    }
    if (splitter->stack)
        pcre2_jit_stack_assign(splitter->context, NULL, splitter->stack);
    *out = splitter;
    return PT_OK;
}

void pt_splitter_free(struct pt_splitter *splitter)
{
    if (!splitter)
        return;
    pcre2_match_data_free(splitter->match);
    pcre2_match_context_free(splitter->context);
    pcre2_jit_stack_free(splitter->stack);
    pt_letter_classes_free(splitter->classes);
    free(splitter);
}

/*
 * The next match at or behind *search. An empty one right behind the previous match does not count (the
 * search goes on one character later).
 */
static int next_match(const struct pt_split *split, struct pt_splitter *splitter, const char *text, size_t n,
                      size_t *search, size_t previous_end, struct pt_span *found, struct pt_error *err)
{
    *found = (struct pt_span){n, n};
    while (*search <= n) {
        int count = pcre2_match(split->code, (PCRE2_SPTR)text, n, *search, PCRE2_NO_UTF_CHECK,
                                splitter->match, splitter->context);
        if (count == PCRE2_ERROR_NOMATCH)
            break;
        if (count < 0) {
            PCRE2_UCHAR reason[120];
            pcre2_get_error_message(count, reason, sizeof reason);
            return pt_fail(err, PT_BAD_INPUT, "a text of %zu bytes cannot be split: %s", n,
                           (const char *)reason);
        }
        const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(splitter->match);
        if (offsets[0] != offsets[1] || offsets[1] != previous_end) {
            *found = (struct pt_span){offsets[0], offsets[1]};
            *search = offsets[1];
            return PT_OK;
        }
        size_t step = pt_utf8_decode(text + *search, n - *search, NULL);
        *search += step ? step : 1;
    }
    *search = n + 1;
    return PT_OK;
}

/* A stretch that matched, or did not, on its way to becoming a piece. */
struct stretch_state {
    bool any, last_matched;
};

static int add_stretch(const struct pt_split *split, struct stretch_state *state, struct pt_span stretch,
                       bool matched, struct pt_spans *pieces, struct pt_error *err)
{
    matched ^= split->invert;
    bool join = false;
    switch (split->behavior) {
    case PT_SPLIT_REMOVED:
        if (matched)
            return PT_OK;
        break;
    case PT_SPLIT_ISOLATED:
        break;
    case PT_SPLIT_CONTIGUOUS:
        join = state->any && matched == state->last_matched;
        break;
    case PT_SPLIT_MERGED_WITH_PREVIOUS:
        join = state->any && matched && !state->last_matched;
        break;
    case PT_SPLIT_MERGED_WITH_NEXT:
        join = state->any && !matched && state->last_matched;
        break;
    }
    *state = (struct stretch_state){true, matched};
    if (join) {
        pieces->data[pieces->n - 1].end = stretch.end;
        return PT_OK;
    }
    return pt_spans_push(pieces, stretch.begin, stretch.end, err);
}

/* Empty pieces are left out only now: until here they may join others. */
static void drop_empty(struct pt_spans *pieces, size_t from)
{
    size_t kept = from;
    for (size_t i = from; i < pieces->n; i++)
        if (pieces->data[i].begin < pieces->data[i].end)
            pieces->data[kept++] = pieces->data[i];
    pieces->n = kept;
}

int pt_split_apply(const struct pt_split *split, struct pt_splitter *splitter, const char *text,
                   struct pt_span piece, struct pt_spans *pieces, struct pt_error *err)
{
    if (split->words)
        return pt_split_words(split->words, splitter->classes, text, piece, pieces, err);
    if (!split->code)
        return pt_split_bloom(text, piece, pieces, err);
    size_t n = piece.end - piece.begin, from = pieces->n, search = 0, done = 0, previous_end = SIZE_MAX;
    struct stretch_state state = {0};
    text += piece.begin;
    while (n > 0 && search <= n) {
        struct pt_span match;
        if (next_match(split, splitter, text, n, &search, previous_end, &match, err))
            return (int)err->status;
        struct pt_span between = {piece.begin + done, piece.begin + match.begin};
        if (between.begin < between.end && add_stretch(split, &state, between, false, pieces, err))
            return (int)err->status;
        if (search > n)
            break;
        if (add_stretch(split, &state, (struct pt_span){piece.begin + match.begin, piece.begin + match.end},
                        true, pieces, err))
            return (int)err->status;
        done = previous_end = match.end;
    }
    drop_empty(pieces, from);
    return PT_OK;
}
