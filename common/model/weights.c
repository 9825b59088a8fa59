/*
 * First every role's tensor becomes a view (vectors are widened to f32 copies, matrices stay where they are),
 * then the plugs replace views and ask for gradients, then the views are put together to norms and linears.
 * What the backward has to reach is one number: places are counted from the input (0) through the steps of
 * the layers to the final norm and the head.
 */
#include "model/weights.h"

#include "base/memory.h"

#include <stdlib.h>

struct view {
    const void *data; /* NULL where the model has no such tensor */
    enum pt_dtype dtype;
    float *gradient;
    bool replaced;
};

struct builder {
    const struct pt_model *model;
    const struct pt_config *config;
    struct view *views; /* [n_layers, PT_ROLES]: roles outside of layers are in the first row */
};

static struct view *view_of(const struct builder *builder, size_t layer, enum pt_role role)
{
    return &builder->views[(role < PT_FIRST_LAYER_ROLE ? 0 : layer) * PT_ROLES + role];
}

/* The tensor that a view is of; NULL where the model has none. */
static const struct pt_tensor *tensor_of(const struct builder *builder, size_t index)
{
    unsigned layer = (unsigned)(index / PT_ROLES);
    enum pt_role role = (enum pt_role)(index % PT_ROLES);
    if ((role < PT_FIRST_LAYER_ROLE && layer) || role == PT_HEAD ||
        !pt_config_has_role(builder->config, role))
        return NULL;
    return pt_model_tensor(builder->model, layer, role);
}

static bool is_norm_weight(enum pt_role role)
{
    switch (role) {
    case PT_EMBEDDING_NORM_WEIGHT:
    case PT_FINAL_NORM_WEIGHT:
    case PT_ATTENTION_NORM_WEIGHT:
    case PT_Q_NORM_WEIGHT:
    case PT_K_NORM_WEIGHT:
    case PT_ATTENTION_OUT_NORM_WEIGHT:
    case PT_MLP_NORM_WEIGHT:
    case PT_MLP_OUT_NORM_WEIGHT:
        return true;
    default:
        return false;
    }
}

static bool is_raised(const struct builder *builder, enum pt_role role)
{
    return builder->config->family->norm_adds_one && is_norm_weight(role);
}

static int load_views(struct pt_weights *weights, struct builder *builder, struct pt_error *err)
{
    size_t n = builder->config->n_layers * PT_ROLES, n_vector_elements = 0;
    for (size_t i = 0; i < n; i++) {
        const struct pt_tensor *tensor = tensor_of(builder, i);
        n_vector_elements += tensor && tensor->rank == 1 ? tensor->n_elements : 0;
    }
    builder->views = pt_new_array(n, sizeof *builder->views, err);
    weights->vectors = pt_new_floats(n_vector_elements, err);
    if (err->status)
        return (int)err->status;
    float *next = weights->vectors;
    for (size_t i = 0; i < n; i++) {
        const struct pt_tensor *tensor = tensor_of(builder, i);
        if (tensor && tensor->rank == 1) {
            pt_to_f32(next, tensor->data, tensor->dtype, tensor->n_elements);
            if (is_raised(builder, (enum pt_role)(i % PT_ROLES)))
                for (size_t e = 0; e < tensor->n_elements; e++)
                    next[e] += 1;
            builder->views[i] = (struct view){.data = next, .dtype = PT_F32};
            next += tensor->n_elements;
        } else if (tensor) {
            builder->views[i] = (struct view){.data = tensor->data, .dtype = tensor->dtype};
        }
    }
    return PT_OK;
}

static int check_place(const struct builder *builder, unsigned layer, enum pt_role role, const char *what,
                       struct pt_error *err)
{
    if (role >= PT_ROLES || !pt_config_has_role(builder->config, role))
        return pt_fail(err, PT_MISMATCH, "%s: the model has no tensor for a %s",
                       pt_model_name(builder->model), what);
    if (role >= PT_FIRST_LAYER_ROLE && layer >= builder->config->n_layers)
        return pt_fail(err, PT_MISMATCH, "%s: a %s for layer %u of %zu", pt_model_name(builder->model), what,
                       layer, (size_t)builder->config->n_layers);
    return PT_OK;
}

/* The norm reads the sum instead, which follows the weight from pass to pass. */
static int raise(struct pt_weights *weights, struct view *view, uint64_t n, struct pt_error *err)
{
    size_t capacity = weights->n_raised;
    if (pt_reserve(&weights->raised, &capacity, weights->n_raised + 1, sizeof *weights->raised, err))
        return (int)err->status;
    struct pt_raised *raised = &weights->raised[weights->n_raised];
    *raised = (struct pt_raised){view->data, pt_new_floats(n, err), n};
    if (!raised->sum)
        return (int)err->status;
    weights->n_raised++;
    view->data = raised->sum;
    return PT_OK;
}

