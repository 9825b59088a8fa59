/*
 * Whatever a method may plug into the model, its gradient equals central differences of the loss, through the
 * unchanged loop.
 */
#include "reference.h"

#include "base/rng.h"
#include "base/threads.h"

#include <math.h>

/* Something trained: its values are changed here and there to see what the loss does. */
struct trained {
    const char *name;
    float *value, *gradient; /* [n], owned */
    float *expected;         /* [n], owned: the gradient of the first update */
    size_t n;
};

struct method {
    struct pt_plugs plugs;
    struct trained trained[64];
    size_t n_trained;
};

static struct pt_rng rng;

static float *floats(size_t n)
{
    float *array = calloc(n ? n : 1, sizeof *array);
    assert_non_null(array);
    return array;
}

/* n random values of the given size as a new trained thing, with its gradient. */
static struct trained *add_trained(struct method *method, const char *name, size_t n, float size)
{
    assert_true(method->n_trained < N_OF(method->trained));
    struct trained *added = &method->trained[method->n_trained++];
    *added = (struct trained){.name = name, .value = floats(n), .gradient = floats(n), .n = n};
    pt_rng_normal(&rng, n, added->value);
    for (size_t i = 0; i < n; i++)
        added->value[i] *= size;
    return added;
}

static void free_method(struct method *method)
{
    for (size_t i = 0; i < method->n_trained; i++) {
        free(method->trained[i].value);
        free(method->trained[i].gradient);
        free(method->trained[i].expected);
    }
}

static double update(struct pt_engine *engine, const struct reference *r)
{
    struct pt_error err = {0};
    double loss;
    if (pt_engine_update(engine, r->sequences, N_EXAMPLES, &loss, NULL, &err))
        fail_msg("%s", err.message);
    return loss;
}

static double norm_of(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

/* The slope of the loss along a direction, by central differences. */
static double slope(struct pt_engine *engine, const struct reference *r, struct trained *trained,
                    const float *direction, double step)
{
    float *start = floats(trained->n);
    double losses[2];
    memcpy(start, trained->value, trained->n * sizeof *start);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < trained->n; i++)
            trained->value[i] = start[i] + (float)((side ? -step : step) * (double)direction[i]);
        losses[side] = update(engine, r);
    }
    memcpy(trained->value, start, trained->n * sizeof *start);
    free(start);
    return (losses[0] - losses[1]) / (2 * step);
}

/*
 * Along the gradient itself and along a random direction of length 1, the slope must be the gradient's. The
 * loss is computed in f32, so its own rounding allows about 1e-6 over the step. Where the activation has a
 * kink, some of its arguments cross it on the way.
 */
static void check_gradient(struct pt_engine *engine, const struct reference *r, struct trained *trained)
{
    const bool kink = pt_model_config(r->model)->activation == PT_RELU;
    const double step = 2e-3, tolerance = kink ? 2e-2 : 3e-3;
    const float *gradient = trained->expected;
    float *direction = floats(trained->n);
    double length = norm_of(gradient, trained->n);
    if (!(length > 1e-4))
        fail_msg("%s: the gradient is zero", trained->name);
    for (int random = 0; random < 2; random++) {
        double expected = 0;
        pt_rng_normal(&rng, trained->n, direction);
        double scale = random ? norm_of(direction, trained->n) : length;
        for (size_t i = 0; i < trained->n; i++) {
            direction[i] = (float)((double)(random ? direction[i] : gradient[i]) / scale);
            expected += (double)direction[i] * (double)gradient[i];
        }
        double found = slope(engine, r, trained, direction, step);
        if (!(fabs(found - expected) <= tolerance * length + 1e-4))
            fail_msg("%s: %s (%s direction): gradient %.6f, central differences %.6f",
                     pt_model_name(r->model), trained->name, random ? "random" : "its own", expected, found);
    }
    free(direction);
}

static struct pt_engine *new_engine(const struct reference *r, const struct method *method,
                                    struct pt_engine_options options)
{
    struct pt_error err = {0};
    struct pt_engine *engine;
    if (pt_engine_open(&engine, r->model, r->math, &method->plugs, &options, &err))
        fail_msg("%s", err.message);
    return engine;
}

/* The gradients of one update. */
static void update_anew(struct pt_engine *engine, const struct reference *r, struct method *method)
{
    for (size_t i = 0; i < method->n_trained; i++)
        memset(method->trained[i].gradient, 0, method->trained[i].n * sizeof(float));
    update(engine, r);
}

