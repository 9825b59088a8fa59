/*
 * safetensors on files and pipes (format: https://github.com/huggingface/safetensors, section "Format").
 *
 * Reading accepts what the reference reader accepts: an 8-byte header length, at most 100,000,000 bytes of
 * JSON (blanks around it are allowed), tensors that cover the data without holes or overlap, shapes whose
 * size equals their bytes, metadata of strings. Besides, it refuses duplicate keys, NUL characters in names
 * and metadata, integers that a signed 64-bit number does not hold, and a tensor's description as an array.
 * Dtypes that the format has and we do not, and more than PT_MAX_RANK dimensions, are PT_MISMATCH.
 * tests/compare-safetensors.py compares the decisions.
 *
 * The format has no checksum; files of ours bring one. Their metadata holds two keys, "pt.format" ("1") and
 * "pt.hash" (16 lower-case hexadecimal digits): the XXH64 of all bytes in front of the payload, with those 16
 * digits replaced by zeros, seeds the XXH64 of the first tensor's bytes, which seeds the next one's; the last
 * is the value (empty tensors are passed over). Either key demands the other and a hash that is right. So a
 * flipped bit anywhere is refused: it changes the hash, or damages one of the two keys but not both, or
 * breaks the JSON or the exact cover.
 */
#ifndef PT_FMT_SAFETENSORS_H
#define PT_FMT_SAFETENSORS_H

#include "fmt/tensors.h"
#include "io/sink.h"
#include "io/source.h"

#define PT_FORMAT_KEY "pt.format"
#define PT_HASH_KEY "pt.hash"

/* Maps a regular file; nothing but the header is read, unless the file carries a hash, which is then
 * verified. */
int pt_safetensors_open(struct pt_tensors *set, const char *path, struct pt_error *err) PT_MUST_USE;
/* Reads a pipe (or any source) into memory, to its end; more than `limit` bytes is PT_BAD_INPUT. */
int pt_safetensors_read(struct pt_tensors *set, struct pt_source *source, uint64_t limit,
                        struct pt_error *err) PT_MUST_USE;
/* True where a file may begin like this: a header length in range, then '{' or a blank. Needs 9 bytes. */
bool pt_safetensors_recognise(const void *bytes, size_t n);

/*
 * Writes the set as the reference writer does: metadata first (keys sorted), tensors by descending dtype and
 * then by name, no blanks, header padded with blanks to a multiple of 8. With `with_hash`, "pt.format" and
 * "pt.hash" are added to the metadata; without, they are left out. Without metadata and hash the bytes equal
 * those of the reference writer.
 */
int pt_safetensors_write(struct pt_sink *sink, const struct pt_tensors *set, bool with_hash,
                         struct pt_error *err) PT_MUST_USE;

#endif
