/*
 * pt-pack: examples to updates.
 */
#include "cli/tool.h"
#include "fmt/history.h"
#include "fmt/json.h"
#include "tune/pack.h"

#include <inttypes.h>

enum {
    OPTION_MAX_LENGTH = PT_OPTION_KEYS,
    OPTION_BATCH_SIZE,
    OPTION_GRADIENT_ACCUMULATION,
    OPTION_EPOCHS,
    OPTION_MAX_STEPS,
    OPTION_SEED,
    OPTION_NO_SHUFFLE,
    OPTION_DROP_UNTARGETED,
    OPTION_STATS,
    OPTION_MEMORY,
};

#define MOST_LENGTH INT32_MAX
#define MOST_COUNT (UINT64_C(1) << 53)

struct settings {
    struct pt_pack_settings pack;
    bool stats;
};

static const struct argp_option option_table[] = {
    {"max-length", OPTION_MAX_LENGTH, "N", 0, "Keep the first N tokens of an example (default: 256)", 0},
    {"batch-size", OPTION_BATCH_SIZE, "N", 0, "Examples of a micro-batch (default: 1)", 0},
    {"gradient-accumulation", OPTION_GRADIENT_ACCUMULATION, "N", 0, "Micro-batches of an update (default: 8)",
     0},
    {"epochs", OPTION_EPOCHS, "X", 0, "Go X times through the examples (default: 1); may be a fraction", 0},
    {"max-steps", OPTION_MAX_STEPS, "N", 0, "Make N updates in place of --epochs, however many that takes",
     0},
    {"seed", OPTION_SEED, "N", 0, "Seed of the order (default: 42)", 0},
    {"no-shuffle", OPTION_NO_SHUFFLE, NULL, 0, "Keep the order of the input in every epoch", 0},
    {"drop-untargeted", OPTION_DROP_UNTARGETED, NULL, 0, "Leave out examples without a counted token", 0},
    {"stats", OPTION_STATS, NULL, PT_OPTION_WATCHING, "Print what was packed as JSON on standard error", 0},
    {"memory", OPTION_MEMORY, "SIZE", PT_OPTION_WATCHING,
     "Keep at most SIZE of tokens in memory, more in a temporary file (default: 512M)", 0},
    {0},
};

static int set(void *context, int key, const char *text, struct pt_error *err)
{
    struct settings *settings = context;
    struct pt_pack_settings *pack = &settings->pack;
    struct pt_order_settings *order = &pack->order;
    switch (key) {
    case OPTION_MAX_LENGTH:
        return pt_option_u64("--max-length", text, 1, MOST_LENGTH, &pack->max_length, err);
    case OPTION_BATCH_SIZE:
        return pt_option_u64("--batch-size", text, 1, MOST_COUNT, &order->batch_size, err);
    case OPTION_GRADIENT_ACCUMULATION:
        return pt_option_u64("--gradient-accumulation", text, 1, MOST_COUNT, &order->gradient_accumulation,
                             err);
    case OPTION_EPOCHS:
        if (pt_option_double("--epochs", text, 0, 1e9, &order->epochs, err) || order->epochs > 0)
            return (int)err->status;
        return pt_fail(err, PT_USAGE, "--epochs: must be above 0");
    case OPTION_MAX_STEPS:
        return pt_option_u64("--max-steps", text, 1, MOST_COUNT, &order->max_steps, err);
    case OPTION_SEED:
        return pt_option_u64("--seed", text, 0, INT64_MAX, &order->seed, err);
    case OPTION_NO_SHUFFLE:
        order->shuffle = false;
        return PT_OK;
    case OPTION_DROP_UNTARGETED:
        pack->drop_untargeted = true;
        return PT_OK;
    case OPTION_STATS:
        settings->stats = true;
        return PT_OK;
    default:
        return pt_option_size("--memory", text, &pack->memory, err);
    }
}

static int read_one(struct pt_pack *pack, const char *path, struct pt_error *err)
{
    struct pt_source *source;
    if (pt_check_binary_input(path, err) || pt_source_open(&source, path, err))
        return (int)err->status;
    int status = pt_pack_read(pack, source, err);
    pt_source_close(source);
    return status;
}

static int read_all(struct pt_pack *pack, const struct pt_common *common, struct pt_error *err)
{
    if (!common->n_arguments)
        return read_one(pack, "-", err);
    for (size_t i = 0; i < common->n_arguments; i++)
        if (read_one(pack, common->arguments[i], err))
            return (int)err->status;
    return PT_OK;
}