/* Where too little memory is left for all activations of one slice, the layers are computed again to the same
 * bytes; in several slices to the same but for rounding, since products of other numbers of rows may take
 * other kernels. */
static void check_recomputed(const struct reference *r, struct method *method, size_t slice_rows,
                             uint64_t memory)
{
    struct pt_engine *engine = new_engine(
        r, method, (struct pt_engine_options){.slice_rows = slice_rows, .recompute = true, .memory = memory});
    update_anew(engine, r, method);
    pt_engine_close(engine);
    for (size_t i = 0; i < method->n_trained; i++) {
        const struct trained *t = &method->trained[i];
        const double tolerance = memory ? 0 : 1e-5 * norm_of(t->expected, t->n);
        for (size_t j = 0; j < t->n; j++)
            if (!(fabs((double)t->gradient[j] - (double)t->expected[j]) <= tolerance))
                fail_msg("%s: %s: another gradient where layers are computed again", pt_model_name(r->model),
                         t->name);
    }
}

/* One update for the gradients, then central differences for each trained thing. */
static void check_method(const struct reference *r, struct method *method, size_t slice_rows)
{
    struct pt_engine *engine = new_engine(r, method, (struct pt_engine_options){.slice_rows = slice_rows});
    const uint64_t too_little = pt_engine_bytes(engine, pt_engine_slice_rows(engine)) - 1;
    update_anew(engine, r, method);
    for (size_t i = 0; i < method->n_trained; i++)
        method->trained[i].expected = memcpy(floats(method->trained[i].n), method->trained[i].gradient,
                                             method->trained[i].n * sizeof(float));
    for (size_t i = 0; i < method->n_trained; i++)
        check_gradient(engine, r, &method->trained[i]);
    check_recomputed(r, method, pt_engine_slice_rows(engine), slice_rows ? 0 : too_little);
    pt_engine_close(engine);
}

static void add_delta(struct method *method, struct pt_plug_delta *delta, const struct reference *r,
                      unsigned layer, enum pt_role role, size_t rank)
{
    uint64_t shape[2];
    bool transposed = pt_role_is_transposed(pt_model_config(r->model), role);
    pt_role_shape(pt_model_config(r->model), role, shape);
    struct trained *a = add_trained(method, "delta A", rank * shape[!transposed], 0.1f),
                   *b = add_trained(method, "delta B", rank * shape[transposed], 0.1f);
    *delta = (struct pt_plug_delta){layer, role, rank, 0.7f, a->value, b->value, a->gradient, b->gradient};
}

static void add_keys(struct method *method, struct pt_plug_keys *keys, const struct reference *r,
                     unsigned layer, size_t n)
{
    size_t kv = pt_config_kv_size(pt_model_config(r->model));
    struct trained *k = add_trained(method, "keys", n * kv, 0.5f),
                   *v = add_trained(method, "values", n * kv, 0.5f);
    *keys = (struct pt_plug_keys){layer, n, k->value, v->value, k->gradient, v->gradient};
}

static void add_rows(struct method *method, const struct reference *r)
{
    struct trained *rows = add_trained(method, "rows", N_VIRTUAL * r->hidden, 0.1f);
    method->plugs.rows = (struct pt_plug_rows){N_VIRTUAL, rows->value, rows->gradient};
}

/* A tensor of the model as the method's own, starting from the model's values. */
static void add_tensor(struct method *method, struct pt_plug_tensor *tensor, const struct reference *r,
                       unsigned layer, enum pt_role role)
{
    const struct pt_tensor *model = pt_model_tensor(r->model, layer, role);
    struct trained *own =
        add_trained(method, pt_model_tensor_name(r->model, layer, role), model->n_elements, 0);
    pt_to_f32(own->value, model->data, model->dtype, model->n_elements);
    *tensor = (struct pt_plug_tensor){layer, role, own->value, own->gradient};
}

/* Every linear but the head; a model has some of them. */
static const enum pt_role linears[] = {
    PT_QKV_WEIGHT,           PT_Q_WEIGHT,        PT_K_WEIGHT,      PT_V_WEIGHT,
    PT_ATTENTION_OUT_WEIGHT, PT_MLP_GATE_WEIGHT, PT_MLP_UP_WEIGHT, PT_MLP_DOWN_WEIGHT};

/* The second layer's last vector, a bias or a norm's weight. */
static enum pt_role last_vector(const struct pt_config *config)
{
    enum pt_role role = PT_ROLES - 1;
    while (!pt_config_has_role(config, role) || !pt_role_is_vector(role))
        role--;
    return role;
}

