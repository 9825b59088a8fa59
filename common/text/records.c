/*
 * The first characters decide how a file is read; from there each form has its own way to the next record.
 */
#include "text/records.h"

#include "base/memory.h"
#include "fmt/arrow.h"
#include "fmt/json.h"
#include "io/line.h"
#include "io/source.h"
#include "text/arrow_records.h"
#include "text/json_records.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PEEKED_BYTES = 4096 };
#define LARGEST_TEXT (UINT64_C(1) << 30)

struct pt_records {
    char *name;                     /* owned */
    struct pt_source *source;       /* owned; NULL for a folder */
    struct pt_arrow_records *arrow; /* owned; NULL where it is something else */
    json_t *object;                 /* owned: the current record, a row of Arrow data */
    enum pt_record_form form;
    bool form_was_guessed;
    struct pt_json_records json;
    struct pt_buffer text;
    uint64_t n_records;
};

static int take_byte_order_mark(struct pt_records *records, struct pt_error *err)
{
    const void *bytes;
    char mark[3];
    size_t n;
    if (pt_source_peek(records->source, 3, &bytes, &n, err))
        return (int)err->status;
    if (n == 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        return pt_source_read(records->source, mark, 3, &n, err);
    if (n >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0)) {
        pt_fail(err, PT_BAD_INPUT, "%s: UTF-16 in place of UTF-8", records->name);
        return pt_error_hint(err, "iconv -f UTF-16 -t UTF-8 makes it readable");
    }
    return PT_OK;
}

/* Refuses a NUL among text that lies at `offset` in the file. */
static int refuse_nul(const struct pt_records *records, const char *text, size_t n, uint64_t offset,
                      struct pt_error *err)
{
    const char *nul = memchr(text, 0, n);
    return nul ? pt_fail(err, PT_BAD_INPUT, "%s: byte %llu: a NUL: binary data, not text", records->name,
                         (unsigned long long)(offset + (size_t)(nul - text)))
               : PT_OK;
}

static int find_form(struct pt_records *records, bool *is_arrow, struct pt_error *err)
{
    const void *peeked;
    size_t n, at = 0;
    *is_arrow = false;
    if (take_byte_order_mark(records, err) || pt_source_peek(records->source, PEEKED_BYTES, &peeked, &n, err))
        return (int)err->status;
    const char *bytes = peeked;
    if (pt_is_lfs_pointer(bytes, n))
        return pt_refuse_lfs_pointer(records->name, err);
    *is_arrow = records->form == PT_RECORDS_ANY && pt_arrow_recognise(bytes, n);
    if (*is_arrow)
        return PT_OK;
    while (at < n && pt_is_json_blank(bytes[at]))
        at++;
    records->form_was_guessed =
        records->form == PT_RECORDS_ANY && at < n && bytes[at] != '{' && bytes[at] != '[';
    if (records->form_was_guessed)
        records->form = PT_RECORDS_LINES;
    /* Before the first line is looked for, which may have no end. */
    return records->form == PT_RECORDS_ANY
               ? PT_OK
               : refuse_nul(records, bytes, n, pt_source_offset(records->source), err);
}

static int open_file(struct pt_records *records, const char *path, struct pt_error *err)
{
    bool is_arrow;
    if (pt_source_open(&records->source, path, err) || find_form(records, &is_arrow, err))
        return (int)err->status;
    if (is_arrow)
        return pt_arrow_records_open(&records->arrow, path, records->source, err);
    pt_json_records_init(&records->json, records->source);
    return PT_OK;
}

static int open_folder(struct pt_records *records, const char *path, struct pt_error *err)
{
    if (records->form != PT_RECORDS_ANY)
        return pt_fail(err, PT_BAD_INPUT, "%s: is a folder, where a file of text is expected", path);
    return pt_arrow_records_open_folder(&records->arrow, path, err);
}

bool pt_records_in_folder(const char *path)
{
    struct stat status;
    return strcmp(path, "-") != 0 && stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int pt_records_open(struct pt_records **out, const char *path, enum pt_record_form form, struct pt_error *err)
{
    struct pt_records *records = pt_new_array(1, sizeof *records, err);
    if (!records)
        return (int)err->status;
    records->form = form;
    records->name = pt_new_string(strcmp(path, "-") ? path : "standard input", err);
    if (!records->name ||
        (pt_records_in_folder(path) ? open_folder(records, path, err) : open_file(records, path, err))) {
        pt_records_close(records);
        return (int)err->status;
    }
    *out = records;
    return PT_OK;
}

void pt_records_close(struct pt_records *records)
{
    if (!records)
        return;
    pt_json_records_free(&records->json);
    pt_source_close(records->source);
    pt_arrow_records_close(records->arrow);
    pt_buffer_free(&records->text);
    json_decref(records->object);
    free(records->name);
    free(records);
}

int pt_record_error(const struct pt_record *record, struct pt_error *err)
{
    if (record->line)
        (void)!pt_error_in(err, "line %llu", (unsigned long long)record->line);
    return pt_error_in(err, "%s: record %llu", record->name, (unsigned long long)record->number);
}

static int next_json(struct pt_records *records, struct pt_record *record, bool *end, bool *skippable,
                     struct pt_error *err)
{
    struct pt_json_record found;
    if (pt_json_records_next(&records->json, &found, end, skippable, err))
        return pt_error_in(err, "%s: record %llu", record->name, (unsigned long long)record->number);
    record->kind = PT_RECORD_JSON;
    if (*end)
        return PT_OK;
    record->text = found.text;
    record->n = found.n;
    record->line = found.line;
    record->offset = found.offset;
    return PT_OK;
}

static int next_row(struct pt_records *records, struct pt_record *record, bool *end, bool *skippable,
                    struct pt_error *err)
{
    json_decref(records->object);
    if (pt_arrow_records_next(records->arrow, &records->object, &record->n, skippable, err))
        return *skippable ? pt_record_error(record, err) : (int)err->status;
    record->kind = PT_RECORD_OBJECT;
    record->object = records->object;
    *end = !record->object;
    return PT_OK;
}

static int next_text(struct pt_records *records, struct pt_record *record, bool *end, struct pt_error *err)
{
    const uint64_t offset = pt_source_offset(records->source);
    pt_buffer_clear(&records->text);
    if (records->form == PT_RECORDS_LINES) {
        record->line = record->number;
        if (pt_line_read(records->source, LARGEST_TEXT, &records->text, end, err))
            return pt_record_error(record, err);
    } else if (!(*end = records->n_records > 0)) {
        record->line = 1;
        if (pt_source_read_all(records->source, LARGEST_TEXT, &records->text, err))
            return (int)err->status;
        *end = records->text.size == 0;
    }
    record->text = records->text.data ? records->text.data : "";
    record->n = records->text.size;
    return refuse_nul(records, record->text, record->n, offset, err);
}

int pt_records_next(struct pt_records *records, struct pt_record *record, bool *end, bool *skippable,
                    struct pt_error *err)
{
    *record = (struct pt_record){.name = records->name,
                                 .number = records->n_records + 1,
                                 .form_was_guessed = records->form_was_guessed};
    *end = *skippable = false;
    int status = records->arrow                    ? next_row(records, record, end, skippable, err)
                 : records->form == PT_RECORDS_ANY ? next_json(records, record, end, skippable, err)
                                                   : next_text(records, record, end, err);
    records->n_records++;
    return status;
}