static void tell(const struct pt_pack_counts *counts, const struct pt_stream_head *head, uint64_t max_length)
{
    pt_log(PT_LOG_VERBOSE,
           "%" PRIu64 " updates, %" PRIu64 " examples, %" PRIu64 " tokens, %" PRIu64 " of them counted",
           head->n_updates, head->n_examples, head->n_tokens, head->n_targets);
    if (counts->cut)
        pt_log(PT_LOG_NOTE, "%" PRIu64 " of %" PRIu64 " examples were cut to %" PRIu64 " tokens", counts->cut,
               counts->examples, max_length);
    if (counts->dropped)
        pt_log(PT_LOG_NOTE, "%" PRIu64 " examples without a counted token were left out", counts->dropped);
    else if (counts->untargeted)
        pt_log(PT_LOG_WARNING,
               "%" PRIu64 " of %" PRIu64
               " examples have no counted token (--drop-untargeted leaves them out)",
               counts->untargeted, counts->examples);
}

/* On standard error as it is, for programs to read. */
static int print_stats(const struct pt_pack *pack, const struct pt_stream_head *head, struct pt_error *err)
{
    struct pt_buffer text = {0};
    struct pt_sink *sink = NULL;
    struct pt_pack_counts counts = pt_pack_counts(pack);
    json_t *stats = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f}", "examples",
                              (json_int_t)counts.examples, "tokens", (json_int_t)counts.tokens, "targets",
                              (json_int_t)counts.targets, "cut", (json_int_t)counts.cut, "untargeted",
                              (json_int_t)counts.untargeted, "dropped", (json_int_t)counts.dropped, "updates",
                              (json_int_t)head->n_updates, "epochs", head->n_epochs);
    if (!stats)
        pt_fail(err, PT_FAILED, "out of memory");
    else if (!pt_json_append(&text, stats, 0, err) && !pt_buffer_append(&text, "\n", 1, err) &&
             !pt_sink_open(&sink, "/dev/fd/2", err) && !pt_sink_write(sink, text.data, text.size, err)) {
        (void)!pt_sink_commit(sink, err);
        sink = NULL;
    }
    pt_sink_discard(sink);
    json_decref(stats);
    pt_buffer_free(&text);
    return (int)err->status;
}

static int pack_all(struct pt_pack *pack, const struct settings *settings, const struct pt_common *common,
                    struct pt_sink *sink, struct pt_stream_head **head, struct pt_error *err)
{
    if (read_all(pack, common, err) || pt_pack_finish(pack, head, err) ||
        pt_history_add(&(*head)->history, "pt-pack", common->history, err))
        return (int)err->status;
    struct pt_pack_counts counts = pt_pack_counts(pack);
    tell(&counts, *head, settings->pack.max_length);
    return pt_pack_write(pack, sink, err);
}

static int run(void *context, const struct pt_common *common, struct pt_error *err)
{
    const struct settings *settings = context;
    struct pt_sink *sink;
    struct pt_pack *pack = NULL;
    struct pt_stream_head *head = NULL;
    if (pt_open_binary_output(&sink, common, err))
        return (int)err->status;
    if (pt_pack_open(&pack, &settings->pack, err) || pack_all(pack, settings, common, sink, &head, err))
        pt_sink_discard(sink);
    else if (!pt_sink_commit(sink, err) && settings->stats)
        (void)!print_stats(pack, head, err);
    pt_pack_close(pack);
    return (int)err->status;
}

int main(int argc, char **argv)
{
    static struct settings settings = {
        .pack = {.max_length = 256,
                 .memory = UINT64_C(512) << 20,
                 .order =
                     {.batch_size = 1, .gradient_accumulation = 8, .epochs = 1, .seed = 42, .shuffle = true}},
    };
    static const struct pt_tool tool = {
        .name = "pt-pack",
        .synopsis = "[FILE...]",
        .most_arguments = PT_ANY_NUMBER,
        .summary = "Turns token streams of examples into a token stream of updates: cut to a length, "
                   "shuffled and grouped as "
                   "the Trainer of transformers does, repeated for each epoch."
                   "\vExample:\n  pt-tokenize -m MODEL data.json | pt-pack --epochs 3 | pt-train -m MODEL -p "
                   "PROMPT > tuned.safetensors",
        .options = option_table,
        .settings = &settings,
        .set = set,
        .run = run,
    };
    return pt_tool_main(&tool, argc, argv);
}