static void a_delta_a_bias_and_a_key_without_rows_in_front_train_together(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_OF(reference_folders); f++)
        for (size_t l = 0; l < N_OF(linears); l++) {
            struct reference r;
            open_reference(&r, reference_folders[f], "f32");
            struct method method = {0};
            if (!pt_config_has_role(pt_model_config(r.model), linears[l])) {
                close_reference(&r);
                continue;
            }
            struct pt_plug_delta delta;
            struct pt_plug_tensor bias;
            struct pt_plug_keys keys;
            unsigned last = (unsigned)pt_model_config(r.model)->n_layers - 1;
            add_delta(&method, &delta, &r, l % 2 ? last : 0, linears[l], 1);
            add_tensor(&method, &bias, &r, 1, last_vector(pt_model_config(r.model)));
            add_keys(&method, &keys, &r, l < 4 ? 0 : last, 1);
            method.plugs = (struct pt_plugs){.deltas = &delta,
                                             .n_deltas = 1,
                                             .tensors = &bias,
                                             .n_tensors = 1,
                                             .keys = &keys,
                                             .n_keys = 1};
            check_method(&r, &method, l % 2 ? 30 : 0);
            free_method(&method);
            close_reference(&r);
        }
}

/* Alone, so that the backward has to end at it and not before; with rows in front that are not trained, in
 * slices. (A bias that all keys of a query share drops out of the softmax, unless keys are turned.) */
static void each_tensor_set_free_alone_gets_its_gradient(void **state)
{
    (void)state;
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct reference r;
        open_reference(&r, reference_folders[f], "f32");
        const struct pt_config *config = pt_model_config(r.model);
        unsigned last = (unsigned)config->n_layers - 1;
        for (enum pt_role role = 0; role < PT_ROLES; role++)
            for (unsigned layer = 0; layer <= (role < PT_FIRST_LAYER_ROLE ? 0 : last); layer += last) {
                struct method method = {0};
                struct pt_plug_tensor tensor;
                if (!pt_config_has_role(config, role) ||
                    (role == PT_K_BIAS && config->positions != PT_ROTARY))
                    continue;
                add_tensor(&method, &tensor, &r, layer, role);
                method.plugs = (struct pt_plugs){.tensors = &tensor, .n_tensors = 1};
                bool front = (role + layer) % 2;
                if (front)
                    method.plugs.rows =
                        (struct pt_plug_rows){N_VIRTUAL, case_tensor(&r, "prompt", -1)->data, NULL};
                check_method(&r, &method, 30);
                free_method(&method);
            }
        close_reference(&r);
    }
}

static void everything_trains_at_once(void **state)
{
    (void)state;
    static const enum pt_role roles[] = {
        PT_EMBEDDING,  PT_POSITION_EMBEDDING, PT_EMBEDDING_NORM_WEIGHT, PT_ATTENTION_NORM_BIAS,
        PT_QKV_WEIGHT, PT_K_WEIGHT,           PT_Q_NORM_WEIGHT};
    for (size_t f = 0; f < N_OF(reference_folders); f++) {
        struct reference r;
        open_reference(&r, reference_folders[f], "f32");
        const struct pt_config *config = pt_model_config(r.model);
        struct method method = {0};
        struct pt_plug_delta deltas[N_OF(linears) + 1];
        struct pt_plug_keys keys[2];
        struct pt_plug_tensor tensors[N_OF(roles)];
        add_rows(&method, &r);
        add_delta(&method, &deltas[method.plugs.n_deltas++], &r, 0, PT_HEAD, 3);
        for (unsigned i = 0; i < N_OF(linears); i++)
            if (pt_config_has_role(config, linears[i]))
                add_delta(&method, &deltas[method.plugs.n_deltas++], &r, i % 2, linears[i], 3);
        for (unsigned i = 0; i < 2; i++)
            add_keys(&method, &keys[i], &r, i, 2 + i);
        for (unsigned i = 0; i < N_OF(roles); i++)
            if (pt_config_has_role(config, roles[i]))
                add_tensor(&method, &tensors[method.plugs.n_tensors++], &r,
                           roles[i] < PT_FIRST_LAYER_ROLE ? 0 : i % 2, roles[i]);
        method.plugs.deltas = deltas;
        method.plugs.keys = keys, method.plugs.n_keys = 2;
        method.plugs.tensors = tensors;
        check_method(&r, &method, f ? 0 : 30);
        free_method(&method);
        close_reference(&r);
    }
}

