/*
 * Templates: how a record's fields become the two texts of an example, the prompt part and the answer part.
 *
 * The default, "alpaca-zh", is the reference workflow's: "Human: " + instruction and input joined by a line
 * feed and stripped as Python's str.strip does + "\n\nAssistant: ", then the output. A template file is text
 * in which {name} stands for a field and everything from {output} on is the answer; {{ and }} are braces; a
 * byte order mark and the file's last line feed do not count.
 */
#ifndef PT_TEXT_TEMPLATE_H
#define PT_TEXT_TEMPLATE_H

#include "base/buffer.h"
#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

struct pt_template;

/* A built-in one by name; NULL: the default. An unknown name is PT_USAGE and the message lists the names. */
int pt_template_named(struct pt_template **template, const char *name, struct pt_error *err) PT_MUST_USE;
int pt_template_from_text(struct pt_template **template, const char *name, const char *text, size_t n,
                          struct pt_error *err) PT_MUST_USE;
/* As stored in a stream's head and in a prompt's metadata; and back (the caller owns the object). */
int pt_template_from_json(struct pt_template **template, const json_t *object,
                          struct pt_error *err) PT_MUST_USE;
json_t *pt_template_to_json(const struct pt_template *template);
void pt_template_free(struct pt_template *template);

bool pt_template_has_field(const struct pt_template *template, const char *field);

/* The value of a field for this record: borrowed text, or NULL where the record lacks it. */
typedef const char *pt_field_lookup(void *context, const char *field, size_t *n);
/* Renders both parts of a record; a missing field that the template needs is PT_BAD_INPUT. */
int pt_template_render(const struct pt_template *template, pt_field_lookup *lookup, void *context,
                       struct pt_buffer *prompt, struct pt_buffer *answer, struct pt_error *err) PT_MUST_USE;
/* The prompt part for a question alone, for sampling. */
int pt_template_render_question(const struct pt_template *template, const char *question, size_t n,
                                struct pt_buffer *prompt, struct pt_error *err) PT_MUST_USE;

/* [*begin, *end) of text without leading and trailing white space as Python's str.strip takes it. Text must
 * be valid UTF-8. */
void pt_strip(const char *text, size_t n, size_t *begin, size_t *end);

#endif
