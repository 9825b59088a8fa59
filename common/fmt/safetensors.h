/*
 * safetensors on files and pipes (format: https://github.com/huggingface/safetensors, section "Format").
 *
 * Reading accepts exactly what the reference reader accepts: an 8-byte header length, at most 100,000,000 bytes of
 * JSON that starts with '{', no duplicate keys, tensors that cover the data without holes or overlap, shapes
 * whose size equals their bytes. A file of ours also carries the metadata key "pt.hash": the XXH64 (16 hexadecimal digits) of the
 * header with that value's digits replaced by zeros, chained with the payload's; a file that has the key and does not match
 * is refused, so that a flipped bit anywhere does not pass.
 */
#ifndef PT_FMT_SAFETENSORS_H
#define PT_FMT_SAFETENSORS_H

#include "fmt/tensors.h"
#include "io/sink.h"
#include "io/source.h"

/* Maps a regular file; nothing but the header is read, unless the file carries "pt.hash", which is then verified. */
int pt_safetensors_open(struct pt_tensors *set, const char *path, struct pt_error *err) PT_MUST_USE;
/* Reads a pipe (or any source) into memory, to its end; more than `limit` bytes is PT_BAD_INPUT. */
int pt_safetensors_read(struct pt_tensors *set, struct pt_source *source, uint64_t limit, struct pt_error *err) PT_MUST_USE;

/*
 * Writes the set as the reference writer does: metadata first (keys sorted), tensors by descending alignment of dtype and then
 * by name, no blanks, header padded with blanks to a multiple of 8. With `with_hash`, "pt.hash" is added to the metadata.
 * Without metadata and hash the bytes equal those of the reference writer.
 */
int pt_safetensors_write(struct pt_sink *sink, const struct pt_tensors *set, bool with_hash, struct pt_error *err) PT_MUST_USE;

#endif
