/*
 * The whole way from files of records to a stream of examples, by several threads: what is written, and which
 * failure is reported, does not depend on their number. Memory holds a few batches of records.
 */
#ifndef PT_TEXT_EXAMPLE_STREAM_H
#define PT_TEXT_EXAMPLE_STREAM_H

#include "fmt/stream.h"
#include "text/examples.h"
#include "text/record_files.h"

struct pt_example_stream_settings {
    struct pt_example_settings examples;
    bool skip_bad;   /* a bad record is reported (pt_log) and left out, in place of ending everything */
    json_t *history; /* borrowed: of the stream's head */
    size_t n_threads;
};

/* Writes the stream, its end section included. PT_BAD_INPUT where all records are bad. */
int pt_example_stream_write(struct pt_record_files *files, const struct pt_example_stream_settings *settings,
                            struct pt_sink *sink, struct pt_error *err) PT_MUST_USE;

#endif