static int replace_tensors(struct pt_weights *weights, struct builder *builder, const struct pt_plugs *plugs,
                           struct pt_error *err)
{
    for (size_t i = 0; i < plugs->n_tensors; i++) {
        const struct pt_plug_tensor *plug = &plugs->tensors[i];
        if (check_place(builder, plug->layer, plug->role, "tensor of the method", err))
            return (int)err->status;
        struct view *view = view_of(builder, plug->layer, plug->role);
        if (view->replaced)
            return pt_fail(err, PT_MISMATCH, "%s: the method replaces %s twice",
                           pt_model_name(builder->model),
                           pt_model_tensor_name(builder->model, plug->layer, plug->role));
        *view =
            (struct view){.data = plug->value, .dtype = PT_F32, .gradient = plug->gradient, .replaced = true};
        uint64_t shape[2];
        pt_role_shape(builder->config, plug->role, shape);
        if (is_raised(builder, plug->role) && raise(weights, view, shape[0], err))
            return (int)err->status;
    }
    return PT_OK;
}

/* A head that nobody replaced is the stored one, or follows the embedding in whatever happens to it. */
static void load_head(struct pt_weights *weights, struct builder *builder)
{
    struct view *head = view_of(builder, 0, PT_HEAD);
    if (head->replaced)
        return;
    const struct pt_tensor *tensor = weights->stored_head = pt_model_head(builder->model);
    if (tensor == pt_model_tensor(builder->model, 0, PT_EMBEDDING))
        *head = *view_of(builder, 0, PT_EMBEDDING);
    else
        *head = (struct view){.data = tensor->data, .dtype = tensor->dtype};
}

static struct pt_matrix matrix(const struct builder *builder, size_t layer, enum pt_role role)
{
    const struct view *view = view_of(builder, layer, role);
    bool transposed = pt_role_is_transposed(builder->config, role);
    uint64_t shape[2] = {0};
    pt_role_shape(builder->config, role, shape);
    return (struct pt_matrix){.data = view->data,
                              .dtype = view->dtype,
                              .n_out = shape[transposed],
                              .n_in = shape[!transposed],
                              .transposed = transposed};
}

static struct pt_linear linear(const struct builder *builder, size_t layer, enum pt_role role)
{
    struct pt_linear built = {.role = role,
                              .weight = matrix(builder, layer, role),
                              .weight_gradient = view_of(builder, layer, role)->gradient};
    if (role != PT_HEAD) {
        const struct view *bias = view_of(builder, layer, role + 1);
        built.bias = bias->data;
        built.bias_gradient = bias->gradient;
    }
    return built;
}

/* The roles in a row, of which the model has some. */
static struct pt_projection projection(const struct builder *builder, size_t layer, const enum pt_role *roles,
                                       size_t n)
{
    struct pt_projection built = {0};
    for (size_t i = 0; i < n; i++)
        if (pt_config_has_role(builder->config, roles[i]))
            built.parts[built.n_parts++] = linear(builder, layer, roles[i]);
    return built;
}

static struct pt_norm norm(const struct builder *builder, size_t layer, enum pt_role role)
{
    const struct view *weight = view_of(builder, layer, role), *bias = view_of(builder, layer, role + 1);
    return (struct pt_norm){weight->data, bias->data, weight->gradient, bias->gradient};
}

static const enum pt_role qkv_roles[] = {PT_QKV_WEIGHT, PT_Q_WEIGHT, PT_K_WEIGHT, PT_V_WEIGHT};
static const enum pt_role up_roles[] = {PT_MLP_GATE_WEIGHT, PT_MLP_UP_WEIGHT};

#define N_OF(array) (sizeof(array) / sizeof *(array))

static struct pt_layer build_layer(const struct builder *builder, size_t l)
{
    return (struct pt_layer){
        .attention_norm = norm(builder, l, PT_ATTENTION_NORM_WEIGHT),
        .qkv = projection(builder, l, qkv_roles, N_OF(qkv_roles)),
        .q_norm = norm(builder, l, PT_Q_NORM_WEIGHT),
        .k_norm = norm(builder, l, PT_K_NORM_WEIGHT),
        .attention_out = linear(builder, l, PT_ATTENTION_OUT_WEIGHT),
        .attention_out_norm = norm(builder, l, PT_ATTENTION_OUT_NORM_WEIGHT),
        .mlp_norm = norm(builder, l, PT_MLP_NORM_WEIGHT),
        .up = projection(builder, l, up_roles, N_OF(up_roles)),
        .mlp_down = linear(builder, l, PT_MLP_DOWN_WEIGHT),
        .mlp_out_norm = norm(builder, l, PT_MLP_OUT_NORM_WEIGHT),
    };
}

