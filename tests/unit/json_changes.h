/*
 * A JSON document with one value after the other replaced by others of every type, or taken away: whatever
 * reads it takes it or refuses it, and never does worse. The sanitizers look on.
 */
#ifndef PT_TESTS_UNIT_JSON_CHANGES_H
#define PT_TESTS_UNIT_JSON_CHANGES_H

#include "support.h"

#include "fmt/json.h"

#include <string.h>

/* Reads the changed document and gives back what it opened; returns the status. */
typedef int read_changed(const json_t *document, struct pt_error *err);

static inline void check_change(const json_t *document, read_changed *read)
{
    struct pt_error err = {0};
    int status = read(document, &err);
    bool said = status == PT_OK || err.message[0];
    if (status != (int)err.status || !said ||
        (status != PT_OK && status != PT_BAD_INPUT && status != PT_MISMATCH)) {
        char *text = json_dumps(document, JSON_COMPACT);
        fail_msg("status %d, \"%s\": %.2000s", status, err.message, text);
    }
}

static inline json_t *replacement(size_t i)
{
    static const char *const values[] = {"null",
                                         "true",
                                         "false",
                                         "0",
                                         "1",
                                         "-1",
                                         "0.5",
                                         "-1e300",
                                         "2147483648",
                                         "9223372036854775807",
                                         "\"\"",
                                         "\"x\"",
                                         "[]",
                                         "[0]",
                                         "[[\"x\", 0]]",
                                         "{}",
                                         "{\"type\": \"Sequence\"}",
                                         "{\"rope_type\": \"linear\"}"};
    struct pt_error err = {0};
    json_t *value = NULL;
    if (i < N_OF(values))
        assert_int_equal(pt_json_parse(&value, values[i], strlen(values[i]), "a value", &err), 0);
    return value;
}

/* A member of a table, or with no key an element of a list. */
struct member {
    json_t *in;
    const char *key;
    size_t at;
};

static inline void put(struct member member, json_t *value)
{
    int failed = member.key ? json_object_set_new(member.in, member.key, value)
                            : json_array_set_new(member.in, member.at, value);
    assert_int_equal(failed, 0);
}

static inline void take_away(struct member member)
{
    int failed =
        member.key ? json_object_del(member.in, member.key) : json_array_remove(member.in, member.at);
    assert_int_equal(failed, 0);
}

static inline void check_every_change(json_t *document, json_t *place, read_changed *read);

/* The member's value stands there again in the end. */
static inline void check_member(json_t *document, struct member member, json_t *value, read_changed *read)
{
    json_t *other;
    json_incref(value);
    for (size_t i = 0; (other = replacement(i)); i++) {
        put(member, other);
        check_change(document, read);
    }
    take_away(member);
    check_change(document, read);
    if (!member.key)
        assert_int_equal(json_array_insert(member.in, member.at, json_null()), 0);
    put(member, value);
    check_every_change(document, value, read);
}

/* The values of lists and of long tables are alike: a few of them stand for all. */
static inline void check_every_change(json_t *document, json_t *place, read_changed *read)
{
    enum { LONG_TABLE = 40, A_FEW = 2 };
    json_t *members = json_is_object(place) ? json_copy(place) : json_object(), *value;
    const char *key;
    size_t n = json_object_size(place) < LONG_TABLE ? LONG_TABLE : A_FEW;
    json_object_foreach(members, key, value) {
        if (!n--)
            break;
        check_member(document, (struct member){place, key, 0}, value, read);
    }
    for (size_t at = 0; at < json_array_size(place) && at < A_FEW; at++)
        check_member(document, (struct member){place, NULL, at}, json_array_get(place, at), read);
    json_decref(members);
}

#endif
