/*
 * Decoded text is held back as long as its tail could be the beginning of a stop string.
 */
#include "generate/text_stream.h"

#include "base/log.h"

#include <string.h>

int pt_text_stream_init(struct pt_text_stream *stream, const struct pt_tokenizer *tokenizer,
                        const char *const *stops, size_t n_stops, struct pt_error *err)
{
    *stream = (struct pt_text_stream){.tokenizer = tokenizer, .stops = stops, .n_stops = n_stops};
    return pt_decoder_new(&stream->decoder, tokenizer, true, err);
}

void pt_text_stream_fini(struct pt_text_stream *stream)
{
    pt_decoder_free(stream->decoder);
    pt_buffer_free(&stream->held);
    *stream = (struct pt_text_stream){0};
}

/* Offset of the first stop string in the held text, its size if there is none. */
static size_t find_stop(const struct pt_text_stream *stream)
{
    size_t first = stream->held.size;
    for (size_t i = 0; i < stream->n_stops && stream->held.size; i++) {
        const char *found =
            memmem(stream->held.data, stream->held.size, stream->stops[i], strlen(stream->stops[i]));
        if (found && (size_t)(found - stream->held.data) < first)
            first = (size_t)(found - stream->held.data);
    }
    return first;
}

/* Bytes at the end of the held text that may still become a stop string. */
static size_t undecided(const struct pt_text_stream *stream)
{
    size_t most = 0;
    for (size_t i = 0; i < stream->n_stops; i++) {
        size_t n = strlen(stream->stops[i]) - 1;
        n = n < stream->held.size ? n : stream->held.size;
        while (n > most && memcmp(stream->held.data + stream->held.size - n, stream->stops[i], n) != 0)
            n--;
        most = n > most ? n : most;
    }
    return most;
}

/* Moves the first n held bytes to `out`. */
static int release(struct pt_text_stream *stream, size_t n, struct pt_buffer *out, struct pt_error *err)
{
    if (!n)
        return PT_OK;
    if (pt_buffer_append(out, stream->held.data, n, err))
        return (int)err->status;
    stream->held.size -= n;
    memmove(stream->held.data, stream->held.data + n, stream->held.size + 1);
    return PT_OK;
}

/* Hands out what is certain, or everything where no more text follows. */
static int settle(struct pt_text_stream *stream, bool last, struct pt_buffer *out, struct pt_error *err)
{
    size_t stop = find_stop(stream);
    stream->stopped = stop < stream->held.size;
    size_t n = stream->stopped ? stop : last ? stream->held.size : stream->held.size - undecided(stream);
    return release(stream, n, out, err);
}

static void meet_gap(struct pt_text_stream *stream, uint32_t id)
{
    if (!stream->met_gap)
        pt_log(PT_LOG_WARNING, "the model chose id %u, for which the tokenizer has no token: it has no text",
               id);
    stream->met_gap = true;
}

int pt_text_stream_push(struct pt_text_stream *stream, uint32_t id, struct pt_buffer *out,
                        struct pt_error *err)
{
    if (stream->stopped)
        return PT_OK;
    if (!pt_tokenizer_token(stream->tokenizer, id)) {
        meet_gap(stream, id);
        return PT_OK;
    }
    if (pt_decoder_push(stream->decoder, id, &stream->held, err))
        return (int)err->status;
    return settle(stream, false, out, err);
}

int pt_text_stream_finish(struct pt_text_stream *stream, struct pt_buffer *out, struct pt_error *err)
{
    if (stream->stopped)
        return PT_OK;
    if (pt_decoder_finish(stream->decoder, &stream->held, err))
        return (int)err->status;
    return settle(stream, true, out, err);
}
