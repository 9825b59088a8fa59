/*
 * The workspace says how large it is with everything kept, with the inputs of layers and with nothing; the rest
 * is counted here.
 *
 * Weights that are in memory cost nothing to go over again, so an update that is too large runs in slices of
 * examples. Weights that come from a disk do: every slice reads all of them twice. Then slices are as large as
 * they can be with the inputs of layers alone kept.
 *
 * With one slice the bytes of the result do not depend on what is kept, and it is what there is room for. With
 * several they may: the rows in front are computed with the first slice and again with the last one, and a
 * product of another number of rows may take another kernel. So the choice is the engine's, as slice_rows is.
 */
#include "model/plan.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "model/engine_state.h"
#include "model/panels.h"

enum { DEFAULT_SLICE_ROWS = 512, FORWARD_SLICE_ROWS = 2048, STREAMING_SLICE_ROWS = 1 << 16 };

/* Adds up the model's tensors: bytes of all, elements of those that are vectors. */
static void add_tensors(const struct pt_model *model, uint64_t *bytes, uint64_t *vector_elements)
{
    const struct pt_config *config = pt_model_config(model);
    *bytes = *vector_elements = 0;
    for (unsigned layer = 0; layer < config->n_layers; layer++)
        for (enum pt_role role = layer ? PT_FIRST_LAYER_ROLE : 0; role < PT_ROLES; role++) {
            const struct pt_tensor *tensor = pt_model_tensor(model, layer, role);
            if (!tensor || (role == PT_HEAD && config->tied_head))
                continue;
            *bytes += tensor->n_bytes;
            *vector_elements += tensor->rank == 1 ? tensor->n_elements : 0;
        }
}

uint64_t pt_model_bytes(const struct pt_model *model)
{
    uint64_t bytes, vector_elements;
    add_tensors(model, &bytes, &vector_elements);
    return bytes;
}

static size_t workspace_bytes(const struct pt_engine *engine, size_t n_rows, enum pt_keep keep)
{
    return pt_workspace_bytes(engine->pass.config, &engine->weights, n_rows, keep);
}

/* Keys and values of the rows in front, and their gradients. */
static size_t front_bytes(const struct pt_engine *engine)
{
    const struct pt_config *config = engine->pass.config;
    return 2 * config->n_layers * engine->weights.rows.n * 2 * pt_config_kv_size(config) * sizeof(float);
}

static size_t bytes_for(const struct pt_engine *engine, size_t n_rows, enum pt_keep keep)
{
    return workspace_bytes(engine, n_rows, keep) + front_bytes(engine);
}

static bool fits(const struct pt_engine *engine, size_t n_rows, enum pt_keep keep)
{
    return !engine->options.memory || bytes_for(engine, n_rows, keep) <= engine->options.memory;
}

/* What is kept of n_rows rows, of one pass or of several slices. */
static enum pt_keep choose_keep(const struct pt_engine *engine, size_t n_rows, bool several)
{
    if (engine->options.forward_only || !pt_weights_trained(&engine->weights))
        return PT_KEEP_NOTHING;
    const bool inputs = several ? engine->recomputes : !fits(engine, n_rows, PT_KEEP_ALL);
    return inputs ? PT_KEEP_INPUTS : PT_KEEP_ALL;
}

uint64_t pt_engine_bytes(const struct pt_engine *engine, size_t n_rows)
{
    n_rows += engine->weights.rows.n;
    return bytes_for(engine, n_rows, choose_keep(engine, n_rows, false));
}

static bool is_streamed(const struct pt_engine *engine)
{
    const size_t usual = bytes_for(engine, engine->weights.rows.n + DEFAULT_SLICE_ROWS,
                                   choose_keep(engine, DEFAULT_SLICE_ROWS, true));
    return engine->options.memory && pt_model_bytes(engine->model) + usual > pt_memory_available();
}

/* The most rows, at most `limit`, of which several slices fit; one has to. */
static size_t most_rows(const struct pt_engine *engine, size_t limit)
{
    const enum pt_keep keep = choose_keep(engine, limit, true);
    size_t fitting = 1, too_many = limit + 1;
    while (too_many - fitting > 1) {
        const size_t middle = fitting + (too_many - fitting) / 2;
        if (fits(engine, engine->weights.rows.n + middle, keep))
            fitting = middle;
        else
            too_many = middle;
    }
    return fitting;
}

void pt_engine_choose_slices(struct pt_engine *engine)
{
    engine->slice_rows = engine->options.slice_rows;
    engine->recomputes = engine->options.recompute;
    engine->pass.streamed = is_streamed(engine);
    if (engine->slice_rows)
        return;
    engine->recomputes = engine->pass.streamed;
    engine->slice_rows = most_rows(engine, engine->recomputes             ? STREAMING_SLICE_ROWS
                                           : engine->options.forward_only ? FORWARD_SLICE_ROWS
                                                                          : DEFAULT_SLICE_ROWS);
}

