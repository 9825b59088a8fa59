/*
 * Templates: cutting, rendering, stripping, and the way through JSON.
 */
#include "support.h"

#include "text/template.h"

#include <string.h>

/* Fields of a record: pairs of name and text. */
static const char *look_up(void *context, const char *field, size_t *n)
{
    for (const char *const *pair = context; *pair; pair += 2)
        if (strcmp(pair[0], field) == 0) {
            *n = strlen(pair[1]);
            return pair[1];
        }
    return NULL;
}

static void check_render(const struct pt_template *template, const char **fields, const char *prompt,
                         const char *answer)
{
    struct pt_error err = {0};
    struct pt_buffer first = {0}, second = {0};
    assert_int_equal(pt_template_render(template, look_up, fields, &first, &second, &err), 0);
    assert_string_equal(first.data ? first.data : "", prompt);
    assert_string_equal(second.data ? second.data : "", answer);
    pt_buffer_free(&first);
    pt_buffer_free(&second);
}

static void test_default(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_template *template;
    assert_int_equal(pt_template_named(&template, NULL, &err), 0);
    check_render(template, (const char *[]){"instruction", "问", "input", "", "output", "答", NULL},
                 "Human: 问\n\nAssistant: ", "答");
    check_render(template,
                 (const char *[]){"instruction", "a", "input", "b\n \xe3\x80\x80", "output", " c ", NULL},
                 "Human: a\nb\n\nAssistant: ", " c ");
    check_render(template, (const char *[]){"instruction", "", "input", "", "output", "", NULL},
                 "Human:\n\nAssistant: ", "");
    pt_template_free(template);
}

static void test_own_text(void **state)
{
    (void)state;
    static const char text[] = " {{x}} {a}{b} {output} and {a}\n";
    struct pt_error err = {0};
    struct pt_template *template;
    assert_int_equal(pt_template_from_text(&template, "own", text, strlen(text), &err), 0);
    check_render(template, (const char *[]){"a", "1", "b", "2", "output", "3", NULL}, " {x} 12 ", "3 and 1");
    struct pt_buffer prompt = {0}, answer = {0};
    assert_int_equal(
        pt_template_render(template, look_up, (const char *[]){"a", "1", NULL}, &prompt, &answer, &err),
        PT_BAD_INPUT);
    assert_string_equal(err.message, "\"b\" is missing");
    pt_buffer_free(&prompt);
    pt_buffer_free(&answer);
    pt_template_free(template);
}

static void test_byte_order_mark(void **state)
{
    (void)state;
    struct pt_error err = {0};
    struct pt_template *template;
    static const char text[] = "\xef\xbb\xbfQ: {prompt} A: {output}\r\n";
    assert_int_equal(pt_template_from_text(&template, "own", text, strlen(text), &err), 0);
    json_t *object = pt_template_to_json(template);
    assert_string_equal(json_string_value(json_object_get(object, "text")), "Q: {prompt} A: {output}");
    json_decref(object);
    pt_template_free(template);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {"",           "no answer",      "{output",     "}{output}",
                                        "{}{output}", "{a{b}}{output}", "\xff{output}"};
    for (size_t i = 0; i < N_OF(texts); i++) {
        struct pt_error err = {0};
        struct pt_template *template;
        assert_int_equal(pt_template_from_text(&template, "own", texts[i], strlen(texts[i]), &err),
                         PT_BAD_INPUT);
    }
    struct pt_error err = {0};
    struct pt_template *template;
    assert_int_equal(pt_template_named(&template, "nope", &err), PT_USAGE);
    assert_non_null(strstr(err.message, "alpaca-zh"));
}

static void check_question(const struct pt_template *template, const char *expected)
{
    struct pt_error err = {0};
    struct pt_buffer prompt = {0};
    assert_int_equal(pt_template_render_question(template, "why?", 4, &prompt, &err), 0);
    assert_string_equal(prompt.data, expected);
    pt_buffer_free(&prompt);
}

static void test_question(void **state)
{
    (void)state;
    static const char text[] = "[{context}] {prompt}: {output}";
    struct pt_error err = {0};
    struct pt_template *template;
    assert_int_equal(pt_template_named(&template, "alpaca-zh", &err), 0);
    check_question(template, "Human: why?\n\nAssistant: ");
    pt_template_free(template);
    assert_int_equal(pt_template_from_text(&template, "own", text, strlen(text), &err), 0);
    check_question(template, "[] why?: ");
    pt_template_free(template);
}

/* A template survives the head of a stream, stripping included. */
static void test_json(void **state)
{
    (void)state;
    static const char *const names[] = {"alpaca-zh", "prompt-completion"};
    for (size_t i = 0; i < N_OF(names); i++) {
        struct pt_error err = {0};
        struct pt_template *template, *again;
        assert_int_equal(pt_template_named(&template, names[i], &err), 0);
        json_t *object = pt_template_to_json(template);
        assert_non_null(object);
        assert_int_equal(pt_template_from_json(&again, object, &err), 0);
        const char *fields[] = {"instruction", "a ", "input", " ", "prompt", " p ", "output", "c", NULL};
        struct pt_buffer prompt = {0}, answer = {0};
        assert_int_equal(pt_template_render(template, look_up, fields, &prompt, &answer, &err), 0);
        check_render(again, fields, prompt.data, "c");
        pt_buffer_free(&prompt);
        pt_buffer_free(&answer);
        json_decref(object);
        pt_template_free(template);
        pt_template_free(again);
    }
    struct pt_error err = {0};
    struct pt_template *template;
    assert_int_equal(pt_template_from_json(&template, NULL, &err), PT_BAD_INPUT);
}

/* What Python's str.strip takes, and nothing else. */
static void test_strip(void **state)
{
    (void)state;
    static const struct {
        const char *text, *stripped;
    } cases[] = {{"", ""},
                 {" \t\n", ""},
                 {" a b ", "a b"},
                 {"\xc2\x85\x1c\x1f"
                  "a\xe2\x80\xa8\xe3\x80\x80",
                  "a"},
                 {"\xe2\x80\x8b"
                  "a",
                  "\xe2\x80\x8b"
                  "a"},
                 {"\xe1\xa0\x8e", "\xe1\xa0\x8e"}};
    for (size_t i = 0; i < N_OF(cases); i++) {
        size_t begin, end;
        pt_strip(cases[i].text, strlen(cases[i].text), &begin, &end);
        assert_int_equal(end - begin, strlen(cases[i].stripped));
        assert_memory_equal(cases[i].text + begin, cases[i].stripped, end - begin);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),   cmocka_unit_test(test_own_text),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_byte_order_mark),
        cmocka_unit_test(test_question),  cmocka_unit_test(test_json),
        cmocka_unit_test(test_strip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
