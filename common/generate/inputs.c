/*
 * A group of inputs owns its texts and ids until the next one is asked for.
 */
#include "generate/inputs.h"

#include "base/memory.h"
#include "base/number.h"
#include "io/line.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LINE_BYTES = 64 << 20 };

struct pt_inputs {
    struct pt_inputs_options options;
    struct pt_encoder *encoder; /* owned, NULL without a tokenizer */
    uint64_t n_read;            /* texts handed out so far */
    struct pt_buffer line;
    char **texts;                      /* [n], owned */
    struct pt_words *ids;              /* [n], owned */
    struct pt_generation_input *group; /* [n], owned */
    size_t n;
};

int pt_inputs_open(struct pt_inputs **inputs, const struct pt_inputs_options *options, struct pt_error *err)
{
    struct pt_inputs *made = pt_new_array(1, sizeof *made, err);
    *inputs = made;
    if (!made)
        return (int)err->status;
    made->options = *options;
    return options->tokenizer ? pt_encoder_new(&made->encoder, options->tokenizer, err) : PT_OK;
}

static void end_group(struct pt_inputs *inputs)
{
    for (size_t i = 0; i < inputs->n; i++) {
        free(inputs->texts[i]);
        pt_words_free(&inputs->ids[i]);
    }
    free(inputs->texts);
    free(inputs->ids);
    free(inputs->group);
    inputs->texts = NULL;
    inputs->ids = NULL;
    inputs->group = NULL;
    inputs->n = 0;
}

void pt_inputs_close(struct pt_inputs *inputs)
{
    if (!inputs)
        return;
    end_group(inputs);
    pt_encoder_free(inputs->encoder);
    pt_buffer_free(&inputs->line);
    free(inputs);
}

static int next_text(struct pt_inputs *inputs, const char **text, size_t *n, bool *end, struct pt_error *err)
{
    if (inputs->options.n_texts) {
        *end = inputs->n_read == inputs->options.n_texts;
        *text = *end ? NULL : inputs->options.texts[inputs->n_read];
        *n = *end ? 0 : strlen(*text);
        return PT_OK;
    }
    if (pt_line_read(inputs->options.source, MAX_LINE_BYTES, &inputs->line, end, err))
        return (int)err->status;
    *text = inputs->line.data ? inputs->line.data : "";
    *n = inputs->line.size;
    if (!*end && memchr(*text, 0, *n))
        return pt_fail(err, PT_BAD_INPUT, "the line holds a NUL byte");
    return PT_OK;
}

static int parse_ids(const char *text, uint64_t vocab_size, struct pt_words *ids, struct pt_error *err)
{
    char *copy = pt_new_string(text, err), *rest = NULL;
    if (!copy)
        return (int)err->status;
    int status = PT_OK;
    for (char *word = strtok_r(copy, " \t,", &rest); word && !status; word = strtok_r(NULL, " \t,", &rest)) {
        uint64_t id;
        if (!pt_parse_u64(word, 0, vocab_size - 1, &id))
            status = pt_fail(err, PT_BAD_INPUT, "'%.32s' is not a token id below %llu", word,
                             (unsigned long long)vocab_size);
        else
            status = pt_words_push(ids, (uint32_t)id, err);
    }
    free(copy);
    return status;
}

/* The prompt part of a template and a plain text get the special tokens in front, none behind: the text goes
 * on. */
static int encode(struct pt_inputs *inputs, const char *text, size_t n, struct pt_words *ids,
                  struct pt_error *err)
{
    if (!inputs->encoder)
        return parse_ids(text, inputs->options.vocab_size, ids, err);
    struct pt_buffer rendered = {0};
    int status = pt_encode_front(inputs->encoder, ids, err);
    if (!status && inputs->options.template) {
        status = pt_template_render_question(inputs->options.template, text, n, &rendered, err);
        text = rendered.data;
        n = rendered.size;
    }
    if (!status)
        status = pt_encode(inputs->encoder, text, n, false, ids, err);
    pt_buffer_free(&rendered);
    for (size_t i = 0; i < ids->n && !status; i++)
        if (ids->data[i] >= inputs->options.vocab_size)
            status = pt_fail(err, PT_MISMATCH, "the tokenizer gives token %u, and the model has %llu",
                             ids->data[i], (unsigned long long)inputs->options.vocab_size);
    return status;
}

static int add_input(struct pt_inputs *inputs, const char *text, size_t n, struct pt_error *err)
{
    struct pt_words *ids = &inputs->ids[inputs->n];
    inputs->texts[inputs->n] = pt_new_string_n(text, n, err);
    if (!inputs->texts[inputs->n])
        return (int)err->status;
    inputs->n++;
    if (encode(inputs, text, n, ids, err))
        return (int)err->status;
    if (!ids->n)
        return pt_fail(err, PT_BAD_INPUT, "no token to continue");
    inputs->group[inputs->n - 1] = (struct pt_generation_input){ids->data, ids->n};
    return PT_OK;
}

int pt_inputs_next(struct pt_inputs *inputs, size_t most, size_t *n, struct pt_error *err)
{
    end_group(inputs);
    inputs->texts = pt_new_array(most, sizeof *inputs->texts, err);
    inputs->ids = pt_new_array(most, sizeof *inputs->ids, err);
    inputs->group = pt_new_array(most, sizeof *inputs->group, err);
    if (err->status)
        return (int)err->status;
    while (inputs->n < most) {
        const char *text = NULL;
        size_t n_bytes = 0;
        bool end = true;
        if (next_text(inputs, &text, &n_bytes, &end, err) || (!end && add_input(inputs, text, n_bytes, err)))
            return pt_error_in(err, "text %llu", (unsigned long long)inputs->n_read + 1);
        if (end)
            break;
        inputs->n_read++;
    }
    *n = inputs->n;
    return PT_OK;
}

const struct pt_generation_input *pt_inputs_group(const struct pt_inputs *inputs)
{
    return inputs->group;
}

const char *const *pt_inputs_texts(const struct pt_inputs *inputs)
{
    return (const char *const *)inputs->texts;
}
