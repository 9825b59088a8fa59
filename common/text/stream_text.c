/*
 * One decoder runs over all examples; it is finished behind each.
 */
#include "text/stream_text.h"

struct stream_text {
    struct pt_decoder *decoder;
    bool show_targets;
    struct pt_sink *sink;
    struct pt_buffer text;
};

static int write_example(struct stream_text *out, const struct pt_example *example, struct pt_error *err)
{
    bool counted = false;
    pt_buffer_clear(&out->text);
    for (uint64_t i = 0; i <= example->n_words; i++) {
        bool counts = i < example->n_words && (example->words[i] & PT_COUNTED);
        if (out->show_targets && counts != counted &&
            pt_buffer_append_string(&out->text, counts ? PT_TARGET_OPEN : PT_TARGET_CLOSE, err))
            return (int)err->status;
        counted = counts;
        if (i < example->n_words &&
            pt_decoder_push(out->decoder, PT_TOKEN_ID(example->words[i]), &out->text, err))
            return (int)err->status;
    }
    if (pt_decoder_finish(out->decoder, &out->text, err) || pt_buffer_append(&out->text, "\n", 1, err))
        return (int)err->status;
    return pt_sink_write(out->sink, out->text.data, out->text.size, err);
}

static int write_update(struct stream_text *out, const struct pt_update *update, struct pt_error *err)
{
    for (uint64_t i = 0; i < update->n_examples; i++)
        if (write_example(out, &update->examples[i], err))
            return (int)err->status;
    return PT_OK;
}

static int write_all(struct stream_text *out, struct pt_stream_reader *reader, struct pt_error *err)
{
    bool updates = pt_stream_reader_head(reader)->kind == PT_STREAM_UPDATES;
    struct pt_example example;
    struct pt_update update;
    for (bool end;;) {
        if (updates ? pt_stream_read_update(reader, &update, &end, err)
                    : pt_stream_read_example(reader, &example, &end, err))
            return (int)err->status;
        if (end)
            return PT_OK;
        if (updates ? write_update(out, &update, err) : write_example(out, &example, err))
            return (int)err->status;
    }
}

int pt_stream_text_write(struct pt_stream_reader *reader, const struct pt_tokenizer *tokenizer,
                         bool show_targets, struct pt_sink *sink, struct pt_error *err)
{
    struct stream_text out = {.show_targets = show_targets, .sink = sink};
    if (pt_decoder_new(&out.decoder, tokenizer, false, err))
        return (int)err->status;
    (void)!write_all(&out, reader, err);
    pt_decoder_free(out.decoder);
    pt_buffer_free(&out.text);
    return (int)err->status;
}
