/*
 * A template is its text, cut once into literals and fields. The built-in ones are texts too; what the
 * reference workflow's adds is that everything in front of the prompt's last literal is stripped.
 */
#include "text/template.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "fmt/json.h"
#include "text/character_class.h"

#include <stdlib.h>
#include <string.h>

struct part {
    bool is_field;
    char *text; /* owned: a literal, or a field's name */
    size_t n;
};

struct pt_template {
    char *name, *text;  /* owned */
    bool strip;         /* what stands in front of the prompt's last literal */
    struct part *parts; /* [n_parts], owned; the first n_prompt_parts are the prompt */
    size_t n_parts, capacity, n_prompt_parts;
};

static const struct built_in {
    const char *name, *text;
    bool strip;
} built_ins[] = {
    {"alpaca-zh", "Human: {instruction}\n{input}\n\nAssistant: {output}", true},
    {"prompt-completion", "{prompt}{output}", false},
};
enum { BUILT_INS = sizeof built_ins / sizeof *built_ins };

void pt_template_free(struct pt_template *template)
{
    if (!template)
        return;
    free(template->name);
    free(template->text);
    for (size_t i = 0; i < template->n_parts; i++)
        free(template->parts[i].text);
    free(template->parts);
    free(template);
}

static int add_part(struct pt_template *template, bool is_field, const char *text, size_t n,
                    struct pt_error *err)
{
    if (pt_reserve(&template->parts, &template->capacity, template->n_parts + 1, sizeof *template->parts,
                   err))
        return (int)err->status;
    char *copy = pt_new_string_n(text, n, err);
    if (!copy)
        return (int)err->status;
    template->parts[template->n_parts++] = (struct part){is_field, copy, n};
    return PT_OK;
}

/* Behind an opening brace at *at: the field's name up to the closing one. */
static int take_field(struct pt_template *template, const char **at, const char *end, struct pt_error *err)
{
    const char *close = memchr(*at, '}', (size_t)(end - *at));
    if (!close || close == *at || memchr(*at, '{', (size_t)(close - *at)))
        return pt_fail(err, PT_BAD_INPUT,
                       "template %s: byte %td: a brace that neither names a field nor is doubled",
                       template->name, *at - 1 - template->text);
    if (close - *at == 6 && memcmp(*at, "output", 6) == 0 && template->n_prompt_parts == SIZE_MAX)
        template->n_prompt_parts = template->n_parts;
    if (add_part(template, true, *at, (size_t)(close - *at), err))
        return (int)err->status;
    *at = close + 1;
    return PT_OK;
}

static int cut_into_parts(struct pt_template *template, const char *at, const char *end, struct pt_error *err)
{
    struct pt_buffer literal = {0};
    template->n_prompt_parts = SIZE_MAX;
    while (at <= end && !err->status) {
        bool doubled = end - at > 1 && (*at == '{' || *at == '}') && at[1] == *at;
        bool field = at < end && !doubled && *at == '{';
        if ((at == end || field) && literal.size > 0) {
            (void)!add_part(template, false, literal.data, literal.size, err);
            pt_buffer_clear(&literal);
        }
        if (at == end)
            break;
        if (field) {
            at++;
            (void)!take_field(template, &at, end, err);
        } else if (!doubled && *at == '}') {
            pt_fail(err, PT_BAD_INPUT, "template %s: byte %td: a closing brace that is not doubled",
                    template->name, at - template->text);
        } else {
            (void)!pt_buffer_append(&literal, at, 1, err);
            at += doubled ? 2 : 1;
        }
    }
    pt_buffer_free(&literal);
    if (!err->status && template->n_prompt_parts == SIZE_MAX)
        return pt_fail(err, PT_BAD_INPUT, "template %s: it has no {output}", template->name);
    return (int)err->status;
}

static int new_template(struct pt_template **out, const char *name, const char *text, size_t n, bool strip,
                        struct pt_error *err)
{
    struct pt_template *template = pt_new_array(1, sizeof *template, err);
    if (!template)
        return (int)err->status;
    template->strip = strip;
    template->name = pt_new_string(name, err);
    template->text = pt_new_string_n(text, n, err);
    size_t valid = pt_utf8_check(text, n);
    if (valid < n)
        pt_fail(err, PT_BAD_INPUT, "template %s: byte %zu: not UTF-8", name, valid);
    if (memchr(text, 0, n))
        pt_fail(err, PT_BAD_INPUT, "template %s: it has a NUL byte", name);
    if (err->status || cut_into_parts(template, template->text, template->text + n, err)) {
        pt_template_free(template);
        return (int)err->status;
    }
    *out = template;
    return PT_OK;
}

int pt_template_named(struct pt_template **template, const char *name, struct pt_error *err)
{
    struct pt_buffer names = {0};
    for (size_t i = 0; i < BUILT_INS; i++) {
        const struct built_in *known = &built_ins[i];
        if (!name || strcmp(name, known->name) == 0) {
            pt_buffer_free(&names);
            return new_template(template, known->name, known->text, strlen(known->text), known->strip, err);
        }
        if (pt_buffer_append_format(&names, err, "%s%s", i ? ", " : "", known->name))
            break;
    }
    pt_fail(err, PT_USAGE, "unknown template \"%s\": there are %s", name, names.data);
    pt_buffer_free(&names);
    return (int)err->status;
}

