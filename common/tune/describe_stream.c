/*
 * Reports on token streams: counted by reading, so that a stream that is reported on is whole.
 */
#include "tune/describe_inside.h"

#include "fmt/json.h"

/* The head's own fields, "kind" among them. Counts of the wire are replaced by those of the sections. */
static int report_head(json_t *report, const struct pt_stream_head *head, struct pt_error *err)
{
    struct pt_buffer text = {0};
    json_t *object = NULL;
    if (!pt_stream_head_write(head, &text, err) &&
        !pt_json_parse(&object, text.data, text.size, "head", err) && json_object_update(report, object))
        pt_fail(err, PT_FAILED, "out of memory");
    json_decref(object);
    pt_buffer_free(&text);
    return (int)err->status;
}

static int read_examples(struct pt_stream_reader *reader, struct pt_error *err)
{
    struct pt_example example;
    bool end = false;
    while (!end)
        if (pt_stream_read_example(reader, &example, &end, err))
            return (int)err->status;
    return PT_OK;
}

int pt_report_stream(json_t *report, struct pt_source *source, struct pt_error *err)
{
    struct pt_stream_reader *reader;
    if (pt_stream_reader_open(&reader, source, err))
        return (int)err->status;
    if (!report_head(report, pt_stream_reader_head(reader), err) && !read_examples(reader, err)) {
        struct pt_stream_totals totals = pt_stream_reader_totals(reader);
        if (!pt_report_count(report, "examples", totals.examples, err) &&
            !pt_report_count(report, "updates", totals.updates, err) &&
            !pt_report_count(report, "tokens", totals.tokens, err))
            (void)!pt_report_count(report, "targets", totals.targets, err);
    }
    pt_stream_reader_free(reader);
    return (int)err->status;
}
