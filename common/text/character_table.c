/*
 * A character of two or three bytes has a place in a flat table, filled when it is first met. Longer ones are
 * rare and begin as bytes.
 */
#include "text/character_table.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define NEVER UINT32_MAX
enum { POINTS = 0x10000 };

/* What stands next to a part. */
enum { ASCII, OTHERS, REST };

/* What a character must not stand next to. */
enum {
    NOT_BEHIND_ASCII = 1,
    NOT_BEHIND_OTHERS = 2,
    NOT_BEFORE_ASCII = 4,
    NOT_BEFORE_OTHERS = 8,
};

struct character {
    uint32_t symbols[PT_CHARACTER_SYMBOLS]; /* all but the last are settled (text/bpe.h) */
    uint8_t n;                              /* 0: not met yet */
    uint8_t avoids;
};

struct pt_character_table {
    const struct pt_character_rules *rules;
    struct character characters[POINTS];
};

/* How a token's bytes begin and end. */
struct shape {
    uint8_t n_continuing; /* bytes, where it has nothing but continuation bytes; else 0 */
    int8_t missing;       /* continuation bytes that its last character still needs; -1: not known */
    bool begins_ascii, begins_inside, ends_ascii;
    bool single; /* of one character, or a part of it */
};

static struct shape shape_of_byte(unsigned byte)
{
    bool ascii = byte < 0x80, continuing = byte >= 0x80 && byte < 0xc0;
    int missing = ascii ? 0 : continuing ? -1 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    return (struct shape){continuing, (int8_t)missing, ascii, continuing, ascii, true};
}

static struct shape join(struct shape left, struct shape right)
{
    struct shape joined = left;
    joined.ends_ascii = right.ends_ascii;
    joined.missing = right.missing;
    if (right.n_continuing) {
        int missing = left.missing - right.n_continuing;
        joined.missing = (int8_t)(missing < 0 ? -1 : missing);
    }
    joined.single = left.single && right.n_continuing;
    bool inside = left.n_continuing && right.n_continuing && left.n_continuing + right.n_continuing < 4;
    joined.n_continuing = inside ? (uint8_t)(left.n_continuing + right.n_continuing) : 0;
    return joined;
}

static void lower(uint32_t *rank, uint32_t other)
{
    if (other < *rank)
        *rank = other;
}

/* One merge in the order of ranks. False where it comes too late: its result was used before. */
static bool add_merge(struct pt_character_rules *rules, struct shape *shapes, bool *used,
                      struct pt_merge_rule merge, uint32_t rank)
{
    const struct shape *left = &shapes[merge.left], *right = &shapes[merge.right];
    used[merge.left] = used[merge.right] = true;
    if (used[merge.merged])
        return false;
    shapes[merge.merged] = join(*left, *right);
    struct pt_part_ranks *of_left = &rules->ranks[merge.left], *of_right = &rules->ranks[merge.right];
    if (right->begins_inside) {
        if (!left->single)
            lower(&of_right->front[REST], rank);
        if (!right->single)
            lower(&of_left->behind[REST], rank);
    } else if (left->missing <= 0) {
        lower(&of_right->front[left->ends_ascii ? ASCII : OTHERS], rank);
        lower(&of_left->behind[right->begins_ascii ? ASCII : OTHERS], rank);
    }
    return true;
}

static bool has_all_bytes(const uint32_t byte_ids[256], size_t n_ids)
{
    for (unsigned byte = 0; byte < 0xf5; byte++)
        if (byte_ids[byte] >= n_ids && byte != 0xc0 && byte != 0xc1)
            return false;
    return true;
}

static int find_ranks(struct pt_character_rules *rules, size_t n_ids, struct pt_error *err)
{
    struct pt_merge_rule *list = pt_merges_by_rank(rules->merges, err);
    struct shape *shapes = pt_new_array(n_ids, sizeof *shapes, err);
    bool *used = pt_new_array(n_ids, sizeof *used, err);
    rules->ranks = pt_new_array(n_ids, sizeof *rules->ranks, err);
    if (!err->status) {
        memset(rules->ranks, 0xff, n_ids * sizeof *rules->ranks);
        for (unsigned byte = 0; byte < 256; byte++)
            if (rules->byte_ids[byte] < n_ids)
                shapes[rules->byte_ids[byte]] = shape_of_byte(byte);
        rules->usable = true;
        for (uint32_t rank = 0; rank < rules->merges->n_ranks && rules->usable; rank++)
            rules->usable = !list[rank].exists || add_merge(rules, shapes, used, list[rank], rank);
    }
    free(list);
    free(shapes);
    free(used);
    return (int)err->status;
}

int pt_character_rules_init(struct pt_character_rules *rules, const struct pt_merges *merges,
                            const uint32_t byte_ids[256], size_t n_ids, struct pt_error *err)
{
    *rules = (struct pt_character_rules){.byte_ids = byte_ids, .merges = merges};
    return has_all_bytes(byte_ids, n_ids) ? find_ranks(rules, n_ids, err) : PT_OK;
}

