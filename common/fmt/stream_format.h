/*
 * The byte layout that reader and writer of the token stream share: man/pt-stream.5 in numbers.
 */
#ifndef PT_FMT_STREAM_FORMAT_H
#define PT_FMT_STREAM_FORMAT_H

#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the stream's byte order is the machine's");

#define PT_STREAM_MAGIC "\x89PTS\r\n\x1a\n"
#define PT_SECTION_HEAD "head    "
#define PT_SECTION_EXAMPLES "examples"
#define PT_SECTION_UPDATE "update  "
#define PT_SECTION_END "end     "

enum {
    PT_STREAM_MAGIC_BYTES = 8,
    PT_STREAM_VERSION = 1,
    PT_SECTION_TYPE_BYTES = 8,
    PT_HEAD_LIMIT = 1 << 24, /* bytes of a head's JSON */
    PT_END_WORDS = 4,        /* 64-bit words of an end section */
    PT_UPDATE_WORDS = 2,     /* 64-bit words at the beginning of an update */
};
#define PT_SECTION_LIMIT (UINT64_C(1) << 34) /* bytes of a section's payload */

struct pt_section_header {
    char type[PT_SECTION_TYPE_BYTES];
    uint64_t version;
    uint64_t payload_bytes;
    uint64_t count;    /* examples in the section */
    uint64_t checksum; /* XXH64 of what stands before it, seeded with the checksum before it */
};
enum { PT_SECTION_CHECKED_BYTES = 32 };
_Static_assert(sizeof(struct pt_section_header) == PT_SECTION_CHECKED_BYTES + 8, "no padding");

#endif
