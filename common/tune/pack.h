/*
 * Packing: streams of examples in, one stream of updates out, in the Trainer's order (tune/order.h).
 * Everything is read before anything is written, so that the head of the stream can say what follows.
 */
#ifndef PT_TUNE_PACK_H
#define PT_TUNE_PACK_H

#include "fmt/stream.h"
#include "io/source.h"
#include "tune/order.h"

struct pt_pack_settings {
    uint64_t max_length;  /* of an example: its first tokens stay; at least 1, below 2^32 */
    bool drop_untargeted; /* leave out examples without a counted token among those that stay */
    uint64_t memory;      /* bytes of tokens that are kept in memory; the rest goes to a temporary file */
    struct pt_order_settings order; /* n_examples is filled in */
};

/* The data set as it is packed: one epoch of it. */
struct pt_pack_counts {
    uint64_t examples, tokens, targets; /* targets: tokens that count in the loss */
    uint64_t cut;                       /* examples longer than max_length */
    uint64_t untargeted;                /* examples without a counted token, dropped or not */
    uint64_t dropped;
};

struct pt_pack;

int pt_pack_open(struct pt_pack **pack, const struct pt_pack_settings *settings,
                 struct pt_error *err) PT_MUST_USE;
void pt_pack_close(struct pt_pack *pack); /* NULL is allowed */

/* Reads a run of streams of examples to its end. PT_MISMATCH where it holds updates, or does not belong to
 * the sources before it. */
int pt_pack_read(struct pt_pack *pack, struct pt_source *source, struct pt_error *err) PT_MUST_USE;
struct pt_pack_counts pt_pack_counts(const struct pt_pack *pack);

/*
 * Settles what is written: the head, complete but for an entry of the caller's in its history; owned by the
 * pack. Without any example PT_BAD_INPUT.
 */
int pt_pack_finish(struct pt_pack *pack, struct pt_stream_head **head, struct pt_error *err) PT_MUST_USE;
/* Writes the whole stream of updates, its end section included. */
int pt_pack_write(struct pt_pack *pack, struct pt_sink *sink, struct pt_error *err) PT_MUST_USE;

#endif
