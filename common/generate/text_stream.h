/*
 * A continuation's text as it comes: whole characters only, and up to the first stop string.
 */
#ifndef PT_GENERATE_TEXT_STREAM_H
#define PT_GENERATE_TEXT_STREAM_H

#include "text/tokenizer.h"

#include <stdbool.h>

struct pt_text_stream {
    const struct pt_tokenizer *tokenizer; /* borrowed */
    struct pt_decoder *decoder;           /* owned */
    const char *const *stops;             /* [n_stops], borrowed */
    size_t n_stops;
    bool stopped;          /* a stop string came */
    bool met_gap;          /* an id came that the tokenizer has no token for */
    struct pt_buffer held; /* decoded, but it may be the beginning of a stop string */
};

int pt_text_stream_init(struct pt_text_stream *stream, const struct pt_tokenizer *tokenizer,
                        const char *const *stops, size_t n_stops, struct pt_error *err) PT_MUST_USE;
void pt_text_stream_fini(struct pt_text_stream *stream);

/*
 * Appends to `out` what is certain after this id. stream->stopped: a stop string came; it and what follows is
 * left out. Models have more rows than their tokenizers have tokens: the id of such a row has no text, as in
 * the reference, and a warning says so once.
 */
int pt_text_stream_push(struct pt_text_stream *stream, uint32_t id, struct pt_buffer *out,
                        struct pt_error *err) PT_MUST_USE;
/* Appends what was held back. */
int pt_text_stream_finish(struct pt_text_stream *stream, struct pt_buffer *out,
                          struct pt_error *err) PT_MUST_USE;

#endif