void pt_character_rules_free(struct pt_character_rules *rules)
{
    free(rules->ranks);
}

int pt_character_table_new(struct pt_character_table **table, const struct pt_character_rules *rules,
                           struct pt_error *err)
{
    *table = pt_new_array(1, sizeof **table, err);
    if (*table)
        (*table)->rules = rules;
    return (int)err->status;
}

void pt_character_table_free(struct pt_character_table *table)
{
    free(table);
}

/* The first of the pairs with the lowest rank; NEVER where none merges. */
static uint32_t lowest_rank(const struct pt_merges *merges, const uint32_t *symbols, size_t n, size_t *at,
                            uint32_t *merged)
{
    uint32_t lowest = NEVER;
    for (size_t i = 0; i + 1 < n; i++) {
        uint64_t value = pt_merges_find(merges, symbols[i], symbols[i + 1]);
        if (value >> 32 < lowest) {
            lowest = (uint32_t)(value >> 32);
            *merged = (uint32_t)value;
            *at = i;
        }
    }
    return lowest;
}

/*
 * What a character must avoid because of two symbols that its own merges are about to take, the highest of
 * which so far is `highest`: a neighbour has taken one of them already where that ranks no higher.
 */
static unsigned avoided(const struct pt_character_rules *rules, const uint32_t *symbols, size_t n, size_t at,
                        uint32_t highest)
{
    unsigned avoids = 0;
    for (size_t i = at; i < at + 2; i++) {
        const struct pt_part_ranks *ranks = &rules->ranks[symbols[i]];
        bool rest_in_front = ranks->front[REST] <= highest, rest_behind = ranks->behind[REST] <= highest;
        if (rest_in_front || (i == 0 && ranks->front[ASCII] <= highest))
            avoids |= NOT_BEHIND_ASCII;
        if (rest_in_front || (i == 0 && ranks->front[OTHERS] <= highest))
            avoids |= NOT_BEHIND_OTHERS;
        if (rest_behind || (i == n - 1 && ranks->behind[ASCII] <= highest))
            avoids |= NOT_BEFORE_ASCII;
        if (rest_behind || (i == n - 1 && ranks->behind[OTHERS] <= highest))
            avoids |= NOT_BEFORE_OTHERS;
    }
    return avoids;
}

/* Merges the bytes of one character. */
static void meet(const struct pt_character_rules *rules, struct character *character, const char *text,
                 size_t n)
{
    uint32_t symbols[PT_CHARACTER_SYMBOLS], merged = 0, highest = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        symbols[i] = rules->byte_ids[(uint8_t)text[i]];
    for (uint32_t rank; (rank = lowest_rank(rules->merges, symbols, n, &at, &merged)) != NEVER;) {
        highest = rank > highest ? rank : highest;
        character->avoids |= (uint8_t)avoided(rules, symbols, n, at, highest);
        symbols[at] = merged;
        n--;
        for (size_t i = at + 1; i < n; i++)
            symbols[i] = symbols[i + 1];
    }
    for (size_t i = 0; i < n; i++)
        character->symbols[i] = symbols[i] | (i + 1 < n ? PT_SETTLED : 0);
    character->n = (uint8_t)n;
}

static inline uint32_t point_at(const char *text, size_t length)
{
    const uint8_t *byte = (const uint8_t *)text;
    if (length == 2)
        return (byte[0] & 0x1fu) << 6 | (byte[1] & 0x3fu);
    return (byte[0] & 0x0fu) << 12 | (byte[1] & 0x3fu) << 6 | (byte[2] & 0x3fu);
}

/* What stands on both sides of text[at..at + length). */
static inline unsigned neighbours(const char *text, size_t n, size_t at, size_t length)
{
    unsigned found = 0;
    if (at > 0)
        found |= (uint8_t)text[at - 1] < 0x80 ? NOT_BEHIND_ASCII : NOT_BEHIND_OTHERS;
    if (at + length < n)
        found |= (uint8_t)text[at + length] < 0x80 ? NOT_BEFORE_ASCII : NOT_BEFORE_OTHERS;
    return found;
}

size_t pt_character_symbols(struct pt_character_table *table, const char *text, size_t n, uint32_t *symbols)
{
    const uint32_t *byte_ids = table->rules->byte_ids;
    size_t count = 0, length;
    for (size_t at = 0; at < n; at += length) {
        uint8_t first = (uint8_t)text[at];
        length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        if (length == 2 || length == 3) {
            struct character *character = &table->characters[point_at(text + at, length)];
            if (!character->n)
                meet(table->rules, character, text + at, length);
            if (!(character->avoids & neighbours(text, n, at, length))) {
                memcpy(symbols + count, character->symbols, sizeof character->symbols);
                count += character->n;
                continue;
            }
        }
        for (size_t i = 0; i < length; i++)
            symbols[count++] = byte_ids[(uint8_t)text[at + i]];
    }
    return count;
}
