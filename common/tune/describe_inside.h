/*
 * The parts of a description, one a kind of file. Inside this layer only. Each adds what it knows to a
 * report; a value that could not be allocated is PT_FAILED.
 */
#ifndef PT_TUNE_DESCRIBE_INSIDE_H
#define PT_TUNE_DESCRIBE_INSIDE_H

#include "fmt/stream.h"
#include "fmt/tensors.h"

/* Sets a key to a new value, which is taken over; NULL as value: memory is out. */
int pt_report_set(json_t *report, const char *key, json_t *value, struct pt_error *err) PT_MUST_USE;
int pt_report_count(json_t *report, const char *key, uint64_t count, struct pt_error *err) PT_MUST_USE;
/* Left out where text is NULL or empty. */
int pt_report_text(json_t *report, const char *key, const char *text, struct pt_error *err) PT_MUST_USE;

/* Tensors of one or several sets; with verify every element is read. */
int pt_report_tensors(json_t *report, const struct pt_tensors *sets, size_t n, bool verify,
                      struct pt_error *err) PT_MUST_USE;
/* Kind and metadata of a tensor file, then its tensors. */
int pt_report_tensor_file(json_t *report, const struct pt_tensors *set, bool verify,
                          struct pt_error *err) PT_MUST_USE;
/* Reads the stream to its end. */
int pt_report_stream(json_t *report, struct pt_source *source, struct pt_error *err) PT_MUST_USE;
/* Compares the checksums that a PyTorch file has; others were compared when they were opened. */
int pt_report_verify_file(const char *path, struct pt_error *err) PT_MUST_USE;
/* Folders. */
int pt_report_checkpoint(json_t *report, const char *folder, bool verify, struct pt_error *err) PT_MUST_USE;
int pt_report_tokenizer(json_t *report, const char *path, struct pt_error *err) PT_MUST_USE;

#endif
