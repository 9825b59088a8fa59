/*
 * The search jumps from one possible first byte to the next and walks the trie from there. White space that a
 * token takes with it, and the word boundaries it asks for, are judged after the match, as the reference does
 * it: a match that fails them is passed over whole.
 */
#include "text/added_tokens.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/character_class.h"

#include <stdlib.h>
#include <string.h>

void pt_token_matcher_free(struct pt_token_matcher *matcher)
{
    free(matcher->nodes);
    *matcher = (struct pt_token_matcher){0};
}

static int new_node(struct pt_token_matcher *matcher, uint8_t byte, struct pt_error *err)
{
    if (pt_reserve(&matcher->nodes, &matcher->capacity, matcher->n_nodes + 1, sizeof *matcher->nodes, err))
        return (int)err->status;
    matcher->nodes[matcher->n_nodes++] = (struct pt_trie_node){0, 0, PT_NO_TOKEN, byte};
    return PT_OK;
}

static uint32_t child_of(const struct pt_token_matcher *matcher, uint32_t node, uint8_t byte)
{
    uint32_t child = matcher->nodes[node].child;
    while (child && matcher->nodes[child].byte != byte)
        child = matcher->nodes[child].sibling;
    return child;
}

int pt_token_matcher_add(struct pt_token_matcher *matcher, const char *pattern, size_t n, uint32_t token,
                         struct pt_error *err)
{
    if (n == 0)
        return PT_OK;
    if (!matcher->n_nodes && new_node(matcher, 0, err))
        return (int)err->status;
    uint32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)pattern[i];
        uint32_t child = child_of(matcher, node, byte);
        if (!child) {
            child = (uint32_t)matcher->n_nodes;
            if (new_node(matcher, byte, err))
                return (int)err->status;
            matcher->nodes[child].sibling = matcher->nodes[node].child;
            matcher->nodes[node].child = child;
        }
        node = child;
    }
    if (matcher->nodes[node].token == PT_NO_TOKEN)
        matcher->nodes[node].token = token;
    uint8_t first = (uint8_t)pattern[0];
    matcher->n_starts += !matcher->starts[first];
    matcher->starts[first] = true;
    matcher->only_start = first;
    return PT_OK;
}

void pt_token_cut_init(struct pt_token_cut *cut, const struct pt_token_matcher *matcher,
                       const struct pt_added_token *tokens, const char *text, size_t n)
{
    *cut = (struct pt_token_cut){.matcher = matcher, .tokens = tokens, .text = text, .n_bytes = n};
}

/* The next place at or behind `at` where a pattern may begin. */
static size_t possible_start(const struct pt_token_cut *cut, size_t at)
{
    const struct pt_token_matcher *matcher = cut->matcher;
    if (matcher->n_starts == 0 || at >= cut->n_bytes)
        return cut->n_bytes;
    if (matcher->n_starts == 1) {
        const char *found = memchr(cut->text + at, matcher->only_start, cut->n_bytes - at);
        return found ? (size_t)(found - cut->text) : cut->n_bytes;
    }
    while (at < cut->n_bytes && !matcher->starts[(uint8_t)cut->text[at]])
        at++;
    return at;
}

/* The longest token that begins at `at`, and where it ends. */
static uint32_t longest_match(const struct pt_token_cut *cut, size_t at, size_t *end)
{
    uint32_t token = PT_NO_TOKEN;
    for (uint32_t node = 0; at < cut->n_bytes; at++) {
        node = child_of(cut->matcher, node, (uint8_t)cut->text[at]);
        if (!node)
            break;
        if (cut->matcher->nodes[node].token != PT_NO_TOKEN) {
            token = cut->matcher->nodes[node].token;
            *end = at + 1;
        }
    }
    return token;
}

/* The character that ends at `at`; it has at most 4 bytes. */
static size_t character_before(const char *text, size_t at, uint32_t *point)
{
    size_t begin = at - 1;
    while (begin > 0 && ((uint8_t)text[begin] & 0xc0) == 0x80)
        begin--;
    pt_utf8_decode(text + begin, at - begin, point);
    return at - begin;
}

static bool word_touches(const struct pt_token_cut *cut, size_t begin, size_t end)
{
    uint32_t point;
    if (begin > 0) {
        character_before(cut->text, begin, &point);
        if (pt_is_word(point))
            return true;
    }
    return end < cut->n_bytes && pt_utf8_decode(cut->text + end, cut->n_bytes - end, &point) &&
           pt_is_word(point);
}

/* Tokens that are white space themselves look into the same run again and again: it is walked once. */
static size_t white_space_from(struct pt_token_cut *cut, size_t at)
{
    uint32_t point;
    if (at < cut->blank_until)
        return cut->blank_until;
    for (size_t n;
         (n = pt_utf8_decode(cut->text + at, cut->n_bytes - at, &point)) && pt_is_white_space(point);)
        at += n;
    cut->blank_until = at;
    return at;
}

/* A token that takes white space to its left takes only what the one before it has left. */
static size_t white_space_until(const struct pt_token_cut *cut, size_t at)
{
    uint32_t point;
    for (size_t n; at > cut->done && (n = character_before(cut->text, at, &point), pt_is_white_space(point));)
        at -= n;
    return at > cut->done ? at : cut->done;
}

/* The next token that stands; matches do not overlap, whatever white space they take. */
static bool next_token(struct pt_token_cut *cut, struct pt_stretch *found)
{
    for (size_t at = cut->searched; (at = possible_start(cut, at)) < cut->n_bytes;) {
        size_t begin = at, end = at;
        uint32_t index = longest_match(cut, at, &end);
        if (index == PT_NO_TOKEN) {
            at++;
            continue;
        }
        const struct pt_added_token *token = &cut->tokens[index];
        at = end;
        if (token->single_word && word_touches(cut, begin, end))
            continue;
        cut->searched = end;
        if (token->lstrip)
            begin = white_space_until(cut, begin);
        if (token->rstrip)
            end = white_space_from(cut, end);
        if (begin >= end)
            continue;
        *found = (struct pt_stretch){begin, end, index};
        return true;
    }
    cut->searched = cut->n_bytes;
    return false;
}

bool pt_token_cut_next(struct pt_token_cut *cut, struct pt_stretch *stretch)
{
    if (cut->has_waiting) {
        cut->has_waiting = false;
        *stretch = cut->waiting;
        return true;
    }
    struct pt_stretch token;
    if (!next_token(cut, &token)) {
        *stretch = (struct pt_stretch){cut->done, cut->n_bytes, PT_NO_TOKEN};
        cut->done = cut->n_bytes;
        return stretch->begin < stretch->end;
    }
    *stretch = token;
    if (cut->done < token.begin) {
        *stretch = (struct pt_stretch){cut->done, token.begin, PT_NO_TOKEN};
        cut->waiting = token;
        cut->has_waiting = true;
    }
    cut->done = token.end;
    return true;
}