int pt_template_from_text(struct pt_template **template, const char *name, const char *text, size_t n,
                          struct pt_error *err)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    const size_t mark = sizeof byte_order_mark - 1;
    if (n >= mark && memcmp(text, byte_order_mark, mark) == 0) {
        text += mark;
        n -= mark;
    }
    if (n > 0 && text[n - 1] == '\n')
        n -= n > 1 && text[n - 2] == '\r' ? 2 : 1;
    return new_template(template, name, text, n, false, err);
}

int pt_template_from_json(struct pt_template **template, const json_t *object, struct pt_error *err)
{
    const char *name = json_string_value(json_object_get(object, "name")),
               *text = json_string_value(json_object_get(object, "text"));
    if (!name || !text)
        return pt_fail(err, PT_BAD_INPUT, "a template without name or text");
    return new_template(template, name, text, strlen(text), json_is_true(json_object_get(object, "strip")),
                        err);
}

json_t *pt_template_to_json(const struct pt_template *template)
{
    return json_pack("{s:o, s:s, s:b}", "name", pt_json_text(template->name, strlen(template->name)), "text",
                     template->text, "strip", template->strip);
}

bool pt_template_has_field(const struct pt_template *template, const char *field)
{
    for (size_t i = 0; i < template->n_parts; i++)
        if (template->parts[i].is_field && strcmp(template->parts[i].text, field) == 0)
            return true;
    return false;
}

static int render_part(const struct part *part, pt_field_lookup *lookup, void *context, struct pt_buffer *out,
                       struct pt_error *err)
{
    if (!part->is_field)
        return pt_buffer_append(out, part->text, part->n, err);
    size_t n;
    const char *value = lookup(context, part->text, &n);
    if (!value)
        return pt_fail(err, PT_BAD_INPUT, "\"%s\" is missing", part->text);
    return pt_buffer_append(out, value, n, err);
}

/* Takes the white space off both ends of what stands in the buffer from `from` on. */
static void strip_from(struct pt_buffer *buffer, size_t from)
{
    size_t begin, end;
    if (buffer->size == from)
        return;
    pt_strip(buffer->data + from, buffer->size - from, &begin, &end);
    memmove(buffer->data + from, buffer->data + from + begin, end - begin);
    buffer->size = from + end - begin;
    buffer->data[buffer->size] = 0;
}

static int render_prompt(const struct pt_template *template, pt_field_lookup *lookup, void *context,
                         struct pt_buffer *prompt, struct pt_error *err)
{
    size_t from = prompt->size, n = template->n_prompt_parts;
    for (size_t i = 0; i < n; i++) {
        if (template->strip && i + 1 == n && !template->parts[i].is_field)
            strip_from(prompt, from);
        if (render_part(&template->parts[i], lookup, context, prompt, err))
            return (int)err->status;
    }
    return PT_OK;
}

int pt_template_render(const struct pt_template *template, pt_field_lookup *lookup, void *context,
                       struct pt_buffer *prompt, struct pt_buffer *answer, struct pt_error *err)
{
    if (render_prompt(template, lookup, context, prompt, err))
        return (int)err->status;
    for (size_t i = template->n_prompt_parts; i < template->n_parts; i++)
        if (render_part(&template->parts[i], lookup, context, answer, err))
            return (int)err->status;
    return PT_OK;
}

/* A question has one field; every other one is empty. */
struct question {
    const char *field, *text;
    size_t n;
};

static const char *look_up_question(void *context, const char *field, size_t *n)
{
    const struct question *question = context;
    bool asked = strcmp(field, question->field) == 0;
    *n = asked ? question->n : 0;
    return asked ? question->text : "";
}

/* The field that a question goes to: "instruction", else "prompt", else the first one of the prompt part. */
static const char *question_field(const struct pt_template *template)
{
    const char *first = "";
    for (size_t i = template->n_prompt_parts; i-- > 0;) {
        const struct part *part = &template->parts[i];
        if (part->is_field && (strcmp(part->text, "instruction") == 0 || strcmp(part->text, "prompt") == 0))
            return part->text;
        if (part->is_field)
            first = part->text;
    }
    return first;
}

int pt_template_render_question(const struct pt_template *template, const char *question, size_t n,
                                struct pt_buffer *prompt, struct pt_error *err)
{
    struct question context = {question_field(template), question, n};
    return render_prompt(template, look_up_question, &context, prompt, err);
}

/* Where the last character of text[0..n) begins, n > 0. */
static size_t last_character(const char *text, size_t n)
{
    do
        n--;
    while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80);
    return n;
}

void pt_strip(const char *text, size_t n, size_t *begin, size_t *end)
{
    uint32_t point;
    size_t first = 0, length;
    while (first < n && (length = pt_utf8_decode(text + first, n - first, &point)) > 0 &&
           pt_is_python_space(point))
        first += length;
    while (n > first) {
        size_t last = last_character(text, n);
        if (pt_utf8_decode(text + last, n - last, &point) != n - last || !pt_is_python_space(point))
            break;
        n = last;
    }
    *begin = first;
    *end = n;
}
