/*
 * Arrow streams and files, and every value of their first records.
 */
#include "input_file.h"
#include "text/arrow_records.h"

enum { MOST_RECORDS = 1000 };

static void read_records(struct pt_arrow_records *records)
{
    json_t *object = NULL;
    size_t n_bytes;
    bool skippable = true;
    for (int i = 0; i < MOST_RECORDS && skippable; i++) {
        struct pt_error err = {0};
        int status = pt_arrow_records_next(records, &object, &n_bytes, &skippable, &err);
        if (status ? !err.message[0] || object : !object && skippable)
            __builtin_trap();
        json_decref(object);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct pt_error err = {0};
    struct pt_source *source;
    struct pt_arrow_records *records;
    if (pt_source_open_memory(&source, "fuzz", bytes, n, &err))
        return 0;
    if (!pt_arrow_records_open(&records, "", source, &err)) {
        read_records(records);
        pt_arrow_records_close(records);
    }
    pt_source_close(source);
    return 0;
}