static void unpack(struct pt_engine *engine, size_t n_rows)
{
    if (engine->weights.panels)
        pt_log(PT_LOG_VERBOSE, "memory: a sequence of %zu rows needs that of the packed weights", n_rows);
    pt_panels_close(&engine->weights, engine->model);
}

int pt_engine_reserve(struct pt_engine *engine, size_t n_rows, bool several, struct pt_error *err)
{
    const size_t slice_rows =
                     engine->slice_rows < DEFAULT_SLICE_ROWS ? engine->slice_rows : DEFAULT_SLICE_ROWS,
                 usual = engine->weights.rows.n + slice_rows;
    const uint64_t memory = engine->options.memory;
    n_rows = n_rows > usual ? n_rows : usual;
    const enum pt_keep keep = choose_keep(engine, n_rows, several);
    const size_t bytes = bytes_for(engine, n_rows, keep);
    if (memory && bytes + engine->weights.panels_bytes > memory)
        unpack(engine, n_rows);
    if (memory && bytes > memory) {
        char needed[PT_NUMBER_TEXT], allowed[PT_NUMBER_TEXT];
        pt_fail(err, PT_FAILED, "%s: a sequence of %zu rows needs %s of memory, %s is allowed",
                pt_model_name(engine->model), n_rows, pt_format_size(bytes, needed),
                pt_format_size(memory, allowed));
        return pt_error_hint(err, "--memory allows more; a shorter --max-length needs less");
    }
    return pt_workspace_ensure(&engine->space, engine->pass.config, &engine->weights, n_rows, keep, err);
}

static uint64_t rest(uint64_t all, uint64_t taken)
{
    return all > taken ? all - taken : 0;
}

/* What memory leaves, the pages of the checkpoint counted as well, from which few rows are multiplied. */
uint64_t pt_engine_room_for_panels(const struct pt_engine *engine)
{
    const struct pt_memory_plan plan = pt_engine_plan(engine);
    const uint64_t allowed = rest(engine->options.memory ? engine->options.memory : UINT64_MAX, plan.total),
                   left = rest(pt_memory_available(), plan.total + plan.mapped);
    return allowed < left ? allowed : left;
}

struct pt_memory_plan pt_engine_plan(const struct pt_engine *engine)
{
    const struct pt_config *config = engine->pass.config;
    struct pt_memory_plan plan = {.n_rows = engine->weights.rows.n + engine->slice_rows};
    const enum pt_keep keep = choose_keep(engine, plan.n_rows, true);
    const size_t bare = workspace_bytes(engine, plan.n_rows, PT_KEEP_NOTHING);
    plan.recomputes = keep == PT_KEEP_INPUTS;
    plan.n_logit_rows = plan.n_rows < PT_LOGIT_ROWS ? plan.n_rows : PT_LOGIT_ROWS;
    add_tensors(engine->model, &plan.mapped, &plan.vectors);
    plan.vectors *= sizeof(float);
    plan.kept = workspace_bytes(engine, plan.n_rows, keep) - bare;
    plan.logits = plan.n_logit_rows * config->vocab_size * sizeof(float);
    plan.scratch = bare - plan.logits;
    plan.front = front_bytes(engine);
    plan.kernels = pt_math_bytes(engine->pass.math);
    plan.panels = engine->weights.panels_bytes;
    plan.total =
        plan.kept + plan.scratch + plan.logits + plan.front + plan.vectors + plan.kernels + plan.panels;
    return plan;
}

void pt_memory_plan_log(const struct pt_memory_plan *plan, uint64_t allowed)
{
    char size[8][PT_NUMBER_TEXT];
    pt_log(
        PT_LOG_VERBOSE,
        "memory: %s of weights mapped; for slices of %zu rows: kept %s %s, scratch %s, logits of %zu rows "
        "%s; keys and values of the rows in front %s, vectors %s, room for the products %s, packed weights "
        "%s",
        pt_format_size(plan->mapped, size[0]), plan->n_rows,
        plan->recomputes ? "inputs of layers (a backward computes the rest again)" : "activations",
        pt_format_size(plan->kept, size[1]), pt_format_size(plan->scratch, size[2]), plan->n_logit_rows,
        pt_format_size(plan->logits, size[3]), pt_format_size(plan->front, size[4]),
        pt_format_size(plan->vectors, size[5]), pt_format_size(plan->kernels, size[6]),
        pt_format_size(plan->panels, size[7]));
    pt_log(PT_LOG_VERBOSE, "memory: %s beside the mapped weights, of %s allowed",
           pt_format_size(plan->total, size[0]), allowed ? pt_format_size(allowed, size[1]) : "any");
}