static void slices_change_nothing_but_rounding(void **state)
{
    (void)state;
    struct reference r;
    open_reference(&r, "bloom", "f32");
    struct method method = {0};
    struct pt_plug_delta delta;
    struct pt_plug_keys keys;
    struct pt_plug_tensor tensor;
    float *whole[8] = {0};
    add_rows(&method, &r);
    add_delta(&method, &delta, &r, 2, PT_ATTENTION_OUT_WEIGHT, 2);
    add_keys(&method, &keys, &r, 1, 2);
    add_tensor(&method, &tensor, &r, 0, PT_FINAL_NORM_WEIGHT);
    method.plugs.deltas = &delta, method.plugs.n_deltas = 1;
    method.plugs.keys = &keys, method.plugs.n_keys = 1;
    method.plugs.tensors = &tensor, method.plugs.n_tensors = 1;
    for (size_t slice_rows = 512; slice_rows; slice_rows /= 8) {
        struct pt_engine *engine =
            new_engine(&r, &method, (struct pt_engine_options){.slice_rows = slice_rows});
        update_anew(engine, &r, &method);
        for (size_t i = 0; i < method.n_trained; i++) {
            size_t n = method.trained[i].n;
            if (!whole[i])
                whole[i] = memcpy(floats(n), method.trained[i].gradient, n * sizeof(float));
            double length = norm_of(whole[i], n);
            for (size_t j = 0; j < n; j++)
                assert_true(fabs((double)method.trained[i].gradient[j] - (double)whole[i][j]) <
                            1e-5 * length);
        }
        pt_engine_close(engine);
    }
    for (size_t i = 0; i < N_OF(whole); i++)
        free(whole[i]);
    free_method(&method);
    close_reference(&r);
}

static void expect_refusal(const struct reference *r, const struct pt_plugs *plugs, const char *named)
{
    struct pt_error err = {0};
    struct pt_engine *engine;
    assert_int_equal(pt_engine_open(&engine, r->model, r->math, plugs, NULL, &err), PT_MISMATCH);
    assert_null(engine);
    if (!strstr(err.message, named))
        fail_msg("\"%s\" does not name %s", err.message, named);
}

static void plugs_that_fit_nowhere_are_refused(void **state)
{
    (void)state;
    struct reference r;
    static float space[64 * 256];
    open_reference(&r, "bloom", "f32");
    struct pt_plug_tensor tensors[2] = {{3, PT_QKV_BIAS, space, NULL}, {2, PT_QKV_BIAS, space, NULL}};
    expect_refusal(&r, &(struct pt_plugs){.tensors = tensors, .n_tensors = 1}, "layer 3");
    tensors[0].layer = 2;
    expect_refusal(&r, &(struct pt_plugs){.tensors = tensors, .n_tensors = 2}, "twice");
    struct pt_plug_delta deltas[2] = {{1, PT_QKV_BIAS, 1, 1, space, space, NULL, NULL},
                                      {1, PT_QKV_WEIGHT, 1, 1, space, space, NULL, NULL}};
    expect_refusal(&r, &(struct pt_plugs){.deltas = deltas, .n_deltas = 1}, "query_key_value.bias");
    deltas[0] = deltas[1];
    expect_refusal(&r, &(struct pt_plugs){.deltas = deltas, .n_deltas = 2}, "already");
    deltas[0].rank = 0;
    expect_refusal(&r, &(struct pt_plugs){.deltas = deltas, .n_deltas = 1}, "rank 0");
    struct pt_plug_keys keys[2] = {{1, 1, space, space, NULL, NULL}, {1, 1, space, space, NULL, NULL}};
    expect_refusal(&r, &(struct pt_plugs){.keys = keys, .n_keys = 2}, "layer 1");
    keys[0].layer = 9;
    expect_refusal(&r, &(struct pt_plugs){.keys = keys, .n_keys = 1}, "layer 9");
    close_reference(&r);
}

/* One thread: the models are so small that waiting for others would take most of the time. */
static int prepare(void **state)
{
    (void)state;
    pt_rng_seed(&rng, 7);
    pt_threads_set(1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delta_a_bias_and_a_key_without_rows_in_front_train_together),
        cmocka_unit_test(each_tensor_set_free_alone_gets_its_gradient),
        cmocka_unit_test(everything_trains_at_once),
        cmocka_unit_test(slices_change_nothing_but_rounding),
        cmocka_unit_test(plugs_that_fit_nowhere_are_refused),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
