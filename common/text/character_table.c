/*
 * A character of two or three bytes has a place in a flat table, filled when it is first met. Longer ones are
 * rare and begin as bytes.
 */
#include "text/character_table.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define NEVER UINT32_MAX
/* What comes before has one byte. Without it the table is not above one large page. */
enum { FIRST_POINT = 0x80, POINTS = 0x10000 - FIRST_POINT };

struct character {
    uint64_t behind, before;                /* as in struct pt_crossing: where it must begin as bytes */
    uint32_t symbols[PT_CHARACTER_SYMBOLS]; /* all but the last are settled (text/bpe.h) */
    uint8_t n;                              /* 0: not met yet */
};

struct pt_character_table {
    const struct pt_character_rules *rules;
    struct character characters[POINTS]; /* from FIRST_POINT on */
};

/* How a token's bytes begin and end. */
struct shape {
    uint8_t first, last;
    uint8_t n_continuing; /* bytes, where it has nothing but continuation bytes; else 0 */
    int8_t missing;       /* continuation bytes that its last character still needs; -1: not known */
    bool single;          /* of one character, or a part of it; of others: */
    uint8_t before_tail;  /* the byte in front of its last character */
    uint8_t behind_head;  /* the byte behind the rest of a character that it begins with */
};

static bool is_continuation(unsigned byte)
{
    return byte >= 0x80 && byte < 0xc0;
}

static struct shape shape_of_byte(unsigned byte)
{
    int missing = byte < 0x80 ? 0 : byte < 0xc0 ? -1 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    return (struct shape){(uint8_t)byte, (uint8_t)byte, is_continuation(byte), (int8_t)missing, true, 0, 0};
}

static struct shape join(struct shape left, struct shape right)
{
    struct shape joined = {.first = left.first, .last = right.last, .missing = right.missing};
    if (right.n_continuing) {
        int missing = left.missing - right.n_continuing;
        joined.missing = (int8_t)(missing < 0 ? -1 : missing);
    }
    joined.single = left.single && right.n_continuing;
    joined.before_tail = right.n_continuing ? left.before_tail : right.single ? left.last : right.before_tail;
    joined.behind_head = !left.n_continuing             ? left.behind_head
                         : is_continuation(right.first) ? right.behind_head
                                                        : right.first;
    if (left.n_continuing && right.n_continuing && left.n_continuing + right.n_continuing < 4)
        joined.n_continuing = (uint8_t)(left.n_continuing + right.n_continuing);
    return joined;
}

static int add_crossing(struct pt_character_rules *rules, uint32_t part, struct pt_crossing crossing,
                        struct pt_error *err)
{
    if (pt_reserve(&rules->crossings, &rules->capacity, rules->n + 1, sizeof crossing, err))
        return (int)err->status;
    crossing.next = rules->first[part];
    rules->first[part] = (uint32_t)rules->n;
    rules->crossings[rules->n++] = crossing;
    return PT_OK;
}

static uint64_t bit_of(uint8_t byte)
{
    return (uint64_t)1 << (byte & 63);
}

/* Adds what a merge between two characters may take away from them. */
static int cross_between(struct pt_character_rules *rules, const struct shape *left,
                         const struct shape *right, struct pt_merge_rule merge, uint32_t rank,
                         struct pt_error *err)
{
    struct pt_crossing front = {.behind = bit_of(left->last), .rank = rank};
    struct pt_crossing behind = {.before = bit_of(right->first), .rank = rank, .last_only = true};
    if (left->missing > 0)
        return PT_OK;
    if (right->single && right->missing > 0 && add_crossing(rules, merge.right, front, err))
        return (int)err->status;
    return left->n_continuing ? add_crossing(rules, merge.left, behind, err) : PT_OK;
}

/* The same inside of a character, where one side has more than a part of it. */
static int cross_inside(struct pt_character_rules *rules, const struct shape *left, const struct shape *right,
                        struct pt_merge_rule merge, uint32_t rank, struct pt_error *err)
{
    struct pt_crossing front = {.behind = bit_of(left->before_tail), .rank = rank};
    struct pt_crossing behind = {.before = bit_of(right->behind_head), .rank = rank};
    if (!left->single && add_crossing(rules, merge.right, front, err))
        return (int)err->status;
    return right->single ? PT_OK : add_crossing(rules, merge.left, behind, err);
}

