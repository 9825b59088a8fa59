/*
 * The workspace says how large it is with everything kept and with nothing; the rest is counted here.
 */
#include "model/plan.h"

#include "base/log.h"
#include "base/number.h"
#include "model/engine_state.h"

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

struct pt_memory_plan pt_engine_plan(const struct pt_engine *engine)
{
    const struct pt_config *config = engine->pass.config;
    const struct pt_weights *weights = &engine->weights;
    struct pt_memory_plan plan = {.n_rows = weights->rows.n + engine->slice_rows};
    const size_t bare = pt_workspace_bytes(config, weights, plan.n_rows, false);
    plan.n_logit_rows = plan.n_rows < PT_LOGIT_ROWS ? plan.n_rows : PT_LOGIT_ROWS;
    add_tensors(engine->model, &plan.mapped, &plan.vectors);
    plan.vectors *= sizeof(float);
    if (pt_weights_trained(weights))
        plan.kept = pt_workspace_bytes(config, weights, plan.n_rows, true) - bare;
    plan.logits = plan.n_logit_rows * config->vocab_size * sizeof(float);
    plan.scratch = bare - plan.logits;
    plan.front = 2 * config->n_layers * weights->rows.n * 2 * pt_config_kv_size(config) * sizeof(float);
    plan.kernels = pt_math_bytes(engine->pass.math);
    plan.panels = weights->panels_bytes;
    plan.total =
        plan.kept + plan.scratch + plan.logits + plan.front + plan.vectors + plan.kernels + plan.panels;
    return plan;
}

void pt_memory_plan_log(const struct pt_memory_plan *plan, uint64_t allowed)
{
    char size[8][PT_NUMBER_TEXT];
    pt_log(PT_LOG_VERBOSE,
           "memory: %s of weights mapped; for slices of %zu rows: kept activations %s, scratch %s, logits of "
           "%zu rows %s; keys and values of the rows in front %s, vectors %s, room for the products %s, "
           "packed weights %s",
           pt_format_size(plan->mapped, size[0]), plan->n_rows, pt_format_size(plan->kept, size[1]),
           pt_format_size(plan->scratch, size[2]), plan->n_logit_rows, pt_format_size(plan->logits, size[3]),
           pt_format_size(plan->front, size[4]), pt_format_size(plan->vectors, size[5]),
           pt_format_size(plan->kernels, size[6]), pt_format_size(plan->panels, size[7]));
    pt_log(PT_LOG_VERBOSE, "memory: %s beside the mapped weights, of %s allowed",
           pt_format_size(plan->total, size[0]), allowed ? pt_format_size(allowed, size[1]) : "any");
}
