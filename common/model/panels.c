/*
 * One walk over all matrices: first it counts what fits, then it fills one block, at last it takes the panels
 * away.
 */
#include "model/panels.h"

#include "base/memory.h"

#include <stdlib.h>

enum { ROUND = 16 /* floats of a line of cache */ };

struct walk {
    struct pt_weights *weights;
    const struct pt_model *model;
    const struct pt_math *math; /* NULL: panels are taken away */
    float *block;               /* NULL: they are counted */
    uint64_t used, most;        /* floats */
};

/* Whether it is the model's own matrix, which nothing changes. */
static bool is_stored(const struct walk *walk, const struct pt_linear *linear, size_t layer)
{
    const struct pt_tensor *stored = linear->role == PT_HEAD
                                         ? walk->weights->stored_head
                                         : pt_model_tensor(walk->model, (unsigned)layer, linear->role);
    return stored && stored->data == linear->weight.data;
}

static void visit_direction(struct walk *walk, struct pt_matrix *w, enum pt_direction direction)
{
    const uint64_t n = (pt_product_panels(walk->math, w, direction) + ROUND - 1) / ROUND * ROUND;
    if (!n || n > walk->most - walk->used)
        return;
    if (walk->block) {
        float *panels = walk->block + walk->used;
        pt_product_pack(walk->math, w, direction, panels);
        w->panels[direction] = panels;
    }
    walk->used += n;
}

/* A linear whose input's gradient is wanted where something is trained at or below the step `below`. */
static void visit(struct walk *walk, struct pt_linear *linear, size_t layer, enum pt_step below)
{
    struct pt_matrix *w = &linear->weight;
    if (!walk->math)
        w->panels[PT_FORWARD] = w->panels[PT_BACKWARD] = NULL;
    if (!walk->math || !is_stored(walk, linear, layer))
        return;
    visit_direction(walk, w, PT_FORWARD);
    if (pt_weights_reach_step(walk->weights, layer, below))
        visit_direction(walk, w, PT_BACKWARD);
}

static uint64_t visit_all(struct walk *walk)
{
    const size_t n_layers = pt_model_config(walk->model)->n_layers;
    for (size_t l = 0; l < n_layers; l++) {
        struct pt_layer *layer = &walk->weights->layers[l];
        for (size_t p = 0; p < layer->qkv.n_parts; p++)
            visit(walk, &layer->qkv.parts[p], l, PT_STEP_ATTENTION_NORM);
        visit(walk, &layer->attention_out, l, PT_STEP_QKV);
        for (size_t p = 0; p < layer->up.n_parts; p++)
            visit(walk, &layer->up.parts[p], l, PT_STEP_MLP_NORM);
        visit(walk, &layer->mlp_down, l, PT_STEP_MLP_UP);
    }
    visit(walk, &walk->weights->head, n_layers, PT_STEP_FINAL_NORM);
    return walk->used;
}

int pt_panels_open(struct pt_weights *weights, const struct pt_model *model, const struct pt_math *math,
                   uint64_t most_bytes, struct pt_error *err)
{
    struct walk count = {weights, model, math, .most = most_bytes / sizeof(float)}, fill = count;
    weights->panels_bytes = visit_all(&count) * sizeof(float);
    if (!weights->panels_bytes)
        return PT_OK;
    weights->panels = fill.block = pt_new_room(weights->panels_bytes, err);
    if (!fill.block)
        return (int)err->status;
    visit_all(&fill);
    return PT_OK;
}

void pt_panels_close(struct pt_weights *weights, const struct pt_model *model)
{
    struct walk walk = {weights, model, .math = NULL};
    visit_all(&walk);
    free(weights->panels);
    weights->panels = NULL;
    weights->panels_bytes = 0;
}