/* One merge in the order of ranks. Not usable where it comes too late: its result was used before. */
static int add_merge(struct pt_character_rules *rules, struct shape *shapes, bool *used,
                     struct pt_merge_rule merge, uint32_t rank, struct pt_error *err)
{
    const struct shape *left = &shapes[merge.left], *right = &shapes[merge.right];
    used[merge.left] = used[merge.right] = true;
    if (used[merge.merged])
        rules->usable = false;
    bool inside = is_continuation(right->first);
    if (inside ? cross_inside(rules, left, right, merge, rank, err)
               : cross_between(rules, left, right, merge, rank, err))
        return (int)err->status;
    shapes[merge.merged] = join(*left, *right);
    return PT_OK;
}

static bool has_all_bytes(const uint32_t byte_ids[256], size_t n_ids)
{
    for (unsigned byte = 0; byte < 0xf5; byte++)
        if (byte_ids[byte] >= n_ids && byte != 0xc0 && byte != 0xc1)
            return false;
    return true;
}

static int find_crossings(struct pt_character_rules *rules, size_t n_ids, struct pt_error *err)
{
    struct pt_merge_rule *list = pt_merges_by_rank(rules->merges, err);
    struct shape *shapes = pt_new_array(n_ids, sizeof *shapes, err);
    bool *used = pt_new_array(n_ids, sizeof *used, err);
    rules->first = pt_new_array(n_ids, sizeof *rules->first, err);
    if (!err->status)
        (void)!pt_reserve(&rules->crossings, &rules->capacity, 1, sizeof *rules->crossings, err);
    rules->n = rules->usable = !err->status;
    for (unsigned byte = 0; byte < 256 && rules->usable; byte++)
        if (rules->byte_ids[byte] < n_ids)
            shapes[rules->byte_ids[byte]] = shape_of_byte(byte);
    for (uint32_t rank = 0; rules->usable && rank < rules->merges->n_ranks && !err->status; rank++)
        if (list[rank].exists)
            (void)!add_merge(rules, shapes, used, list[rank], rank, err);
    free(list);
    free(shapes);
    free(used);
    return (int)err->status;
}

int pt_character_rules_init(struct pt_character_rules *rules, const struct pt_merges *merges,
                            const uint32_t byte_ids[256], size_t n_ids, struct pt_error *err)
{
    *rules = (struct pt_character_rules){.byte_ids = byte_ids, .merges = merges};
    return has_all_bytes(byte_ids, n_ids) ? find_crossings(rules, n_ids, err) : PT_OK;
}

void pt_character_rules_free(struct pt_character_rules *rules)
{
    free(rules->crossings);
    free(rules->first);
}

int pt_character_table_new(struct pt_character_table **table, const struct pt_character_rules *rules,
                           struct pt_error *err)
{
    *table = pt_new_table(sizeof **table, err);
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
 * Notes where a character must begin as bytes because of a symbol that its own merges are about to take, the
 * highest of which so far is `highest`: where something else has taken it already.
 */
static void note_crossings(const struct pt_character_rules *rules, struct character *character,
                           uint32_t symbol, bool is_last, uint32_t highest)
{
    for (uint32_t i = rules->first[symbol]; i; i = rules->crossings[i].next) {
        const struct pt_crossing *crossing = &rules->crossings[i];
        if (crossing->rank <= highest && (is_last || !crossing->last_only)) {
            character->behind |= crossing->behind;
            character->before |= crossing->before;
        }
    }
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
        note_crossings(rules, character, symbols[at], false, highest);
        note_crossings(rules, character, symbols[at + 1], at + 2 == n, highest);
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

static inline bool may_begin_whole(const struct character *character, const char *text, size_t n, size_t at,
                                   size_t length)
{
    bool behind = at > 0 && character->behind >> (text[at - 1] & 63) & 1;
    bool before = at + length < n && character->before >> (text[at + length] & 63) & 1;
    return !behind && !before;
}

size_t pt_character_symbols(struct pt_character_table *table, const char *text, size_t n, uint32_t *symbols)
{
    const uint32_t *byte_ids = table->rules->byte_ids;
    size_t count = 0, length;
    for (size_t at = 0; at < n; at += length) {
        uint8_t first = (uint8_t)text[at];
        length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        if (length == 2 || length == 3) {
            struct character *character = &table->characters[point_at(text + at, length) - FIRST_POINT];
            if (!character->n)
                meet(table->rules, character, text + at, length);
            if (may_begin_whole(character, text, n, at, length)) {
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