static void build(struct pt_weights *weights, const struct builder *builder)
{
    weights->embedding = matrix(builder, 0, PT_EMBEDDING);
    weights->embedding_gradient = view_of(builder, 0, PT_EMBEDDING)->gradient;
    weights->embedding_scale = pt_model_embedding_scale(builder->model);
    weights->position_embedding = matrix(builder, 0, PT_POSITION_EMBEDDING);
    weights->position_gradient = view_of(builder, 0, PT_POSITION_EMBEDDING)->gradient;
    weights->embedding_norm = norm(builder, 0, PT_EMBEDDING_NORM_WEIGHT);
    weights->final_norm = norm(builder, 0, PT_FINAL_NORM_WEIGHT);
    weights->head = linear(builder, 0, PT_HEAD);
    bool shared_norm = builder->config->parallel && !pt_config_has_role(builder->config, PT_MLP_NORM_WEIGHT);
    for (size_t l = 0; l < builder->config->n_layers; l++) {
        struct pt_layer *layer = &weights->layers[l];
        *layer = build_layer(builder, l);
        if (shared_norm)
            layer->mlp_norm = layer->attention_norm;
    }
}

/* The linear of a role in a projection; NULL where it is not one of the projection's roles. */
static struct pt_linear *find_part(const struct builder *builder, struct pt_projection *projection,
                                   const enum pt_role *roles, size_t n, enum pt_role role)
{
    size_t part = 0;
    for (size_t i = 0; i < n; i++) {
        if (roles[i] == role)
            return &projection->parts[part];
        part += pt_config_has_role(builder->config, roles[i]);
    }
    return NULL;
}

static struct pt_linear *find_linear(struct pt_weights *weights, const struct builder *builder,
                                     unsigned layer, enum pt_role role)
{
    if (role == PT_HEAD)
        return &weights->head;
    if (role == PT_ATTENTION_OUT_WEIGHT)
        return &weights->layers[layer].attention_out;
    if (role == PT_MLP_DOWN_WEIGHT)
        return &weights->layers[layer].mlp_down;
    if (role < PT_FIRST_LAYER_ROLE)
        return NULL;
    struct pt_linear *linear =
        find_part(builder, &weights->layers[layer].qkv, qkv_roles, N_OF(qkv_roles), role);
    return linear ? linear : find_part(builder, &weights->layers[layer].up, up_roles, N_OF(up_roles), role);
}

static int add_deltas(struct pt_weights *weights, const struct builder *builder, const struct pt_plugs *plugs,
                      struct pt_error *err)
{
    for (size_t i = 0; i < plugs->n_deltas; i++) {
        const struct pt_plug_delta *delta = &plugs->deltas[i];
        if (check_place(builder, delta->layer, delta->role, "delta", err))
            return (int)err->status;
        struct pt_linear *target = find_linear(weights, builder, delta->layer, delta->role);
        if (!target || !delta->rank || target->delta)
            return pt_fail(err, PT_MISMATCH, "%s: a delta on %s %s", pt_model_name(builder->model),
                           pt_model_tensor_name(builder->model, delta->layer, delta->role),
                           !target         ? "which is no linear's weight"
                           : target->delta ? "where there is one already"
                                           : "of rank 0");
        target->delta = delta;
        weights->largest_rank = delta->rank > weights->largest_rank ? delta->rank : weights->largest_rank;
        if (target->weight.n_out > weights->largest_delta_out)
            weights->largest_delta_out = target->weight.n_out;
    }
    return PT_OK;
}

static int add_keys(struct pt_weights *weights, const struct builder *builder, const struct pt_plugs *plugs,
                    struct pt_error *err)
{
    for (size_t i = 0; i < plugs->n_keys; i++) {
        const struct pt_plug_keys *keys = &plugs->keys[i];
        if (check_place(builder, keys->layer, PT_ATTENTION_OUT_WEIGHT, "key", err))
            return (int)err->status;
        if (weights->layers[keys->layer].keys)
            return pt_fail(err, PT_MISMATCH, "%s: keys in front of layer %u twice",
                           pt_model_name(builder->model), keys->layer);
        weights->layers[keys->layer].keys = keys;
        weights->n_keys = keys->n > weights->n_keys ? keys->n : weights->n_keys;
    }
    return PT_OK;
}

