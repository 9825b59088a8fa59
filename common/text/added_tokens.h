/*
 * Added tokens: strings that become one id wherever they stand in a text, before anything else is split
 * (huggingface/tokenizers, tokenizer/added_vocabulary.rs). The leftmost match counts, of several there the
 * longest.
 */
#ifndef PT_TEXT_ADDED_TOKENS_H
#define PT_TEXT_ADDED_TOKENS_H

#include "base/buffer.h"

#include <stdbool.h>

#define PT_NO_TOKEN UINT32_MAX

struct pt_added_token {
    char *content; /* owned */
    size_t n_bytes;
    uint32_t id;
    bool special, normalized;
    bool single_word;    /* only where no word character touches it */
    bool lstrip, rstrip; /* takes the white space in front of it, behind it */
};

/* A set of patterns in a trie. Starts zeroed. */
struct pt_token_matcher {
    struct pt_trie_node {
        uint32_t child, sibling; /* index, 0: none */
        uint32_t token;          /* index of the added token that ends here, PT_NO_TOKEN: none */
        uint8_t byte;
    } * nodes; /* [n_nodes], owned; the first one is the root */
    size_t n_nodes, capacity;
    bool starts[256]; /* some pattern begins with this byte */
    unsigned n_starts;
    uint8_t only_start; /* where n_starts is 1 */
};

/* Adds a pattern for the added token with index `token`; of equal patterns the first stays. An empty one is
 * ignored. */
int pt_token_matcher_add(struct pt_token_matcher *matcher, const char *pattern, size_t n, uint32_t token,
                         struct pt_error *err) PT_MUST_USE;
void pt_token_matcher_free(struct pt_token_matcher *matcher);

/* A run of text between added tokens, or an added token. */
struct pt_stretch {
    size_t begin, end;
    uint32_t token; /* index of the added token, PT_NO_TOKEN: plain text */
};

/* Cuts a text into stretches, one a call; pt_token_cut_init starts it. */
struct pt_token_cut {
    const struct pt_token_matcher *matcher;
    const struct pt_added_token *tokens;
    const char *text;
    size_t n_bytes;
    size_t done;        /* everything in front of it has been handed out */
    size_t searched;    /* where the search goes on */
    size_t blank_until; /* the end of the white space that a token took last */
    struct pt_stretch waiting;
    bool has_waiting;
};
void pt_token_cut_init(struct pt_token_cut *cut, const struct pt_token_matcher *matcher,
                       const struct pt_added_token *tokens, const char *text, size_t n);
/* False behind the last one. Text must be valid UTF-8. */
bool pt_token_cut_next(struct pt_token_cut *cut, struct pt_stretch *stretch);

#endif
