/*
 * Characters that merge alone: where the merges of a character's own bytes all come before any merge that
 * could tie one of its unfinished parts to a neighbour, a piece may begin with what each of its characters
 * becomes by itself. The ids are the same, and most merges of Chinese or Greek text are looked up once a
 * character in place of each time.
 *
 * Why it is exact: merges are made in the order of their ranks, and every merge comes behind those that make
 * its parts (otherwise nothing here is used). A part of a character is tied to something outside of it before
 * the character is finished only by a merge whose rank is not above that of the character's own ones; a
 * character of which that can be begins as bytes where it has such a neighbour.
 */
#ifndef PT_TEXT_CHARACTER_TABLE_H
#define PT_TEXT_CHARACTER_TABLE_H

#include "text/bpe.h"

#include <stdbool.h>

/* What merges may do to the parts of characters: of a tokenizer, read-only once made. */
struct pt_character_rules {
    bool usable;                    /* false: everything begins as bytes */
    const uint32_t *byte_ids;       /* [256], borrowed */
    const struct pt_merges *merges; /* borrowed */
    /* Merges that tie a part of a character to something outside of it. */
    struct pt_crossing {
        uint64_t behind, before; /* bit i: where the text's byte in front of the character, or behind it, is
                                    i mod 64 */
        uint32_t rank, next;     /* index of the next one with the same part, 0: none */
        bool last_only;          /* only where the part is the character's last one */
    } * crossings;               /* [n], owned; the first one stands for none */
    size_t n, capacity;
    uint32_t *first; /* [n_ids], owned: a part's first crossing, 0: none */
};

/* All merges must be there. `n_ids` is above every id. */
int pt_character_rules_init(struct pt_character_rules *rules, const struct pt_merges *merges,
                            const uint32_t byte_ids[256], size_t n_ids, struct pt_error *err) PT_MUST_USE;
void pt_character_rules_free(struct pt_character_rules *rules);

/* The characters met so far: one thread's. */
struct pt_character_table;
int pt_character_table_new(struct pt_character_table **table, const struct pt_character_rules *rules,
                           struct pt_error *err) PT_MUST_USE;
void pt_character_table_free(struct pt_character_table *table); /* NULL is allowed */

/*
 * Writes the symbols that a piece of valid UTF-8 begins with, at most n of them, to symbols [n +
 * PT_CHARACTER_SYMBOLS], and returns how many there are. Only where the rules are usable.
 */
enum { PT_CHARACTER_SYMBOLS = 3 };
size_t pt_character_symbols(struct pt_character_table *table, const char *text, size_t n, uint32_t *symbols);

#endif