bool pt_norm_is_trained(const struct pt_norm *norm)
{
    return norm->weight_gradient || norm->bias_gradient;
}

static size_t place_of(size_t layer, enum pt_step step)
{
    return 1 + layer * PT_STEPS + step;
}

static size_t lowest_in_layer(const struct pt_layer *layer, size_t index)
{
    const bool trained[PT_STEPS] = {
        [PT_STEP_ATTENTION_NORM] = pt_norm_is_trained(&layer->attention_norm),
        [PT_STEP_QKV] = pt_projection_is_trained(&layer->qkv) || pt_norm_is_trained(&layer->q_norm) ||
                        pt_norm_is_trained(&layer->k_norm) ||
                        (layer->keys && (layer->keys->dk || layer->keys->dv)),
        [PT_STEP_ATTENTION_OUT] = pt_linear_is_trained(&layer->attention_out),
        [PT_STEP_ATTENTION_OUT_NORM] = pt_norm_is_trained(&layer->attention_out_norm),
        [PT_STEP_MLP_NORM] = pt_norm_is_trained(&layer->mlp_norm),
        [PT_STEP_MLP_UP] = pt_projection_is_trained(&layer->up),
        [PT_STEP_MLP_DOWN] = pt_linear_is_trained(&layer->mlp_down),
        [PT_STEP_MLP_OUT_NORM] = pt_norm_is_trained(&layer->mlp_out_norm),
    };
    for (enum pt_step step = 0; step < PT_STEPS; step++)
        if (trained[step])
            return place_of(index, step);
    return SIZE_MAX;
}

static size_t find_lowest(const struct pt_weights *weights, size_t n_layers)
{
    if (weights->rows.gradient || weights->embedding_gradient || weights->position_gradient ||
        pt_norm_is_trained(&weights->embedding_norm))
        return 0;
    for (size_t l = 0; l < n_layers; l++) {
        size_t lowest = lowest_in_layer(&weights->layers[l], l);
        if (lowest != SIZE_MAX)
            return lowest;
    }
    if (pt_norm_is_trained(&weights->final_norm))
        return place_of(n_layers, PT_STEP_FINAL_NORM);
    return pt_linear_is_trained(&weights->head) ? place_of(n_layers, PT_STEP_HEAD) : SIZE_MAX;
}

void pt_weights_refresh(struct pt_weights *weights)
{
    for (size_t r = 0; r < weights->n_raised; r++)
        for (size_t i = 0; i < weights->raised[r].n; i++)
            weights->raised[r].sum[i] = 1 + weights->raised[r].weight[i];
}

bool pt_weights_trained(const struct pt_weights *weights)
{
    return weights->lowest != SIZE_MAX;
}

bool pt_weights_reach_step(const struct pt_weights *weights, size_t layer, enum pt_step step)
{
    return weights->lowest <= place_of(layer, step);
}

bool pt_weights_reach_input(const struct pt_weights *weights)
{
    return weights->lowest == 0;
}

bool pt_weights_front_rows_alone(const struct pt_weights *weights)
{
    return !weights->embedding_gradient && !weights->position_gradient &&
           !pt_norm_is_trained(&weights->embedding_norm) &&
           !pt_norm_is_trained(&weights->layers[0].attention_norm);
}

int pt_weights_open(struct pt_weights *weights, const struct pt_model *model, const struct pt_plugs *plugs,
                    struct pt_error *err)
{
    static const struct pt_plugs none;
    struct builder builder = {.model = model, .config = pt_model_config(model)};
    *weights = (struct pt_weights){0};
    plugs = plugs ? plugs : &none;
    weights->layers = pt_new_array(builder.config->n_layers, sizeof *weights->layers, err);
    if (!err->status && !load_views(weights, &builder, err) &&
        !replace_tensors(weights, &builder, plugs, err)) {
        load_head(weights, &builder);
        build(weights, &builder);
        weights->rows = plugs->rows;
        if (!add_deltas(weights, &builder, plugs, err) && !add_keys(weights, &builder, plugs, err))
            weights->lowest = find_lowest(weights, builder.config->n_layers);
    }
    free(builder.views);
    if (err->status)
        pt_weights_close(weights);
    return (int)err->status;
}

void pt_weights_close(struct pt_weights *weights)
{
    for (size_t i = 0; i < weights->n_raised; i++)
        free(weights->raised[i].sum);
    free(weights->raised);
    free(weights->layers);
    free(weights->vectors);
    free(weights->panels);
    *weights = (struct pt_weights){0};
}
