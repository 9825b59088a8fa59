/*
 * The reader of token streams: whatever the bytes, it ends with success or with a message.
 */
#include "fmt/stream.h"
#include "input_file.h"

static int read_all(struct pt_stream_reader *reader, struct pt_error *err)
{
    bool end = false;
    bool examples = pt_stream_reader_head(reader)->kind == PT_STREAM_EXAMPLES;
    while (!end) {
        struct pt_example example;
        struct pt_update update;
        int status = examples ? pt_stream_read_example(reader, &example, &end, err)
                              : pt_stream_read_update(reader, &update, &end, err);
        if (status)
            return status;
    }
    return PT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct pt_error err = {0};
    struct pt_source *source = NULL;
    struct pt_stream_reader *reader = NULL;
    if (!pt_source_open_memory(&source, "input", bytes, n, &err) &&
        !pt_stream_reader_open(&reader, source, &err)) {
        if (read_all(reader, &err) && !err.message[0])
            __builtin_trap();
        pt_stream_reader_free(reader);
    }
    pt_source_close(source);
    return 0;
}
