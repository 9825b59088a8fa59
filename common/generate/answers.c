/*
 * Each continuation collects its ready output in a buffer of its own. The buffer of the one whose turn it is
 * goes to the sink after every token, which is what makes text appear as it is produced.
 */
#include "generate/answers.h"

#include "base/memory.h"
#include "fmt/json.h"

#include <stdlib.h>

struct answer {
    struct pt_text_stream text;
    bool has_text; /* the stream is in use */
    struct pt_words ids;
    struct pt_buffer ready; /* not written yet */
    enum pt_finish finish;
};

struct pt_answers {
    struct pt_sink *sink;
    struct pt_answers_options options;
    const char *const *prompts; /* of the group, borrowed */
    size_t n_samples;
    uint64_t first;
    struct answer *list; /* [n], owned */
    size_t n;
    size_t turn; /* the first that is not written to its end */
};

int pt_answers_new(struct pt_answers **answers, struct pt_sink *sink,
                   const struct pt_answers_options *options, struct pt_error *err)
{
    struct pt_answers *made = pt_new_array(1, sizeof *made, err);
    *answers = made;
    if (!made)
        return (int)err->status;
    made->sink = sink;
    made->options = *options;
    return PT_OK;
}

static void end_group(struct pt_answers *answers)
{
    for (size_t i = 0; i < answers->n; i++) {
        struct answer *answer = &answers->list[i];
        if (answer->has_text)
            pt_text_stream_fini(&answer->text);
        pt_words_free(&answer->ids);
        pt_buffer_free(&answer->ready);
    }
    free(answers->list);
    answers->list = NULL;
    answers->n = answers->turn = 0;
}

void pt_answers_free(struct pt_answers *answers)
{
    if (!answers)
        return;
    end_group(answers);
    free(answers);
}

int pt_answers_begin(struct pt_answers *answers, const char *const *prompts, size_t n_prompts,
                     size_t n_samples, uint64_t first, struct pt_error *err)
{
    end_group(answers);
    answers->prompts = prompts;
    answers->n_samples = n_samples;
    answers->first = first;
    answers->list = pt_new_array(n_prompts * n_samples, sizeof *answers->list, err);
    if (!answers->list)
        return (int)err->status;
    answers->n = n_prompts * n_samples;
    for (size_t i = 0; answers->options.tokenizer && i < answers->n; i++) {
        if (pt_text_stream_init(&answers->list[i].text, answers->options.tokenizer, answers->options.stops,
                                answers->options.n_stops, err))
            return (int)err->status;
        answers->list[i].has_text = true;
    }
    return PT_OK;
}

/* The object of a finished continuation, whose text is in `ready`, takes the text's place. */
static int make_object(const struct pt_answers *answers, size_t number, struct pt_error *err)
{
    struct answer *answer = &answers->list[number];
    json_t *ids = json_array();
    for (size_t i = 0; i < answer->ids.n; i++)
        json_array_append_new(ids, json_integer((json_int_t)answer->ids.data[i]));
    json_t *text = answer->has_text
                       ? json_stringn(answer->ready.data ? answer->ready.data : "", answer->ready.size)
                       : json_null();
    json_t *object = json_pack("{s:I, s:I, s:s?, s:o, s:o, s:s}", "index",
                               (json_int_t)(answers->first + number / answers->n_samples), "sample",
                               (json_int_t)(number % answers->n_samples), "prompt",
                               answers->prompts[number / answers->n_samples], "text", text, "ids", ids,
                               "finish_reason", answer->finish == PT_FINISH_STOP ? "stop" : "length");
    if (!object)
        return pt_fail(err, PT_FAILED, "out of memory");
    pt_buffer_clear(&answer->ready);
    int status = pt_json_append(&answer->ready, object, JSON_COMPACT, err);
    json_decref(object);
    return status;
}

static int finish_answer(struct pt_answers *answers, size_t number, struct pt_error *err)
{
    struct answer *answer = &answers->list[number];
    if (answer->has_text && answers->options.form != PT_ANSWER_IDS &&
        pt_text_stream_finish(&answer->text, &answer->ready, err))
        return (int)err->status;
    if (answers->options.form == PT_ANSWER_JSON && make_object(answers, number, err))
        return (int)err->status;
    return pt_buffer_append(&answer->ready, &answers->options.terminator, 1, err);
}

/* Writes what may be written now. An object is only complete, and a turn only over, when the continuation has
 * finished. */
static int write_ready(struct pt_answers *answers, struct pt_error *err)
{
    for (; answers->turn < answers->n; answers->turn++) {
        struct answer *answer = &answers->list[answers->turn];
        bool finished = answer->finish != PT_UNFINISHED;
        if (finished || answers->options.form != PT_ANSWER_JSON) {
            if (pt_sink_write(answers->sink, answer->ready.data, answer->ready.size, err))
                return (int)err->status;
            pt_buffer_clear(&answer->ready);
        }
        if (!finished)
            break;
    }
    return pt_sink_flush(answers->sink, err);
}

static int add_token(struct pt_answers *answers, struct answer *answer, uint32_t id, struct pt_error *err)
{
    if (answers->options.form == PT_ANSWER_IDS &&
        pt_buffer_append_format(&answer->ready, err, answer->ids.n ? " %u" : "%u", id))
        return (int)err->status;
    if (pt_words_push(&answer->ids, id, err))
        return (int)err->status;
    if (!answer->has_text)
        return PT_OK;
    struct pt_buffer unused = {0};
    struct pt_buffer *out = answers->options.form == PT_ANSWER_IDS ? &unused : &answer->ready;
    int status = pt_text_stream_push(&answer->text, id, out, err);
    pt_buffer_free(&unused);
    return status;
}

int pt_answers_take(void *context, size_t continuation, uint32_t id, enum pt_finish *finish,
                    struct pt_error *err)
{
    struct pt_answers *answers = context;
    struct answer *answer = &answers->list[continuation];
    if (add_token(answers, answer, id, err))
        return (int)err->status;
    if (answer->text.stopped)
        *finish = PT_FINISH_STOP;
    answer->finish = *finish;
    if (*finish != PT_UNFINISHED && finish_answer(answers, continuation, err))
        return (int)err->status;
    return write_ready(answers, err);
}
